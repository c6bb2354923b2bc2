import { type MadeUpGateway, startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpKeys } from '@runlog/gateway/made-up/made-up-keys';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { freePort } from '../support/free-ports.ts';

const KEY = 'c1/resnet-a/default';

let browser: Browser;
let page: Page;
let faults: string[] = [];
/** The hosts that the page has asked for anything. */
let hosts: Set<string>;

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

async function blank(): Promise<void> {
  faults = [];
  hosts = new Set();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
}
async function open(url: string): Promise<void> {
  await blank();
  await page.goto(url);
}

const append = (gateway: MadeUpGateway, key = KEY) => gateway.append(key, [{ receivedAtMs: Date.now() }]);
const heading = (text: string) => page.getByRole('heading', { name: text, exact: true });
const said = () => page.locator('body').innerText();
const hash = () => new URL(page.url()).hash;

describe('what the page cannot show', () => {
  it.each([
    ['#%', 'No such page'],
    ['#c1/resnet-a', 'No such page'],
    ['#c1/%E0%A4%A/default', 'No such page'],
    [`#c1/${'r'.repeat(65)}/default`, 'No run has such a name'],
    ['#c1/nobody/default', 'No such run yet'],
  ])('%s is said in one sentence, with one way out', async (address, title) => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/${address}`);
    await heading(title).waitFor();
    await page.getByRole('alert').getByRole('link', { name: 'See all runs' }).click();
    await page.getByText('resnet-a').waitFor();
    await page.goBack();
    await heading(title).waitFor();
  });

  it('a run that nobody knows appears with its first event', async () => {
    await using gateway = await startMadeUpGateway();
    await open(`${gateway.url}/#${KEY}`);
    await heading('No such run yet').waitFor();
    append(gateway);
    await page.locator('h1').filter({ hasText: 'resnet-a' }).waitFor();
  });

  it('a run that is deleted while it is shown leaves nothing, and comes back when it begins anew', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{ eventType: 'SEED_PRUNED', data: { slot_id: 'r9c9' }, receivedAtMs: Date.now() }]);
    await open(`${gateway.url}/#${KEY}`);
    await page.getByText('r9c9', { exact: true }).waitFor();
    gateway.retire(KEY);
    await heading('Deleted').waitFor();
    expect(await said()).not.toContain('r9c9');
    append(gateway);
    await page.locator('h1').filter({ hasText: 'resnet-a' }).waitFor();
    expect(await said()).not.toContain('r9c9');
  });

  it('a gateway that does not answer at first is tried again, at once if somebody wants it', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await blank();
    // What the page tries by itself comes to nothing, so that the button cannot go before it is pressed.
    await page.addInitScript("addEventListener('click', () => { window.isWanted = true; }, true)");
    await page.routeWebSocket(/v1\/stream/, async (socket) => {
      if (await page.evaluate('window.isWanted === true')) socket.connectToServer();
      else await socket.close();
    });
    await page.goto(gateway.url);
    await heading('The gateway does not answer').waitFor();
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('resnet-a').waitFor();
  });
});

describe('with keys', () => {
  const withKey = async (gateway: MadeUpGateway, address = '') => {
    await open(gateway.url);
    await page.getByLabel(/Enter yours/).fill('secret');
    await page.getByRole('button', { name: 'Show runs' }).click();
    await page.getByText('connected').waitFor();
    if (address !== '') await page.goto(`${gateway.url}/${address}`);
  };

  it('a run that the key does not show is said to be not for it', async () => {
    const keys = new MadeUpKeys({ secret: { role: 'view', runs: ['c2/*'] } });
    await using gateway = await startMadeUpGateway({ keys });
    append(gateway);
    await withKey(gateway, `#${KEY}`);
    await heading('Not for this key').waitFor();
  });

  it('nothing of the runs stays after the key was revoked', async () => {
    const keys = new MadeUpKeys({ secret: { role: 'view', runs: ['*'] } });
    await using gateway = await startMadeUpGateway({ keys });
    append(gateway);
    for (const address of ['', `#${KEY}`]) {
      keys.set({ secret: { role: 'view', runs: ['*'] } });
      await withKey(gateway, address);
      await page.getByText('resnet-a').first().waitFor();
      keys.set({});
      await page.getByText('was revoked').waitFor();
      // The title follows the page within the next frame.
      await expect.poll(() => page.title()).toBe('runlog');
      expect(await page.content()).not.toContain('resnet-a');
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
      await page.close();
    }
  });
});

describe('the connection', () => {
  it('that is lost counts down to the next attempt, and what is shown is unknown until then', async () => {
    const port = await freePort();
    const first = await startMadeUpGateway({ port });
    const { runs } = first;
    append(first);
    await open(`${first.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    const end = page.locator('.strip-ends');
    await expect.poll(() => end.textContent()).toMatch(/live$/);
    await first[Symbol.asyncDispose]();
    await page.getByText(/connection lost, trying again in \d+ s/).waitFor();
    await page.getByText(/unknown since \d\d:\d\d UTC/).waitFor();
    expect(await page.locator('.state-running').count()).toBe(0);
    await expect.poll(() => end.textContent()).not.toMatch(/live/);
    await using _second = await startMadeUpGateway({ runs, port });
    await page.locator('.state-running').waitFor();
    await page.getByText('connected').waitFor();
  });

  it('that is lost is tried again at once if somebody wants it', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await blank();
    let isCut = false;
    const sockets: { close(): Promise<void> }[] = [];
    await page.routeWebSocket(/v1\/stream/, (socket) => {
      sockets.push(socket);
      if (isCut) void socket.close();
      else socket.connectToServer();
    });
    // Each wait is as long as it can be.
    await page.addInitScript(() => {
      Math.random = () => 0.999;
    });
    await page.goto(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    isCut = true;
    await sockets.at(-1)!.close();
    await page.getByText(/trying again in (?:[89]|1\d) s/).waitFor();
    isCut = false;
    const attempts = sockets.length;
    await page.evaluate(() => document.querySelector<HTMLButtonElement>('.link-state button')?.click());
    await page.getByText('connected').waitFor();
    expect(sockets.length).toBe(attempts + 1);
  });

  it('that reads no log says so, and what is shown is unknown', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    gateway.setStalled(Date.now() - 60_000);
    await page.getByText('the log does not answer').waitFor();
    await page.locator('.state-unknown').waitFor();
    gateway.setStalled(null);
    await page.locator('.state-running').waitFor();
  });

  it('says how far behind the page is', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    const behind = page.getByText(/connected · \d+\.\d+ s behind/);
    await expect
      .poll(async () => {
        append(gateway);
        return behind.count();
      })
      .toBe(1);
    await expect
      .poll(async () => {
        gateway.append(KEY, [{ receivedAtMs: Date.now() - 7_000 }]);
        return page.locator('.link-warn').filter({ hasText: 's behind' }).count();
      })
      .toBe(1);
  });

  it('asks no other host for anything', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    expect([...hosts]).toEqual([new URL(gateway.url).host]);
  });
});

describe('ages', () => {
  it.each([-86_400_000, 86_400_000])(
    'do not follow the clock of the viewer, which is off by %d ms',
    async (ms) => {
      await using gateway = await startMadeUpGateway();
      append(gateway);
      await blank();
      await page.addInitScript((offMs) => {
        const now = Date.now.bind(Date);
        Date.now = () => now() + offMs;
      }, ms);
      await page.goto(`${gateway.url}/#${KEY}`);
      await page.getByText(/last event \d+(\.\d+)? s ago/).waitFor();
      await page.locator('.state-running').waitFor();
    },
  );
});

describe('the page without a run', () => {
  it('names the ingest of this gateway', async () => {
    await using gateway = await startMadeUpGateway({ ingestUrl: 'http://ingest.example:4100' });
    await open(gateway.url);
    await heading('No runs yet').waitFor();
    await page.getByText('curl -sS http://ingest.example:4100/v1/events').waitFor();
    await page.getByText('RUNLOG_INGEST_URL=http://ingest.example:4100 npx runlog simulate').waitFor();
    append(gateway);
    await page.getByText('resnet-a').waitFor();
  });

  it('says where to look if the gateway does not know it', async () => {
    await using gateway = await startMadeUpGateway();
    await open(gateway.url);
    await page.getByText('curl -sS $INGEST/v1/events').waitFor();
    await page.getByText('RUNLOG_INGEST_URL', { exact: true }).waitFor();
  });
});

describe('ways around', () => {
  it('another view is a step back, and its title says what it shows', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [
      { eventType: 'RUN_FAILED', data: { reason: 'loss is NaN' }, receivedAtMs: Date.now() },
    ]);
    await open(gateway.url);
    await page.getByRole('link', { name: /resnet-a/ }).click();
    await expect.poll(() => page.title()).toBe('✗ failed · resnet-a · runlog');
    await page.getByRole('link', { name: '1 run', exact: false }).first().click();
    await expect.poll(() => page.title()).toBe('✗ 1 failed · runlog');
    await page.goBack();
    await expect.poll(() => page.title()).toBe('✗ failed · resnet-a · runlog');
    await page.goForward();
    await expect.poll(() => page.title()).toBe('✗ 1 failed · runlog');
  });

  it('the box goes to a run and to an event', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    append(gateway, 'c2/vit/default');
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('1');
    await page.getByText('↵ event 1').waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(hash).toBe(`#${KEY}?event=1`);
    await page.keyboard.press('/');
    await page.keyboard.type('c2/vit');
    await page.keyboard.press('Enter');
    await page.locator('h1').filter({ hasText: 'vit' }).waitFor();
    await expect.poll(hash).toBe('#c2/vit/default');
  });

  it('the keys are shown by ?, which is a letter while somebody types', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    const sheet = page.getByRole('dialog', { name: 'Keys' });
    await page.keyboard.press('/');
    await page.keyboard.press('?');
    expect(await page.getByLabel('Go to a run').inputValue()).toBe('?');
    expect(await sheet.count()).toBe(0);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await sheet.waitFor();
    await sheet.getByText('pause the log, or follow it again').waitFor();
    await page.keyboard.press('Escape');
    await sheet.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Keys and help' }).click();
    await sheet.waitFor();
    await page.mouse.click(5, 5);
    await sheet.waitFor({ state: 'hidden' });
  });
});

describe('the page in other places', () => {
  it.each(['?embed=1#', '#'])('is the view alone when it is embedded by %s', async (by) => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/${by}${KEY}${by === '#' ? '?embed=1' : ''}`);
    await page.locator('.state-running').waitFor();
    expect(await page.locator('.top-bar').isVisible()).toBe(false);
  });

  it('prints what it shows, on white, without what can only be clicked', async () => {
    await using gateway = await startMadeUpGateway();
    append(gateway);
    await open(`${gateway.url}/#${KEY}`);
    await page.locator('.state-running').waitFor();
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.locator('.top-bar-end').isVisible()).toBe(false);
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(back).toBe('rgb(255, 255, 255)');
  });

  it.each([
    ['', 380],
    [`#${KEY}`, 380],
    [`#${KEY}`, 700],
  ])('%s fits into %d px without a bar below', async (address, width) => {
    await using gateway = await startMadeUpGateway();
    append(gateway, `c1/${'long-name-'.repeat(6)}/default`);
    append(gateway);
    await open(`${gateway.url}/${address}`);
    await page.setViewportSize({ width, height: 450 });
    await page.getByText('resnet-a').first().waitFor();
    await page.getByText('connected').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
});
