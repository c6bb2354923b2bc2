import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-ports.ts';
import { type OpenOptions, pageTests, WHILE_AWAY } from '../support/page-tests.ts';

const KEY = 'c1/resnet-a/default';
const START_MS = Date.UTC(2026, 10, 27, 7, 0, 0);

const tests = pageTests();
let page: Page;

async function open(url: string, options?: OpenOptions): Promise<Page> {
  page = await tests.open(url, options);
  await page.locator('.lines').waitFor();
  return page;
}

/** A gateway with a run. Each event is of a second of its own, unless it says when it came. */
async function startRun(options: { port?: number } = {}) {
  const gateway = await startMadeUpGateway(options);
  let made = 0;
  const add = (events: readonly MadeUpEvent[]) =>
    gateway.append(
      KEY,
      events.map((event) => ({ receivedAtMs: START_MS + made++ * 1_000, ...event })),
    );
  return { gateway, add, url: `${gateway.url}/#${KEY}` };
}

const germinated = (slot: string): MadeUpEvent => ({
  eventType: 'SEED_GERMINATED',
  data: { slot_id: slot, blueprint_id: 'conv_light' },
});
const pruned = (slot: string): MadeUpEvent => ({
  eventType: 'SEED_PRUNED',
  data: { slot_id: slot, reason: 'stagnation' },
});
const many = (events: number, from = 0): MadeUpEvent[] =>
  Array.from({ length: events }, (_, at) => germinated(`s${from + at}`));

const slots = async () => (await page.locator('.line .slot').allTextContents()).filter((text) => text !== '');
const lastSlot = async () => (await inView()).at(-1)?.slot;
const toEnd = () => page.locator('.to-end');

/** The rows whose middle is in view, from the top, with their places on the screen. */
async function inView(): Promise<{ slot: string; seq: number; top: number }[]> {
  return await page.locator('.lines').evaluate((list) => {
    const frame = list.getBoundingClientRect();
    const rows: { slot: string; seq: number; top: number }[] = [];
    for (const row of list.querySelectorAll('.line-event')) {
      const { top, bottom } = row.getBoundingClientRect();
      const middle = (top + bottom) / 2;
      if (middle < frame.top || middle > frame.bottom) continue;
      const of = (name: string) => row.querySelector(name)?.textContent ?? '';
      rows.push({ slot: of('.slot'), seq: Number(of('.seq')), top: top - frame.top });
    }
    return rows;
  });
}

/** Turns the wheel above the log until something holds. */
async function wheelUntil(dy: number, holds: () => Promise<boolean>): Promise<void> {
  await page.locator('.lines').hover();
  await expect
    .poll(async () => {
      for (let turn = 0; turn < 10; turn += 1) await page.mouse.wheel(0, dy);
      return await holds();
    })
    .toBe(true);
}

describe('the log of a run', () => {
  it('follows its end, and after a pause shows what came meanwhile', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(100));
    await using _ = await open(url);
    await expect.poll(lastSlot).toBe('s99');
    // The date above the log covers one row and not parts of two.
    expect((await inView())[0]!.top).toBe(0);
    add([germinated('t1')]);
    await expect.poll(lastSlot).toBe('t1');
    await page.keyboard.press(' ');
    add(many(37, 1_000));
    await toEnd().filter({ hasText: '37 new ↓' }).waitFor();
    expect(await lastSlot()).toBe('t1');
    await page.keyboard.press(' ');
    await expect.poll(lastSlot).toBe('s1036');
    await expect.poll(() => toEnd().count()).toBe(0);
  });

  it('does not move while somebody reads above its end, and the button leads back', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(300));
    await using _ = await open(url);
    await expect.poll(lastSlot).toBe('s299');
    await wheelUntil(-60, async () => (await inView())[0]!.seq < 150);
    const before = await inView();
    for (let batch = 0; batch < 10; batch += 1) add(many(20, 1_000 + batch * 20));
    await toEnd().filter({ hasText: '200 new ↓' }).waitFor();
    expect(await inView()).toEqual(before);
    await toEnd().click();
    await expect.poll(lastSlot).toBe('s1199');
  });

  it('goes back through 30,000 events to the beginning of the run, and forth again to its end', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    for (let from = 0; from < 30_000; from += 5_000) add(many(5_000, from));
    await using _ = await open(url);
    await expect.poll(lastSlot).toBe('s29999');
    let least = Number.POSITIVE_INFINITY;
    await wheelUntil(-4_000, async () => {
      const first = (await inView())[0];
      if (first === undefined) return false;
      // Nobody who scrolls up is thrown down.
      expect(first.seq).toBeLessThanOrEqual(least);
      least = first.seq;
      return (await page.getByText('beginning of the run').count()) > 0 && first.slot === 's0';
    });
    let most = 0;
    await wheelUntil(4_000, async () => {
      const last = (await inView()).at(-1);
      if (last === undefined) return false;
      expect(last.seq).toBeGreaterThanOrEqual(most);
      most = last.seq;
      return last.slot === 's29999';
    });
    add([germinated('end')]);
    await expect.poll(lastSlot).toBe('end');
    await page.keyboard.press('g');
    await expect.poll(async () => (await inView())[0]?.slot).toBe('s0');
    await page.keyboard.press('G');
    await expect.poll(lastSlot).toBe('end');
  });

  it('opens a roll-up to its exact events, and closes it without a jump', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(60));
    add(Array.from({ length: 8 }, (_, env) => ({ data: { env_id: env }, receivedAtMs: START_MS + 70_000 })));
    await using _ = await open(url);
    await page.locator('.line-rollup').filter({ hasText: '×8' }).waitFor();
    const before = await inView();
    await page.locator('.line-rollup').click();
    await expect.poll(() => page.locator('.line-within').count()).toBe(8);
    const envs = await page.locator('.line-within .env').allTextContents();
    expect(envs).toEqual(Array.from({ length: 8 }, (_, env) => `e0${env}`));
    const opened = (await inView()).filter(({ slot }) => slot !== '');
    expect(opened).toEqual(before.slice(0, opened.length));
    await page.locator('.line-rollup').click();
    await expect.poll(() => page.locator('.line-within').count()).toBe(0);
    expect(await inView()).toEqual(before);
  });

  it('draws more than twelve events of a second as one row, which opens', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(20).map((event) => ({ ...event, receivedAtMs: START_MS })));
    await using _ = await open(url);
    await page.locator('.line-burst').filter({ hasText: 'GERM 20' }).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await expect.poll(slots).toEqual(Array.from({ length: 20 }, (_, at) => `s${at}`));
  });

  it('goes to the event of a link and marks it, with what is around it although a filter is on', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(5_000));
    add([pruned('p1')]);
    add(many(5_000, 5_000));
    const [stored] = (await gateway.runs.states.get(KEY)!.event_log).slice(-1);
    const seq = stored!.seq - 5_000;
    await using _ = await open(`${url}?log=type:prune&event=${seq - 1}`);
    await page
      .locator('.around-bar')
      .filter({ hasText: `around event ${seq - 1}` })
      .waitFor();
    await expect.poll(() => page.locator('.line-selected .slot').textContent()).toBe('s4999');
    expect(await slots()).toEqual(expect.arrayContaining(['s4998', 's4999', 'p1', 's5000']));
    await page.getByRole('button', { name: /back to the matches/ }).click();
    await expect.poll(slots).toEqual(['p1']);
    await page.keyboard.press('o');
    await expect.poll(slots).toEqual(expect.arrayContaining(['s4999', 'p1', 's5000']));
    await expect.poll(() => page.locator('.line-selected .slot').textContent()).toBe('p1');
    await page.keyboard.press('o');
    await expect.poll(slots).toEqual(['p1']);
  });

  it('has the server filter it, what comes and what was', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add([pruned('old')]);
    add(many(2_000));
    await using _ = await open(`${url}?log=type:prune`);
    await expect.poll(slots).toEqual(['old']);
    add([...many(50, 3_000), pruned('new')]);
    await expect.poll(slots).toEqual(['old', 'new']);
    await page.evaluate((hash) => {
      location.hash = hash;
    }, `#${KEY}`);
    await expect.poll(lastSlot).toBe('new');
    expect((await slots()).length).toBeGreaterThan(20);
    await page.evaluate((hash) => {
      location.hash = hash;
    }, `#${KEY}?log="no such words"`);
    await page.getByText('None of 2,052 events matches the filter.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(lastSlot).toBe('new');
  });

  it('says where an outage left events out, and fetches them when that comes into view', async () => {
    const port = await freePort();
    const { gateway: first, add, url } = await startRun({ port });
    add(many(50));
    // It goes on reading the history until its gateway stops.
    const allows = new RegExp(`${WHILE_AWAY.source}|status of 503 .*/events`);
    await using _ = await open(url, { allows });
    await expect.poll(lastSlot).toBe('s49');
    await page.locator('.lines').hover();
    await page.mouse.wheel(0, -100);
    await first[Symbol.asyncDispose]();
    const timed = (events: MadeUpEvent[]) =>
      events.map((event, at) => ({ ...event, receivedAtMs: START_MS + 60_000 + at * 1_000 }));
    first.runs.append(KEY, timed(many(12_000, 50)));
    await using _second = await startMadeUpGateway({ runs: first.runs, port });
    await toEnd().filter({ hasText: 'new' }).waitFor();
    await toEnd().click();
    await expect.poll(lastSlot).toBe('s12049');
    const seen = new Set<number>();
    await wheelUntil(-2_000, async () => {
      for (const { seq } of await inView()) seen.add(seq);
      return (await inView())[0]?.slot === 's0';
    });
    expect(await page.locator('.line-gap').count()).toBe(0);
  });

  it('keeps text selected while events come, and the rows that have it', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(200));
    await using _ = await open(url);
    await expect.poll(lastSlot).toBe('s199');
    const rows = page.locator('.line-event');
    const from = (await rows.nth(-6).locator('.slot').boundingBox())!;
    const to = (await rows.nth(-3).locator('.text').boundingBox())!;
    await page.mouse.move(from.x + 2, from.y + 5);
    await page.mouse.down();
    await page.mouse.move(to.x + 40, to.y + 5, { steps: 4 });
    await page.mouse.up();
    const selected = () => page.evaluate(() => document.getSelection()!.toString());
    const before = await selected();
    expect(before).toContain('s196');
    add(many(500, 1_000));
    await toEnd().filter({ hasText: '500 new ↓' }).waitFor();
    expect(await selected()).toBe(before);
    await wheelUntil(-600, async () => (await inView())[0]?.slot === 's0');
    expect(await selected()).toBe(before);
    await page.keyboard.press('Escape');
    await page.evaluate(() => document.getSelection()!.removeAllRanges());
    await toEnd().click();
    await expect.poll(lastSlot).toBe('s1499');
  });

  it('lets a row be pressed while events rush by', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(200));
    await using _ = await open(url);
    await expect.poll(lastSlot).toBe('s199');
    const { x, y } = (await page.locator('.line-event').nth(-5).boundingBox())!;
    await page.mouse.move(x + 300, y + 5);
    await page.mouse.down();
    const slot = await page.evaluate(
      ([left, top]) =>
        document.elementFromPoint(left!, top!)!.closest('.line')!.querySelector('.slot')!.textContent,
      [x + 300, y + 5],
    );
    add(many(100, 1_000));
    await toEnd().filter({ hasText: '100 new ↓' }).waitFor();
    await page.mouse.up();
    await expect.poll(() => page.locator('.line-selected .slot').textContent()).toBe(slot);
    expect(await toEnd().textContent()).toBe('100 new ↓');
  });

  it('is one tab stop, whose row a key moves, and tells a screen reader no line', async () => {
    const { gateway, add, url } = await startRun();
    await using _gateway = gateway;
    add(many(100));
    await using _ = await open(url);
    await expect.poll(lastSlot).toBe('s99');
    expect(await page.locator('.lines [tabindex="0"], .lines button:not([tabindex])').count()).toBe(0);
    expect(await page.locator('[role=log]').getAttribute('aria-live')).toBe('off');
    const active = () =>
      page.evaluate(() => {
        const id = document.querySelector('.lines')!.getAttribute('aria-activedescendant');
        return id === null ? null : document.getElementById(id)?.querySelector('.slot')?.textContent;
      });
    await page.locator('.lines').focus();
    await page.keyboard.press('k');
    await expect.poll(active).toBe('s99');
    for (let press = 0; press < 60; press += 1) await page.keyboard.press('k');
    await expect.poll(active).toBe('s39');
    expect((await inView()).map(({ slot }) => slot)).toContain('s39');
    await expect.poll(() => new URL(page.url()).hash).toContain('event=40');
    await page.keyboard.press('Enter');
    await expect.poll(() => new URL(page.url()).hash).toContain('pane=event');
  });
});
