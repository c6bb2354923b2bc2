import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { pageCaseEvents } from '../../support/page-cases.ts';
import { pageTests } from '../../support/page-tests.ts';
import { logOf, rowOf, rowTextsInView, scrollLog } from '../../support/shown-log.ts';

const KEY = 'c1/resnet-a/default';
const { open } = pageTests();

/** Events that the log shows a row each, a second apart. */
function notes(first: number, last: number, { fromMs = Date.UTC(2026, 0, 3) } = {}): MadeUpEvent[] {
  return Array.from({ length: last - first + 1 }, (_, at) => ({
    eventType: 'NOTE',
    message: `note-${first + at}.`,
    receivedAtMs: fromMs + (first + at) * 1_000,
  }));
}

/** Rows in view that may be dates. */
const DATES_MAX = 3;
const notesInView = async (page: Page) =>
  (await rowTextsInView(page)).flatMap((text) => /note-(\d+)\./.exec(text)?.[1] ?? []).map(Number);
const withoutHoles = (shown: readonly number[]) => shown.map((_, at) => shown[0]! + at);

describe('fault 7: what somebody reads stays', () => {
  it('while more comes than the page keeps, which it counts, and has again when somebody reads on', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, notes(1, 300));
    await using page = await open(`${gateway.url}/#${KEY}`);
    await rowOf(page, 'note-300.').waitFor();
    await scrollLog(page, -3);
    await expect.poll(async () => (await notesInView(page)).at(-1)).toBeLessThan(280);
    const before = await notesInView(page);
    // The page keeps 20,000 events.
    for (let sent = 300; sent < 24_300; sent += 4_000) {
      gateway.append(KEY, notes(sent + 1, sent + 4_000));
      const came = (sent + 3_700).toLocaleString('en');
      await page.getByRole('button', { name: `${came} new` }).waitFor();
    }
    expect(await notesInView(page)).toEqual(before);
    const read = [...before];
    while (read.at(-1)! < 450) {
      await scrollLog(page, 0.8);
      let shown: number[] = [];
      const isDrawn = async () => {
        shown = await notesInView(page);
        // Scrolled is sooner than drawn; some rows are dates.
        return shown.length >= before.length - DATES_MAX && shown.at(-1)! > read.at(-1)!;
      };
      await expect.poll(isDrawn).toBe(true);
      read.push(...shown.filter((note) => note > read.at(-1)!));
    }
    expect(read).toEqual(withoutHoles(read));
    await scrollLog(page, -1_000);
    await rowOf(page, 'note-1.').waitFor();
  });
});

describe('fault 8: a date is always in view', () => {
  it.each([
    ['over midnight', Date.UTC(2026, 0, 3, 23, 57), ['Sat 3 Jan 2026', 'Sun 4 Jan 2026']],
    ['of another year', Date.UTC(2024, 1, 29, 12), ['Thu 29 Feb 2024']],
  ])('in a run %s', async (_, fromMs, days) => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, notes(1, 400, { fromMs }));
    await using page = await open(`${gateway.url}/#${KEY}`);
    await rowOf(page, 'note-400.').waitFor();
    const read = new Set<string>();
    for (let isAtTop = false; !isAtTop; ) {
      const dates = (await rowTextsInView(page)).flatMap(
        (text) => /\w{3} \d+ \w{3} \d{4}/.exec(text)?.[0] ?? [],
      );
      expect(dates).not.toEqual([]);
      for (const date of dates) read.add(date);
      isAtTop = (await notesInView(page)).includes(1);
      await scrollLog(page, -0.7);
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(drawn)));
    }
    expect([...read].reverse()).toEqual(days);
  });
});

describe('fault 11: the clock of one sender hides nobody', () => {
  const aheadMs = 600_000;
  const twoEmitters = notes(1, 400).map((event, at): MadeUpEvent => {
    const isAhead = at % 2 === 0;
    const timestamp = new Date(event.receivedAtMs! + (isAhead ? aheadMs : 0)).toISOString();
    const message = isAhead ? 'ahead.' : event.message!;
    return { ...event, message, envelope: { timestamp, emitter_id: isAhead ? 'fast' : 'right' } };
  });
  const setBack = pageCaseEvents('clock-set-back').map((event): MadeUpEvent => {
    const { event_type: eventType, timestamp, data } = event;
    return { eventType, data: data ?? {}, receivedAtMs: Date.now(), envelope: { timestamp } };
  });

  it.each([
    ['is set back', setBack, /now\s*PRUNE/, 1],
    ['is ten minutes ahead of another', twoEmitters, 'note-', 10],
  ])('which %s: what came last is in view', async (_, events, text, least) => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, events.slice(0, 100));
    await using page = await open(`${gateway.url}/#${KEY}`);
    await rowOf(page, events === setBack ? 'r99' : 'note-100.').waitFor();
    for (let at = 100; at < events.length; at += 50) gateway.append(KEY, events.slice(at, at + 50));
    const lastOnes = async () => (await rowTextsInView(page)).filter((row) => row.match(text) !== null);
    await expect.poll(async () => (await lastOnes()).length).toBeGreaterThanOrEqual(least);
    if (events === twoEmitters) expect((await lastOnes()).at(-1)).toContain('note-400.');
    await page.reload();
    await expect.poll(async () => (await lastOnes()).length).toBeGreaterThanOrEqual(least);
    expect(await logOf(page).count()).toBe(1);
  });
});
