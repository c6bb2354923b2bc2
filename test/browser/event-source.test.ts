import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpKeys } from '@runlog/gateway/made-up/made-up-keys';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';

const A = 'c1/a/default';
const B = 'c1/b/default';

let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await launchChromium();
  page = await browser.newPage();
  page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
});
afterAll(async () => {
  await browser?.close();
});

interface Listening {
  source: EventSource;
  frames: {
    id: number;
    ch: string;
    prev?: number;
    seq?: number;
    snapshot?: object;
    resume?: { prev: number };
  }[];
}

/** Opens an event stream in the page with a token that the page asks for, and keeps its frames in `window.listening`. */
const listen = (channels: readonly string[], key: string) =>
  page.evaluate(
    async ({ channels, key }) => {
      const answer = await fetch('v1/tokens', {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ runs: 'c1/*' }),
      });
      const { token } = (await answer.json()) as { token: string };
      const source = new EventSource(`v1/stream/events?ch=${channels.join(',')}&token=${token}`);
      const listening: Listening = { source, frames: [] };
      source.addEventListener('message', ({ data }) => listening.frames.push(JSON.parse(String(data))));
      Object.assign(window, { listening });
    },
    { channels, key },
  );

const frames = () => page.evaluate(() => (window as unknown as { listening: Listening }).listening.frames);

describe('an EventSource of a browser', () => {
  it('follows several runs by a token, resumes each where it was, and stops when the key is revoked', async () => {
    const keys = new MadeUpKeys({ ops: { role: 'view', runs: ['c1/*'] } });
    // By chance, each client comes back after the shortest time.
    await using gateway = await startMadeUpGateway({ keys, random: () => 0 });
    gateway.append(A, [{}]);
    gateway.append(B, [{}]);
    await page.goto(gateway.url);
    await listen([`run:${A}`, `run:${B}`], 'ops');
    await expect
      .poll(async () => (await frames()).filter(({ snapshot }) => snapshot !== undefined).length)
      .toBe(2);
    gateway.append(A, [{}]);
    // On a slow machine a heartbeat may have come since.
    const newest = async () => (await frames()).filter(({ ch }) => ch === `run:${A}`).at(-1);
    await expect.poll(newest).toMatchObject({ prev: 1, seq: 3 });

    gateway.endStreams();
    gateway.append(B, [{}]);
    gateway.append(A, [{}]);
    await expect
      .poll(async () => (await frames()).filter(({ resume }) => resume !== undefined).length)
      .toBe(2);
    const [ofA, ofB] = (await frames()).filter(({ resume }) => resume !== undefined);
    expect(ofA).toMatchObject({ ch: `run:${A}`, resume: { prev: 3, seq: 5 } });
    expect(ofB).toMatchObject({ ch: `run:${B}`, resume: { prev: 2, seq: 4 } });
    expect((await frames()).filter(({ snapshot }) => snapshot !== undefined)).toHaveLength(2);

    keys.set({});
    const state = () =>
      page.evaluate(() => (window as unknown as { listening: Listening }).listening.source.readyState);
    await expect.poll(state).toBe(2);
    expect(gateway.hub.load.subscriptions).toBe(0);
  });
});
