import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpKeys } from '@runlog/gateway/made-up/made-up-keys';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

describe('the page when keys are required', () => {
  it('asks for a key, says if it is not valid, shows its runs, and asks again when it is revoked', async () => {
    const keys = new MadeUpKeys({ ops: { role: 'view', runs: ['c1/*'] } });
    await using gateway = await startMadeUpGateway({ keys });
    gateway.append('c1/shown/default', [{ receivedAtMs: Date.now() }]);
    gateway.append('c2/hidden/default', [{ receivedAtMs: Date.now() }]);
    const page = await browser.newPage();
    page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
    await page.goto(gateway.url);
    const enter = async (key: string) => {
      await page.getByLabel(/key/).fill(key);
      await page.getByRole('button', { name: 'Show runs' }).click();
    };
    await page.getByText('shows runs to holders of a key').waitFor();
    await enter('nonsense');
    await page.getByText('This key is not valid').waitFor();
    await enter('ops');
    await page.getByRole('link', { name: /shown/ }).waitFor();
    expect(await page.getByText('hidden').count()).toBe(0);
    await page.reload();
    await page.getByRole('link', { name: /shown/ }).waitFor();
    keys.set({});
    await page.getByText('was revoked').waitFor();
    await expect.poll(() => page.evaluate('sessionStorage.length')).toBe(0);
    expect(page.url()).not.toContain('ops');
    await page.close();
  });
});
