import { type MadeUpGateway, startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import { formatRunKey, parseRunKey } from '@runlog/schema/run/run-key';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { pageTests } from '../support/page-tests.ts';

const MINUTE_MS = 60_000;

const tests = pageTests();
let page: Page;

async function open(url: string, width = 1_400): Promise<Page> {
  page = await tests.open(url, { context: { viewport: { width, height: 800 } } });
  return page;
}

const key = (name: string, cluster = 'c1') => formatRunKey(parseRunKey(`${cluster}/${name}/default`)!);
const append = (gateway: MadeUpGateway, name: string, events: MadeUpEvent[] = [{}]) =>
  gateway.append(
    name.includes('/') ? name : key(name),
    events.map((event) => ({ receivedAtMs: Date.now(), ...event })),
  );
const finished: MadeUpEvent = { eventType: 'RUN_FINISHED' };
const failed = (reason: string): MadeUpEvent => ({ eventType: 'RUN_FAILED', data: { reason } });

/** A run of each state, and one that is in another cluster. */
function fillWithStates(gateway: MadeUpGateway): void {
  const agoMs = (ms: number) => Date.now() - ms;
  append(gateway, 'ended', [finished]);
  append(gateway, 'broken', [failed('loss is NaN')]);
  append(gateway, 'going');
  append(gateway, 'calm', [{ receivedAtMs: agoMs(2 * MINUTE_MS) }]);
  append(gateway, 'gone', [{ eventType: 'RUN_HEARTBEAT', receivedAtMs: agoMs(2 * MINUTE_MS) }]);
  append(gateway, key('away', 'c2'), [finished]);
}

function fillWithMany(gateway: MadeUpGateway, runs: number): void {
  const nowMs = Date.now();
  for (let run = 0; run < runs; run += 1) {
    const name = run === 3 ? 'needle' : `fleet-run-${String(run).padStart(5, '0')}`;
    append(gateway, name, [{ receivedAtMs: nowMs - 300_000 - run * 10 }]);
  }
}

const names = () => page.locator('.fleet-row .run-name').allTextContents();
const row = (name: string) => page.locator(`.fleet-row[data-key*="/${name}/"]`);
const box = () => page.getByLabel('Filter runs');
const chip = (name: string) => page.locator('.fleet-chips').getByRole('button', { name });
const hash = () => decodeURIComponent(new URL(page.url()).hash);
const head = (name: string) => page.getByRole('columnheader', { name });
/** The name of the row that the keys act on. */
const active = () => page.locator('.fleet-row-active .run-name').textContent();
/** Somewhere that is neither the table nor a part that can be pressed. */
const pointAway = () => page.mouse.move(700, 795);
const settled = () =>
  page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));

describe('the table of runs', () => {
  it('shows what needs somebody first, and why, with true counts of each state', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithStates(gateway);
    await using _ = await open(gateway.url);
    await expect.poll(names).toEqual(['broken', 'gone', 'calm', 'going', 'away', 'ended']);
    const states = await page.locator('.fleet-row .cell-state').allTextContents();
    expect(states.map((text) => text.trim())).toEqual([
      ...['✗ failed', '◌ lost contact', '○ quiet', '● running', '✓ finished', '✓ finished'],
    ]);
    expect(await row('broken').locator('.cell-why.bad').textContent()).toBe('loss is NaN');
    expect(await row('calm').locator('.cell-age').textContent()).toBe('2 m');
    const chips = await page.locator('.fleet-chips button').allInnerTexts();
    expect(chips).toEqual([
      ...[
        'all 6',
        '● running 1',
        '○ quiet 1',
        '◌ lost contact 1',
        '✗ failed 1',
        '✓ finished 2',
        '! missing 0',
      ],
    ]);
    await expect.poll(() => page.title()).toBe('✗ 1 failed · runlog');
    await page.getByText('6 of 6 runs in view').waitFor();
  });

  it('finds runs that it does not draw, on the server', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithMany(gateway, 260);
    await using _ = await open(gateway.url);
    await expect.poll(async () => (await names()).length).toBeGreaterThan(10);
    expect(await names()).not.toContain('nothing');
    await box().fill('NEEDLE');
    await expect.poll(names).toEqual(['needle']);
    await page.getByText('1 of 1 run in view').waitFor();
    await box().fill('nothing like it');
    await page.getByText('None of 260 runs matches the filter.').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await page.getByText('of 260 runs in view').waitFor();
    expect(await box().inputValue()).toBe('');
  });

  it('shows the end of a long name, where it differs, and all of it to a pointer', async () => {
    await using gateway = await startMadeUpGateway();
    const long = 'a-run-with-a-very-long-name-that-goes-on-and-on-and-on';
    for (const end of ['001', '002']) append(gateway, `${long}-${end}`);
    await using _ = await open(gateway.url, 1_100);
    await expect.poll(names).toHaveLength(2);
    for (const end of ['001', '002']) {
      const name = row(`${long}-${end}`).locator('.run-name');
      const [cut, tail] = [name.locator('.name-cut'), name.locator('span').last()];
      expect(await cut.evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)).toBe(true);
      expect((await tail.textContent())?.endsWith(end)).toBe(true);
      expect(await tail.evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1)).toBe(
        false,
      );
      expect(await row(`${long}-${end}`).getByRole('link').getAttribute('title')).toBe(`c1 / ${long}-${end}`);
    }
  });

  it('says with the first run how to begin, and shows it as soon as it is there', async () => {
    await using gateway = await startMadeUpGateway();
    await using _ = await open(gateway.url);
    await page.getByRole('heading', { name: 'No runs yet' }).waitFor();
    append(gateway, 'first');
    await expect.poll(names).toEqual(['first']);
  });
});

describe('the filter', () => {
  it.each([
    ['cluster:c2', ['away']],
    ['state:failed,quiet', ['broken', 'calm']],
    ['state:lost', ['gone']],
    ['events>1', []],
    ['go state:running', ['going']],
  ])('%s finds %j', async (typed, expected) => {
    await using gateway = await startMadeUpGateway();
    fillWithStates(gateway);
    await using _ = await open(gateway.url);
    await expect.poll(names).toHaveLength(6);
    await page.keyboard.press('/');
    await page.keyboard.type(typed);
    await expect.poll(names).toEqual(expected);
    await expect.poll(hash).toBe(`#?q=${typed}`);
  });

  it('says what is wrong in one sentence, and keeps the table as it was', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithStates(gateway);
    await using _ = await open(`${gateway.url}/#?q=${encodeURIComponent('state:failed')}`);
    await expect.poll(names).toEqual(['broken']);
    await box().fill('state:failed accc>80');
    await page.getByText('There is no figure "accc" to compare').waitFor();
    expect(await names()).toEqual(['broken']);
    await page.keyboard.press('Escape');
    await expect.poll(names).toHaveLength(6);
  });

  it('is set by chips, one or several, and leaves the rest as it was typed', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithStates(gateway);
    await using _ = await open(`${gateway.url}/#?q=cluster:c1`);
    await expect.poll(names).toHaveLength(5);
    await chip('failed').click();
    await expect.poll(names).toEqual(['broken']);
    expect(await box().inputValue()).toBe('state:failed cluster:c1');
    expect(await chip('failed').getAttribute('aria-pressed')).toBe('true');
    await chip('finished').click({ modifiers: ['Shift'] });
    await expect.poll(names).toEqual(['broken', 'ended']);
    await chip('all').click();
    await expect.poll(names).toHaveLength(5);
    expect(await box().inputValue()).toBe('cluster:c1');
    await chip('missing').click();
    await page.getByText('None of 6 runs matches the filter.').waitFor();
  });
});

describe('order and groups', () => {
  it('are chosen by the heads and by keys, and stand in the address', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway, 'few', [{}]);
    append(gateway, 'many', [{}, {}, {}]);
    append(gateway, key('some', 'c2'), [{}, {}]);
    await using _ = await open(gateway.url);
    await expect.poll(names).toHaveLength(3);
    expect(await head('state').getAttribute('aria-sort')).toBe('ascending');
    await head('events').getByRole('button').click();
    await expect.poll(names).toEqual(['many', 'some', 'few']);
    expect(await head('events').getAttribute('aria-sort')).toBe('descending');
    await head('events').getByRole('button').click();
    await expect.poll(names).toEqual(['few', 'some', 'many']);
    await expect.poll(hash).toBe('#?sort=events');
    await page.keyboard.press('S');
    await expect.poll(names).toEqual(['many', 'some', 'few']);
    await page.keyboard.press('b');
    await expect.poll(names).toEqual(['many', 'few', 'some']);
    expect(await page.locator('.fleet-group').allInnerTexts()).toEqual(['c1 2 runs', 'c2 1 run']);
    await expect.poll(hash).toBe('#?sort=-events&by=cluster');
    await page.reload();
    await expect.poll(names).toEqual(['many', 'few', 'some']);
    await page.getByLabel('by:').selectOption('state');
    await expect.poll(() => page.locator('.fleet-group').allInnerTexts()).toEqual(['● running 3 runs']);
  });
});

describe('rows', () => {
  it('do not move while the pointer is over them: they wait, and move when it leaves or when somebody wants it', async () => {
    await using gateway = await startMadeUpGateway();
    for (const name of ['a', 'b', 'c']) append(gateway, name);
    await using _ = await open(`${gateway.url}/#?sort=-events`);
    await expect.poll(names).toEqual(['a', 'b', 'c']);
    await row('a').hover();
    append(gateway, 'c', [{}, {}]);
    append(gateway, 'new', [{}, {}, {}, {}, {}]);
    await page.getByRole('button', { name: '2 rows moved' }).waitFor();
    expect(await names()).toEqual(['a', 'b', 'c']);
    expect(await row('c').locator('.cell-events').textContent()).toBe('3');
    await page.getByRole('button', { name: '2 rows moved' }).click();
    await expect.poll(names).toEqual(['new', 'c', 'a', 'b']);
    await row('a').hover();
    append(gateway, 'b', [{}, {}, {}, {}, {}, {}]);
    await page.getByRole('button', { name: '1 row moved' }).waitFor();
    expect(await names()).toEqual(['new', 'c', 'a', 'b']);
    await pointAway();
    await expect.poll(names).toEqual(['b', 'new', 'c', 'a']);
    expect(await page.locator('.fleet-moved').count()).toBe(0);
  });

  it('do not move while one has the focus', async () => {
    await using gateway = await startMadeUpGateway();
    for (const name of ['a', 'b']) append(gateway, name);
    await using _ = await open(`${gateway.url}/#?sort=-events`);
    await expect.poll(names).toEqual(['a', 'b']);
    await page.keyboard.press('j');
    await expect.poll(active).toBe('a');
    append(gateway, 'b', [{}, {}]);
    await page.getByRole('button', { name: '1 row moved' }).waitFor();
    expect(await names()).toEqual(['a', 'b']);
    await page.keyboard.press('u');
    await expect.poll(names).toEqual(['b', 'a']);
    expect(await active()).toBe('a');
  });

  it('are gone along, opened and marked by keys, and compared', async () => {
    await using gateway = await startMadeUpGateway();
    for (const name of ['a', 'b', 'c']) append(gateway, name);
    await using _ = await open(`${gateway.url}/#?sort=run_id`);
    await expect.poll(names).toEqual(['a', 'b', 'c']);
    await page.keyboard.press('c');
    await page.getByText('No run is marked').waitFor();
    for (const [pressed, at] of [
      ['j', 'a'],
      ['j', 'b'],
      ['k', 'a'],
      ['G', 'c'],
      ['g', 'a'],
    ] as const) {
      await page.keyboard.press(pressed);
      await expect.poll(active).toBe(at);
    }
    await page.keyboard.press('x');
    await page.keyboard.press('G');
    await page.keyboard.press('x');
    await page.getByText('2 runs marked').waitFor();
    await expect.poll(hash).toBe('#?sort=run_id&marked=c1/a/default,c1/c/default');
    await row('b').getByRole('checkbox').click({ force: true });
    await page.getByText('3 runs marked').waitFor();
    await row('b').getByRole('checkbox').click({ force: true });
    await page.getByText('2 runs marked').waitFor();
    await page.keyboard.press('c');
    await expect.poll(hash).toBe('#compare?runs=c1/a/default,c1/c/default');
    await page.goBack();
    await page.getByText('2 runs marked').waitFor();
    // The address says which runs are marked before the gateway says which there are.
    await expect.poll(names).toEqual(['a', 'b', 'c']);
    await expect.poll(active).toBe('c');
    await page.keyboard.press('g');
    await expect.poll(active).toBe('a');
    await page.keyboard.press('Enter');
    await page.locator('h1').filter({ hasText: 'a' }).waitFor();
    await expect.poll(hash).toBe('#c1/a/default');
  });

  it('are marked up to fifty', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithMany(gateway, 60);
    const marked = Array.from({ length: 50 }, (_, at) => key(`other-${at}`)).join(',');
    await using _ = await open(`${gateway.url}/#?marked=${marked}`);
    await expect.poll(async () => (await names()).length).toBeGreaterThan(10);
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByText('At most 50 runs can be marked.').waitFor();
  });

  it('are one tab stop', async () => {
    await using gateway = await startMadeUpGateway();
    for (const name of ['a', 'b', 'c']) append(gateway, name);
    await using _ = await open(gateway.url);
    await expect.poll(names).toHaveLength(3);
    const stops = () =>
      page
        .locator('.fleet-table')
        .evaluate(
          (table) =>
            [table, ...table.querySelectorAll<HTMLElement>('a, button, input')].filter(
              ({ tabIndex }) => tabIndex >= 0,
            ).length,
        );
    // The table, and the heads, which ← and → go along.
    expect(await stops()).toBe(2);
  });
});

describe('the address', () => {
  it('has what was typed without a step in the history for each letter, and the way back finds it', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithStates(gateway);
    await using _ = await open(gateway.url);
    await expect.poll(names).toHaveLength(6);
    const steps = await page.evaluate(() => history.length);
    await box().pressSequentially('state:failed');
    await expect.poll(names).toEqual(['broken']);
    await row('broken').getByRole('link').click();
    await page.locator('h1').filter({ hasText: 'broken' }).waitFor();
    expect(await page.evaluate(() => history.length)).toBe(steps + 1);
    await page.goBack();
    await expect.poll(names).toEqual(['broken']);
    expect(await box().inputValue()).toBe('state:failed');
    await row('broken').getByRole('link').click();
    await page.getByRole('link', { name: '‹ filtered runs' }).click();
    await expect.poll(names).toEqual(['broken']);
    expect(await box().inputValue()).toBe('state:failed');
    await page.getByRole('link', { name: 'runlog: all runs' }).click();
    await expect.poll(names).toHaveLength(6);
    expect(await box().inputValue()).toBe('');
  });
});

describe('10,000 runs', () => {
  it('are drawn as they are scrolled to, and filtered as they are typed for', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithMany(gateway, 10_000);
    await using _ = await open(gateway.url);
    await page.getByText('of 10,000 runs in view').waitFor();
    expect(await page.locator('.fleet-row').count()).toBeLessThan(60);
    const scroller = page.locator('.fleet-scroll');
    const high = await scroller.evaluate(({ scrollHeight }) => scrollHeight);
    expect(high).toBeGreaterThanOrEqual(10_000 * 28);
    await page.emulateMedia({ media: 'print' });
    await page.getByText(/^\d+ runs of 10,000$/).waitFor();
    expect(await page.locator('.fleet-row-unknown, .fleet-spacer').count()).toBe(0);
    await page.emulateMedia({ media: 'screen' });
    await expect.poll(() => page.locator('.fleet-row').count()).toBeLessThan(60);
    await page.keyboard.press('G');
    await expect.poll(active).toBe('fleet-run-09999');
    await page.keyboard.press('Enter');
    await page.locator('h1').filter({ hasText: 'fleet-run-09999' }).waitFor();
    await page.goBack();
    await expect.poll(active).toBe('fleet-run-09999');
    await scroller.evaluate((element) => element.scrollTo({ top: 5_000 * 28 }));
    await expect.poll(names).toContain('fleet-run-05000');
    await page.keyboard.press('g');
    await expect.poll(active).toBe('fleet-run-00000');

    const tookMs: number[] = [];
    for (const typed of ['ne', '09', '099', '0999', '09999', '9', '99', '999']) {
      tookMs.push(await filteredMs(typed));
    }
    process.stdout.write(`10,000 runs: keys ${tookMs.map(Math.round).join(' ')} ms\n`);
    // The goal is 50 ms on a machine of its own (npm run bench -- page). On a busy one most keys wait for others; the
    // quickest says what the page takes.
    expect(Math.min(...tookMs)).toBeLessThan(250);
  });
});

/** How long it takes from a change of the filter to a frame with other rows. */
function filteredMs(typed: string): Promise<number> {
  return page.evaluate(
    (text) =>
      new Promise<number>((resolve) => {
        const input = document.querySelector<HTMLInputElement>('.fleet-filter input')!;
        const status = document.querySelector('.fleet-status')!;
        const beganMs = performance.now();
        const observer = new MutationObserver(() => {
          observer.disconnect();
          requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - beganMs)));
        });
        observer.observe(status, { subtree: true, childList: true, characterData: true });
        input.value = text;
        input.dispatchEvent(new InputEvent('input', { bubbles: true }));
      }),
    typed,
  );
}

it('columns that have no room leave theirs to the others', async () => {
  await using gateway = await startMadeUpGateway();
  fillWithMany(gateway, 60);
  await using _ = await open(gateway.url, 700);
  await expect.poll(async () => (await names()).length).toBeGreaterThan(10);
  const missing = (await row('needle').locator('.cell-missing').boundingBox())!;
  expect(missing.x + missing.width).toBeGreaterThan(690);
  expect((await row('needle').locator('.cell-run').boundingBox())!.width).toBeGreaterThan(120);
});

describe('on a phone', () => {
  it('each run is a card as wide as the window, which can be sorted', async () => {
    await using gateway = await startMadeUpGateway();
    fillWithStates(gateway);
    append(gateway, 'many', [{}, {}, {}]);
    await using _ = await open(gateway.url, 380);
    await expect.poll(names).toHaveLength(7);
    const card = (await row('broken').boundingBox())!;
    expect(card.height).toBeGreaterThan(60);
    expect(card.width).toBeLessThanOrEqual(380);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(380);
    const reason = (await row('broken').locator('.cell-why').boundingBox())!;
    expect(reason.x + reason.width).toBeLessThanOrEqual(380);
    await row('broken').getByRole('checkbox').click();
    const compare = (await page.getByRole('button', { name: 'compare' }).boundingBox())!;
    expect(compare.x + compare.width).toBeLessThanOrEqual(380);
    await page.getByLabel('sort:').selectOption('-events');
    await expect.poll(async () => (await names())[0]).toBe('many');
    await settled();
    await row('many').click();
    await page.locator('h1').filter({ hasText: 'many' }).waitFor();
  });
});
