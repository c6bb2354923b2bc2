import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-ports.ts';
import { pageTests, WHILE_AWAY } from '../../support/page-tests.ts';
import { figureOf, logOf, rowOf, rowTexts, scrollLog } from '../../support/shown-log.ts';

const KEY = 'c1/resnet-a/default';
const { open } = pageTests();

/** Events that the log shows a row each, the last of them now, `everyMs` apart. */
function notes(first: number, last: number, { everyMs = 1_000, untilMs = Date.now() } = {}): MadeUpEvent[] {
  return Array.from({ length: last - first + 1 }, (_, at) => ({
    eventType: 'NOTE',
    message: `note-${first + at}.`,
    receivedAtMs: untilMs - (last - first - at) * everyMs,
  }));
}

const notesShown = async (page: Page) =>
  (await rowTexts(page)).flatMap((text) => /note-(\d+)\./.exec(text)?.[1] ?? []).map(Number);

const eventsAre = (page: Page, events: number) =>
  expect.poll(() => figureOf(page, 'ev')).toBe(events.toLocaleString('en'));

/** A page whose gateway goes away, and comes back after events of which the page knows nothing. */
async function withOutage(
  { before, missed }: { before: MadeUpEvent[]; missed: MadeUpEvent[] },
  meanwhile: (page: Page) => Promise<unknown> = async () => undefined,
) {
  const port = await freePort();
  const first = await startMadeUpGateway({ port });
  const { runs } = first;
  first.append(KEY, before);
  const page = await open(`${first.url}/#${KEY}`, { allows: WHILE_AWAY });
  await eventsAre(page, before.length);
  await first[Symbol.asyncDispose]();
  await page.getByText('connection lost').waitFor();
  runs.append(KEY, missed);
  await meanwhile(page);
  const gateway = await startMadeUpGateway({ runs, port });
  await eventsAre(page, before.length + missed.length);
  return { page, gateway };
}

describe('fault 2: an outage is seen in the log, and not in the rate', () => {
  it('what the page does not fetch by itself has a row, which becomes its events when it is looked at', async () => {
    const held: (() => Promise<void>)[] = [];
    let isHeld = true;
    const holdHistory = (page: Page) =>
      page.route(/\/events\?/, async (route) => {
        if (isHeld) held.push(() => route.continue());
        else await route.continue();
      });
    // A client fetches 5,000 by itself.
    const { page, gateway } = await withOutage(
      { before: notes(1, 40), missed: notes(41, 5_440) },
      holdHistory,
    );
    await using _gateway = gateway;
    await using _page = page;
    await logOf(page).focus();
    await page.keyboard.press('g');
    await rowOf(page, 'note-1.').waitFor();
    await scrollLog(page, 1);
    await rowOf(page, /seq 41–\d+ · 5,\d{3} events left out/).waitFor();
    const shown = await notesShown(page);
    expect(shown[shown.indexOf(40) + 1]).toBeGreaterThan(5_041);
    isHeld = false;
    await Promise.all(held.map((release) => release()));
    await rowOf(page, 'left out').waitFor({ state: 'detached' });
    await rowOf(page, 'note-41.').waitFor();
    const filled = await notesShown(page);
    expect(filled).toEqual(filled.map((_, at) => filled[0]! + at));
  });

  it('events that came meanwhile count for the time in which they came', async () => {
    // For the page the outage took a second; by the clock of the gateway it took 20 s, in which 20 events came a second.
    const untilMs = Date.now();
    const { page, gateway } = await withOutage({
      before: notes(1, 200, { everyMs: 50, untilMs: untilMs - 20_000 }),
      missed: notes(201, 600, { everyMs: 50, untilMs }),
    });
    await using _gateway = gateway;
    await using _page = page;
    const rates = [Number(await figureOf(page, 'ev/s'))];
    for (let sent = 600; sent < 640; sent += 4) {
      gateway.append(KEY, notes(sent + 1, sent + 4, { everyMs: 50 }));
      await eventsAre(page, sent + 4);
      rates.push(Number(await figureOf(page, 'ev/s')));
    }
    expect(Math.max(...rates), rates.join(' ')).toBeLessThan(30);
  });
});

describe('fault 2: numbers that did not arrive', () => {
  it.each([
    { fate: 'recovered: all 3 arrived', last: [2, 3, 4].map(numbered) },
    { fate: 'not coming', last: [{ eventType: 'RUN_FINISHED' }] },
  ])('have a row with their emitter and their age, and then: $fate', async ({ fate, last }) => {
    await using gateway = await startMadeUpGateway();
    const append = (events: MadeUpEvent[]) =>
      gateway.append(
        KEY,
        events.map((event) => ({ receivedAtMs: Date.now(), ...event })),
      );
    append([numbered(1)]);
    await using page = await open(`${gateway.url}/#${KEY}`);
    await rowOf(page, 'number 1.').waitFor();
    append([numbered(5)]);
    await rowOf(page, /3 missing · waiting \d.* · numbers 2–4 of emitter rank-0/).waitFor();
    append(last);
    await rowOf(page, /numbers 2–4 of emitter rank-0/)
      .filter({ hasText: fate })
      .waitFor();
  });
});

function numbered(emitter_seq: number): MadeUpEvent {
  const envelope = { emitter_id: 'rank-0', emitter_seq };
  return { eventType: 'NOTE', message: `number ${emitter_seq}.`, envelope };
}
