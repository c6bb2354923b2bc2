import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { startReverseProxy } from '../support/reverse-proxy.ts';

const PATH = '/runlog';

let browser: Browser;
let page: Page;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
});
afterEach(async () => {
  await page?.close();
});

async function open(url: string): Promise<void> {
  page = await browser.newPage();
  page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
  await page.goto(url);
}

const event = (slot: string) => ({
  eventType: 'SEED_PRUNED',
  data: { slot_id: slot, reason: 'x' },
  receivedAtMs: Date.now(),
});

describe('behind a proxy that serves the gateway under a path', () => {
  it('the page loads, lists runs and streams live, and never asks above the path', async () => {
    await using gateway = await startMadeUpGateway();
    await using proxy = await startReverseProxy({ upstream: gateway.url, path: PATH, passesHost: true });
    gateway.append('c1/resnet-a/default', [event('r0c1')]);
    gateway.append('c2/vit/b', [event('r9c9')]);
    await open(`${proxy.origin}${PATH}/#c1/resnet-a/default`);
    await page.getByText('r0c1').first().waitFor();
    await page.getByText('connected').waitFor();
    await page.getByRole('link', { name: /2 runs/ }).click();
    await page.getByRole('link', { name: /vit/ }).click();
    await page.getByText('r9c9').first().waitFor();
    gateway.append('c2/vit/b', [event('r7c7')]);
    await page.getByText('r7c7').first().waitFor();
    expect(new URL(page.url()).pathname).toBe(`${PATH}/`);
    expect(proxy.asked).toContain(`${PATH}/v1/stream`);
    expect(proxy.asked.filter((target) => !target.startsWith(`${PATH}/`))).toEqual([]);
  });

  it('the links of /docs and the address of the API hold', async () => {
    await using gateway = await startMadeUpGateway();
    await using proxy = await startReverseProxy({ upstream: gateway.url, path: PATH, passesHost: true });
    for (const address of ['/docs', '/docs/']) {
      await open(`${proxy.origin}${PATH}${address}`);
      await page.getByRole('link', { name: 'openapi.json' }).click();
      await page.waitForURL(`${proxy.origin}${PATH}/openapi.json`);
      const { servers } = JSON.parse((await page.locator('pre').textContent()) ?? '') as {
        servers: [{ url: string }];
      };
      expect(new URL(servers[0].url, page.url()).href).toBe(`${proxy.origin}${PATH}/`);
      await page.close();
    }
    expect(proxy.asked.filter((target) => !target.startsWith(`${PATH}/`))).toEqual([]);
  });

  it('that does not pass Host on, the page says why it is refused and what to set, and then works', async () => {
    await using refusing = await startMadeUpGateway();
    await using proxy = await startReverseProxy({ upstream: refusing.url, path: PATH, passesHost: false });
    await open(`${proxy.origin}${PATH}/`);
    const told = page.getByRole('alert').filter({ hasText: 'RUNLOG_ALLOWED_ORIGINS' });
    await told.filter({ hasText: `pages of ${proxy.origin} may not read` }).waitFor();
    await page.close();

    // The origin holds the port of the proxy, which is known only once the gateway is there.
    const allowedOrigins: string[] = [];
    await using gateway = await startMadeUpGateway({ allowedOrigins });
    await using other = await startReverseProxy({ upstream: gateway.url, path: PATH, passesHost: false });
    allowedOrigins.push(other.origin);
    gateway.append('c1/resnet-a/default', [event('r0c1')]);
    await open(`${other.origin}${PATH}/#c1/resnet-a/default`);
    await page.getByText('r0c1').first().waitFor();
    await page.getByText('connected').waitFor();
  });
});
