import type { Browser } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findFirefox, launchFirefox } from '../support/firefox.ts';
import { pageTests } from '../support/page-tests.ts';
import { pageViews, SHOWN_RUN, shownRuns } from '../support/page-views.ts';

const executable = await findFirefox();

if (executable === null) {
  it('this machine has no Firefox, which is said', () => {
    process.stdout.write(
      'not tested in Firefox: RUNLOG_FIREFOX names none, and no firefox or firefox-esr is on the path\n',
    );
    expect(process.env.RUNLOG_FIREFOX).toBeUndefined();
  });
} else {
  describe('in Firefox', () => inFirefox(() => launchFirefox(executable)));
}

function inFirefox(launch: () => Promise<Browser>): void {
  const { open } = pageTests(launch);
  const runs = shownRuns();

  it('every view is there', async () => {
    const page = await open(runs.gateway.url);
    for (const { hash, isThere } of pageViews) {
      await page.goto(`${runs.gateway.url}/${hash}`);
      await page.locator(isThere).first().waitFor();
      expect(await page.locator('h1').count(), hash).toBe(1);
    }
  });

  it('a run is live, takes keys, and filters its log', async () => {
    const page = await open(`${runs.gateway.url}/#${SHOWN_RUN}`);
    await page.locator('.line-event').first().waitFor();
    runs.gateway.append(SHOWN_RUN, [
      { eventType: 'RUN_WARNED', message: 'seen in Firefox', receivedAtMs: Date.now() },
    ]);
    await page.locator('.line').filter({ hasText: 'seen in Firefox' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('5');
    await page.getByRole('tab', { name: 'Proof', selected: true }).waitFor();
    await page.goto(`${runs.gateway.url}/#${SHOWN_RUN}?log=type:gate`);
    await page.locator('.line').filter({ hasText: 'seen in Firefox' }).waitFor({ state: 'detached' });
    await page.locator('.line-event').first().waitFor();
  });
}
