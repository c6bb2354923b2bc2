import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { describe, expect, it } from 'vitest';
import { pageTests } from '../../support/page-tests.ts';
import { logOf, rowOf, rowTextsInView } from '../../support/shown-log.ts';

const KEY = 'c1/run-7/default';
const { open } = pageTests();

/** Seventy-one runs; one of them has a log that is longer than any window. */
async function manyRuns() {
  const gateway = await startMadeUpGateway();
  const nowMs = Date.now();
  for (let run = 0; run < 71; run += 1)
    gateway.append(`c1/run-${run}/default`, [{ eventType: 'RUN_FINISHED', receivedAtMs: nowMs - 200_000 }]);
  const events = Array.from({ length: 150 }, (_, at) => ({
    eventType: 'NOTE',
    message: `note-${at + 1}.`,
    receivedAtMs: nowMs - (149 - at) * 1_000,
  }));
  gateway.append(KEY, events);
  return gateway;
}

describe('fault 15: beside 71 runs', () => {
  it('a key is in the log after few steps, from the table and from the address', async () => {
    await using gateway = await manyRuns();
    await using page = await open(gateway.url);
    const steps = async (isThere: () => Promise<boolean>) => {
      let taken = 0;
      for (; taken < 80 && !(await isThere()); taken += 1) await page.keyboard.press('Tab');
      return taken;
    };
    const table = page.getByRole('grid', { name: 'Runs' });
    const link = table.getByRole('link', { name: KEY });
    await link.waitFor();
    const isFocused = (element: typeof table) =>
      element.evaluate((node) => node === document.activeElement, undefined, { timeout: 5_000 });
    expect(await steps(() => isFocused(table))).toBeLessThan(16);
    await link.click();
    await rowOf(page, 'note-150.').waitFor();
    expect(await steps(() => isFocused(logOf(page)))).toBeLessThan(12);
  });

  it('at 200 % zoom twelve events can be read, also of a run that failed', async () => {
    await using gateway = await manyRuns();
    // A window of 1,280 x 800.
    const context = { viewport: { width: 640, height: 400 } };
    await using page = await open(`${gateway.url}/#${KEY}`, { context });
    const inView = async () => (await rowTextsInView(page)).filter((row) => /note-\d+\./.test(row)).length;
    await expect.poll(inView).toBeGreaterThanOrEqual(12);
    gateway.append(KEY, [
      { eventType: 'RUN_FAILED', data: { reason: 'loss is NaN '.repeat(40) }, receivedAtMs: Date.now() },
    ]);
    await page.getByRole('region', { name: 'Run', exact: true }).getByText('loss is NaN').waitFor();
    await rowOf(page, 'FAILED').waitFor();
    expect(await inView()).toBeGreaterThanOrEqual(11);
  });
});
