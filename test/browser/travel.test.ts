import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { type OpenOptions, pageTests } from '../support/page-tests.ts';
import { startPastGateway } from '../support/past-gateway.ts';

const KEY = 'c1/resnet-a/default';
const NOW_MS = Date.now();
const EVENTS = 60;

const tests = pageTests();
let page: Page;

/** So many events, the first one so long ago: seeds that germinate, one a second unless said otherwise. */
function seeds(of: { count?: number; fromMs?: number; everyMs?: number } = {}): MadeUpEvent[] {
  const { count = EVENTS, fromMs = NOW_MS - 300_000, everyMs = 1_000 } = of;
  return Array.from({ length: count }, (_, at) => ({
    eventType: 'SEED_GERMINATED',
    data: { slot_id: `r0c${at % 4}`, blueprint_id: `bp-${at + 1}` },
    receivedAtMs: fromMs + at * everyMs,
  }));
}

async function open(url: string, options?: OpenOptions): Promise<Page> {
  page = await tests.open(url, options);
  return page;
}

const band = () => page.locator('.travel-band');
const hash = () => page.evaluate('location.hash') as Promise<string>;
const at = async () => Number(/[?&]at=(\d+)/.exec(await hash())?.[1] ?? Number.NaN);
/** A figure of the header by its name. */
const figure = (name: string) =>
  page
    .locator('.fact')
    .filter({ has: page.getByText(name, { exact: true }) })
    .locator('dd')
    .textContent();
/** The newest row of the log. */
const newest = async () => (await page.locator('.line-event').allTextContents()).at(-1) ?? '';

describe('travelling through a run', () => {
  it('shows everything as of the event of the address, and is live again at once', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds());
    await using _ = await open(`${gateway.url}/#${KEY}?at=20`);
    await band().getByText('NOT LIVE').waitFor();
    await expect.poll(() => band().textContent()).toMatch(/as of event 20, .*\d\d:\d\d:\d\d.*, 5 m ago/);
    await expect.poll(() => figure('germ')).toBe('20');
    expect(await figure('ev/s')).toBe('–');
    await expect.poll(newest).toMatch(/bp-20/);
    expect(await page.locator('.run-title .standing').textContent()).toBe('● running then');
    // What comes meanwhile is not shown, but is there when it is live again.
    gateway.append(KEY, seeds({ count: 1, fromMs: Date.now() }));
    expect(await newest()).toMatch(/bp-20/);
    await page.keyboard.press('Escape');
    await expect.poll(() => figure('germ')).toBe('61');
    expect(await band().count()).toBe(0);
    await expect.poll(newest).toMatch(/bp-1\b/);
    expect(await hash()).toBe(`#${KEY}`);
  });

  it('leaves the present with the keys of the strip, and comes back with the back button', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds());
    await using _ = await open(`${gateway.url}/#${KEY}`);
    await page.locator('.strip-box').focus();
    await page.keyboard.press('Home');
    await expect.poll(() => figure('germ')).toBe('1');
    expect(await at()).toBe(1);
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => figure('germ')).toBe('2');
    await page.goBack();
    await expect.poll(() => figure('germ')).toBe('60');
    expect(await band().count()).toBe(0);
    await page.goForward();
    await expect.poll(() => figure('germ')).toBe('2');
    await page.locator('.strip-box').focus();
    await page.keyboard.press('End');
    await band().waitFor({ state: 'detached' });
  });

  it('goes to the selected event with t, and without one asks for an event or a time', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds());
    await using _ = await open(`${gateway.url}/#${KEY}`);
    await page.locator('.line-event').first().waitFor();
    await page.keyboard.press('t');
    await page.locator('.travel-box input').fill('12');
    await page.getByText('↵ event 12').waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => figure('germ')).toBe('12');
    expect(await at()).toBe(12);
    await page.keyboard.press('t');
    const clock = new Date(NOW_MS - 300_000 + 29_000).toISOString().slice(11, 19);
    await page.locator('.travel-box input').fill(clock);
    await page.keyboard.press('Enter');
    // The clock of the box has whole seconds, so it is the first event of that second or the one after it.
    await expect.poll(at).toBeGreaterThanOrEqual(29);
    expect(await at()).toBeLessThanOrEqual(30);
    await page.keyboard.press('t');
    await page.locator('.travel-box input').fill('elsewhere');
    await page.keyboard.press('Enter');
    await page.getByText('that is neither').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.travel-box[open]').count()).toBe(0);
    await page.keyboard.press('Escape');
    await band().waitFor({ state: 'detached' });
    await page.locator('.line-event').filter({ hasText: 'bp-58' }).click();
    await page.keyboard.press('t');
    await expect.poll(() => figure('germ')).toBe('58');
  });

  it('asks again when t is pressed in the moment in which the box closes', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds());
    await using _ = await open(`${gateway.url}/#${KEY}`);
    await page.locator('.line-event').first().waitFor();
    for (const way of ['Escape', 'Enter']) {
      await page.keyboard.press('t');
      await page.locator('.travel-box input').fill('12');
      // The key comes as soon as the box is empty: before a frame is drawn, and before the browser says in a task of
      // its own that the dialog was closed.
      await page.evaluate(`(() => {
        const box = document.querySelector('.travel-box');
        window.pressed = new Promise((resolve) => {
          new MutationObserver((_, observer) => {
            if (box.querySelector('form') !== null) return;
            observer.disconnect();
            box.addEventListener('close', () => resolve('closed'), { once: true });
            window.dispatchEvent(new KeyboardEvent('keydown', { key: 't', bubbles: true }));
          }).observe(box, { childList: true });
        });
      })()`);
      await page.keyboard.press(way);
      expect(await page.evaluate('window.pressed')).toBe('closed');
      await page.locator('.travel-box[open] input').waitFor();
      await page.keyboard.press('Escape');
      await page.locator('.travel-box[open]').waitFor({ state: 'detached' });
    }
  });

  it('plays the log at 1x and 10x by the events’ own times, and stops', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds({ count: 400, everyMs: 100 }));
    await using _ = await open(`${gateway.url}/#${KEY}?at=10`);
    await expect.poll(() => figure('germ')).toBe('10');
    await page.keyboard.press('p');
    await band().getByText('playing 1x').waitFor();
    await expect.poll(newest).toMatch(/bp-1[3-9]|bp-2\d/);
    await page.keyboard.press('p');
    await band().getByText('playing 10x').waitFor();
    await expect.poll(at).toBeGreaterThan(60);
    await expect.poll(async () => Number(await figure('germ'))).toBeGreaterThan(60);
    await page.keyboard.press('p');
    await band().getByText('play 1x').waitFor();
    const stopped = await at();
    await expect.poll(() => figure('germ')).toBe(String(stopped));
    await expect.poll(newest).toMatch(new RegExp(`bp-${stopped}\\b`));
    expect(stopped).toBeLessThan(400);
    // States are asked for about once a second, however many events are played.
    expect(gateway.askedStates.length).toBeLessThan(20);
  });

  it('shortens a long pause and says so, and is live once it has come to the present', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, [
      ...seeds({ count: 10, everyMs: 10 }),
      ...seeds({ count: 2, fromMs: NOW_MS - 60_000, everyMs: 10 }),
    ]);
    await using _ = await open(`${gateway.url}/#${KEY}?at=9`);
    await expect.poll(() => figure('germ')).toBe('9');
    await page.keyboard.press('p');
    await band().getByText('a pause of 4 m, shortened').waitFor();
    await band().waitFor({ state: 'detached' });
    expect(await figure('germ')).toBe('12');
    expect(await hash()).toBe(`#${KEY}`);
  });

  it('says in one sentence why a state cannot be shown, and asks again', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds());
    gateway.setPast({ kind: 'too_far', seq: 5 });
    await using _ = await open(`${gateway.url}/#${KEY}?at=20`, { allows: /status of (503|410) .*\?at=/ });
    await band().getByText('5 s were not enough to count the run up to this event.').waitFor();
    expect(await figure('germ')).toBe('–');
    await page.locator('.run-title h1').filter({ hasText: 'resnet-a' }).waitFor();
    gateway.setPast(null);
    await band().getByRole('button', { name: 'go on from there' }).click();
    await expect.poll(() => figure('germ')).toBe('20');
    gateway.setPast({ kind: 'gone' });
    await page.locator('.strip-box').focus();
    await page.keyboard.press('Home');
    await band().getByText('The log no longer holds the beginning of this run').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => figure('germ')).toBe('60');
  });

  it('says of an event that the run has not reached that there is none, and shows it when it comes', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds({ count: 3 }));
    await using _ = await open(`${gateway.url}/#${KEY}?at=5`);
    await band().getByText('This run has no event 5 yet: its newest is 3.').waitFor();
    expect(await figure('germ')).toBe('–');
    gateway.append(KEY, seeds({ count: 3, fromMs: Date.now() }));
    await expect.poll(() => figure('germ')).toBe('5');
    await expect.poll(newest).toMatch(/bp-2\b/);
    await page.evaluate((key) => {
      location.hash = `#${key}?event=900`;
    }, KEY);
    await page.getByText('Seq 900 has not come yet.').waitFor();
    await page.getByRole('button', { name: 'Forget it' }).click();
    await page.locator('.charts').waitFor();
    expect(await hash()).toBe(`#${KEY}`);
  });

  it('is not left with a past that is gone when the run is deleted and begins anew', async () => {
    await using gateway = await startPastGateway();
    gateway.append(KEY, seeds());
    await using _ = await open(`${gateway.url}/#${KEY}?at=20`, { allows: /status of 404 .*\?at=20/ });
    await expect.poll(() => figure('germ')).toBe('20');
    gateway.retire(KEY);
    await page.getByText('was deleted while it was shown').waitFor();
    gateway.append(KEY, seeds({ count: 3, fromMs: Date.now() }));
    await band().getByText('The run begins after event 20.').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => figure('germ')).toBe('3');
  });
});
