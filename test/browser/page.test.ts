import { type MadeUpGateway, startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { freePort } from '../support/free-ports.ts';

const KEY = 'c1/resnet-a/default';

let browser: Browser;
let page: Page;
let faults: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
});

afterEach(async () => {
  await page?.close();
  expect(faults).toEqual([]);
});

async function open(url: string): Promise<void> {
  faults = [];
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    const isOfOutage = /WebSocket connection|net::ERR_|status of 503/.test(message.text());
    if (message.type() === 'error' && !isOfOutage) faults.push(`${message.text()} ${message.location().url}`);
  });
  await page.goto(url);
}

const lifecycle = (nowMs: number): MadeUpEvent[] => [
  { eventType: 'TRAINING_STARTED', receivedAtMs: nowMs },
  {
    eventType: 'SEED_GERMINATED',
    data: { slot_id: 'r0c1', blueprint_id: 'depthwise_conv' },
    receivedAtMs: nowMs,
  },
  { eventType: 'EPOCH_COMPLETED', data: { env_id: 0 }, receivedAtMs: nowMs },
  { eventType: 'EPOCH_COMPLETED', data: { env_id: 1 }, receivedAtMs: nowMs },
  { eventType: 'SEED_FOSSILIZED', data: { slot_id: 'r0c1', improvement: 2.34 }, receivedAtMs: nowMs },
];

const lines = () => page.locator('.line .text').allTextContents();
const append = (gateway: MadeUpGateway, events: MadeUpEvent[], key = KEY) => gateway.append(key, events);

describe('the page', () => {
  it('streams the selected run: individual events one by one, the others rolled up in place', async () => {
    await using gateway = await startMadeUpGateway();
    const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
    append(gateway, lifecycle(nowMs));
    await open(`${gateway.url}/#${KEY}`);
    await page.getByText('FOSS +2.3%').waitFor();
    await expect
      .poll(lines)
      .toEqual([
        expect.stringContaining('▶ TRAINING STARTED'),
        expect.stringContaining('r0c1 GERM depthwise'),
        'EPOCH ×2',
        expect.stringContaining('r0c1 FOSS +2.3%'),
      ]);
    append(gateway, [{ data: { env_id: 2 }, receivedAtMs: nowMs }]);
    await page.getByText('EPOCH ×3').waitFor();
    expect(await lines()).toHaveLength(4);
    await expect.poll(() => page.locator('.line').nth(2).locator('.envs').textContent()).toBe('0 1 2');
    await expect.poll(() => page.locator('.log-head h2').textContent()).toMatch(/^EVENTS 6 \(/);
  });

  it('says why a run failed, its attempt, and that its beginning is missing only if something proves it', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway, lifecycle(Date.now()));
    await open(`${gateway.url}/#${KEY}`);
    await page.getByText('FOSS +2.3%').waitFor();
    expect(await page.locator('.tag').allTextContents()).not.toContain('beginning not kept');
    append(gateway, [
      { eventType: 'TRAINING_STARTED', data: { start_episode: 120 }, receivedAtMs: Date.now() },
      { eventType: 'RUN_FAILED', data: { reason: 'loss is NaN' }, receivedAtMs: Date.now() },
    ]);
    await page.locator('.reason-failed').filter({ hasText: 'loss is NaN' }).waitFor();
    expect(await page.locator('.tag').allTextContents()).toEqual(
      expect.arrayContaining(['attempt 2', 'beginning not kept']),
    );
    expect(await page.getByText('beginning not kept').getAttribute('title')).toBe(
      'the run resumed from an episode that is not there',
    );
  });

  it('opens another run by its link, and goes back by the address', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway, [{ receivedAtMs: Date.now() }]);
    append(gateway, [{ eventType: 'SEED_PRUNED', data: { slot_id: 'r9c9', reason: 'x' } }], 'c2/vit/b');
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.head h1').filter({ hasText: 'resnet-a' }).waitFor();
    await page.getByRole('link', { name: /2 runs/ }).click();
    await page.getByRole('link', { name: /vit/ }).click();
    await page.getByText('r9c9').waitFor();
    await expect.poll(() => new URL(page.url()).hash).toBe('#c2/vit/b');
    await page.goBack();
    await page.goBack();
    await page.locator('.head h1').filter({ hasText: 'resnet-a' }).waitFor();
    await expect.poll(() => gateway.hub.load.subscriptions).toBe(1);
  });

  it('says that the connection is lost, and continues without losing a line when the gateway is back', async () => {
    const port = await freePort();
    const first = await startMadeUpGateway({ port });
    const { runs } = first;
    append(first, lifecycle(Date.now()));
    await open(`${first.url}/#${KEY}`);
    await page.getByText('FOSS +2.3%').waitFor();
    await first[Symbol.asyncDispose]();
    await page.getByText('connection lost').waitFor();
    runs.append(KEY, [{ eventType: 'SEED_PRUNED', data: { slot_id: 'r7c7', reason: 'x' } }]);
    await using second = await startMadeUpGateway({ runs, port });
    await page.getByText('r7c7').waitFor();
    append(second, [{ eventType: 'SEED_PRUNED', data: { slot_id: 'r8c8', reason: 'x' } }]);
    await page.getByText('r8c8').waitFor();
    await page.getByText('connected').waitFor();
    // There are two epochs of one second, two seeds, a start, and two later events.
    await expect.poll(async () => (await lines()).length).toBeGreaterThanOrEqual(6);
  });

  it('says that events are missing if the gateway cannot read them', async () => {
    const port = await freePort();
    const nowMs = Date.now();
    const first = await startMadeUpGateway({ port });
    const { runs } = first;
    append(first, lifecycle(nowMs));
    await open(`${first.url}/#${KEY}`);
    await page.getByText('FOSS +2.3%').waitFor();
    await first[Symbol.asyncDispose]();
    runs.append(
      KEY,
      Array.from({ length: 6_000 }, () => ({ receivedAtMs: nowMs })),
    );
    await using _second = await startMadeUpGateway({ runs, port });
    await page.getByText('events not shown').waitFor();
  });

  it('keeps up with 1,000 events a second: it bounds the rows, shows the newest, and has no long stalls', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway, [{ receivedAtMs: Date.now() }]);
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.line').first().waitFor();
    const types = ['EPOCH_COMPLETED', 'SEED_STAGE_CHANGED', 'REWARD_COMPUTED', 'SEED_GERMINATED'];
    let sent = 1;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const events = Array.from({ length: 20 }, (_, at) => ({
          eventType: types[at % types.length] as string,
          receivedAtMs: Date.now(),
          data: { slot_id: `r${at}c0` },
        }));
        append(gateway, events);
        sent += events.length;
        if (sent < 3_000) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
    append(gateway, [
      { eventType: 'SEED_PRUNED', data: { slot_id: 'last', reason: 'x' }, receivedAtMs: Date.now() },
    ]);
    await page.getByText('last PRUNE x').waitFor();
    expect(await page.locator('.line').count()).toBeLessThanOrEqual(300);
    await expect
      .poll(() => page.locator('.log-head h2').textContent())
      .toContain(`EVENTS ${(sent + 1).toLocaleString('en')} `);
    // The end is in view, so the log follows.
    const isAtEnd = () =>
      page.locator('.lines').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight < 2);
    await expect.poll(isAtEnd).toBe(true);
  });
});
