import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-ports.ts';
import { pageTests, WHILE_AWAY } from '../../support/page-tests.ts';

const KEY = 'c1/resnet-a/default';
const OTHER = 'c1/vit-b/default';
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

const { open } = pageTests();

const header = (page: Page) => page.getByRole('region', { name: 'Run', exact: true });
const heading = (page: Page) => page.getByRole('heading', { level: 1 });
const now = () => ({ receivedAtMs: Date.now() });

describe('fault 3: a page that is behind does not say that it is live', () => {
  it('it says how far behind what it draws is, and that much is too much', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [now()]);
    gateway.append(OTHER, [{ receivedAtMs: Date.now() - 7_000 }]);
    await using page = await open(`${gateway.url}/#${KEY}`);
    await heading(page).waitFor();
    const behind = () => page.getByRole('status').filter({ hasText: 's behind' });
    await expect
      .poll(async () => {
        gateway.append(KEY, [now()]);
        return (await behind().allTextContents()).join();
      })
      .toMatch(/connected · 0\.\d+ s behind/);
    await page.goto(`${gateway.url}/#${OTHER}`);
    await expect
      .poll(async () => {
        gateway.append(OTHER, [{ receivedAtMs: Date.now() - 7_000 }]);
        return (await behind().allTextContents()).join();
      })
      .toMatch(/ 7\.\d s behind/);
    expect(await page.getByText('LIVE', { exact: true }).count()).toBe(0);
  });

  it('one that drew nothing for seconds starts over from what is now, with a row for what it skipped', async () => {
    // Nobody can read the history, so nothing fills the hole. It is larger than what the client fetches by itself.
    await using gateway = await startMadeUpGateway({ history: null });
    gateway.append(KEY, [now()]);
    let acknowledged = 0;
    const countAcknowledgements = async (page: Page) => {
      page.on('websocket', (socket) =>
        socket.on('framesent', ({ payload }) => {
          if (payload.includes('"ack"')) acknowledged += 1;
        }),
      );
    };
    await using page = await open(`${gateway.url}/#${KEY}`, {
      allows: /status of 503/,
      before: countAcknowledgements,
    });
    await heading(page).waitFor();
    await expect.poll(() => acknowledged).toBeGreaterThan(0);
    const appendMany = (events: number) =>
      gateway.append(
        KEY,
        Array.from({ length: events }, () => ({ eventType: 'SEED_STAGE_CHANGED', ...now() })),
      );
    const flow = setInterval(() => appendMany(40), 20);
    // By then the gateway has waited long enough, and sends nothing.
    const flood = setTimeout(() => appendMany(6_000), 3_000);
    try {
      await page.evaluate(() => {
        const endMs = performance.now() + 4_000;
        while (performance.now() < endMs);
      });
    } finally {
      clearInterval(flow);
      clearTimeout(flood);
    }
    // It is of a second of its own, or it would be one of the many of its second.
    const receivedAtMs = Date.now() + 2_000;
    gateway.append(KEY, [{ eventType: 'SEED_PRUNED', data: { slot_id: 'r9c9' }, receivedAtMs }]);
    await page.getByText('r9c9').first().waitFor();
    await page
      .getByText(/\d events? (not shown|missing|skipped|left out)|(skipped|left out)/)
      .first()
      .waitFor();
  });
});

describe('fault 6: the word for a run comes from evidence', () => {
  it.each([
    [{ everyMs: 25 * SECOND, silentMs: 42 * SECOND }, 'running', /last event 4\d s ago · usually every 25 s/],
    [{ everyMs: 100 * SECOND, silentMs: 240 * SECOND }, 'running', /last event 4 m ago · usually every 2 m/],
    [{ everyMs: 1 * SECOND, silentMs: 90 * SECOND }, 'quiet', /2 m, usually every 1\.0 s/],
  ])('a run with %j is %s', async ({ everyMs, silentMs }, word, evidence) => {
    await using gateway = await startMadeUpGateway();
    const lastMs = Date.now() - silentMs;
    const events = Array.from({ length: 20 }, (_, at) => ({ receivedAtMs: lastMs - (19 - at) * everyMs }));
    for (const event of events) gateway.append(KEY, [event]);
    await using page = await open(`${gateway.url}/#${KEY}`);
    await header(page).getByText(evidence).waitFor();
    await header(page).getByText(word).first().waitFor();
    expect(await page.locator('body').innerText()).not.toMatch(/STALE|SLOW/);
  });

  it('a run that sent heartbeats and is silent has lost contact', async () => {
    await using gateway = await startMadeUpGateway();
    const receivedAtMs = Date.now() - 90 * SECOND;
    gateway.append(KEY, [{ receivedAtMs }, { eventType: 'RUN_HEARTBEAT', receivedAtMs }]);
    await using page = await open(`${gateway.url}/#${KEY}`);
    await header(page).getByText('lost contact').waitFor();
    await header(page).getByText('no heartbeat either').waitFor();
  });

  it('while nobody answers, what is shown is unknown since then, in the run and in the table', async () => {
    for (const address of [`#${KEY}`, '#']) {
      const port = await freePort();
      const first = await startMadeUpGateway({ port });
      first.append(KEY, [now()]);
      const { runs } = first;
      await using page = await open(`${first.url}/${address}`, { allows: WHILE_AWAY });
      await page.getByText('running').first().waitFor();
      await first[Symbol.asyncDispose]();
      const since = /unknown since \d\d:\d\d/;
      // The table has the word and the time in two columns, and both in the title.
      await page.getByText(since).or(page.getByTitle(since)).first().waitFor();
      await page.getByText(/trying again in \d+ s/).waitFor();
      await using _second = await startMadeUpGateway({ runs, port });
      await page.getByText('running').first().waitFor();
      await page.getByText(/connected/).waitFor();
      await expect.poll(() => page.getByText('unknown').count()).toBe(0);
    }
  });
});

describe('fault 11: the clock of the viewer decides nothing', () => {
  it.each([
    ['an hour slow', -HOUR],
    ['a day fast', 24 * HOUR],
  ])('it may be %s', async (_, offMs) => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [now()]);
    await using page = await open(`${gateway.url}/#${KEY}`, { before: (it) => clockThatJumps(it, offMs) });
    await header(page)
      .getByText(/last event \d+(\.\d+)? s ago/)
      .waitFor();
    await header(page).getByText('running').waitFor();
  });

  it('it may jump while somebody looks on: a quiet run does not come to life', async () => {
    await using gateway = await startMadeUpGateway();
    const receivedAtMs = Date.now() - 2 * HOUR;
    gateway.append(KEY, [{ receivedAtMs }]);
    await using page = await open(`${gateway.url}/#${KEY}`, { before: (it) => clockThatJumps(it, 0) });
    await header(page).getByText('quiet').waitFor();
    for (const [at, offMs] of [-2 * HOUR, -200 * HOUR, 200 * HOUR].entries()) {
      await page.evaluate((ms) => Object.assign(globalThis, { clockIsOffMs: ms }), offMs);
      // What came two hours ago and is shown only now has the whole view drawn again.
      gateway.append(KEY, [{ eventType: 'SEED_PRUNED', data: { slot_id: `r${at}c9` }, receivedAtMs }]);
      await page.getByText(`r${at}c9`).first().waitFor();
      expect(await header(page).innerText()).toMatch(/quiet\s+2 h/);
    }
  });
});

/** Makes the wall clock of a page wrong, by as much as `clockIsOffMs` says at the time. */
function clockThatJumps(page: Page, offMs: number): Promise<unknown> {
  return page.addInitScript((ms) => {
    const RealDate = Date;
    const off = globalThis as unknown as { clockIsOffMs: number };
    off.clockIsOffMs = ms;
    globalThis.Date = class extends RealDate {
      constructor(...parts: ConstructorParameters<typeof RealDate> | []) {
        if (parts.length === 0) super(RealDate.now() + off.clockIsOffMs);
        else super(...parts);
      }
      static override now = () => RealDate.now() + off.clockIsOffMs;
    } as DateConstructor;
  }, offMs);
}
