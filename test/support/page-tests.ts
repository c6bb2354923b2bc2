import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from './chromium.ts';

/**
 * What the browser's console says while the gateway stops and nobody answers; only a test that takes it away may allow it. A
 * gateway that stops answers 503 to whatever is asked then, also to the parts of the page that are loaded late.
 */
export const WHILE_AWAY = /WebSocket connection|net::ERR_|status of 503 /;

export interface OpenOptions {
  readonly context?: BrowserContextOptions;
  /** Errors of the console that the test brings about. Every other one fails it. */
  readonly allows?: RegExp;
  /** Called before the page is loaded. */
  readonly before?: (page: Page) => Promise<unknown>;
}

export interface PageTests {
  /**
   * Opens an address in a window of its own. With `await using` it is closed before the gateway that was started before it,
   * else after the test.
   */
  open(url: string, options?: OpenOptions): Promise<Page>;
  /** The hosts that pages of this test have asked for anything. */
  readonly hosts: ReadonlySet<string>;
}

/**
 * Has all tests of a file share one browser. Each test fails for an error that one of its pages throws or that the browser
 * writes to the console, such as a request that is refused.
 */
export function pageTests(launch: () => Promise<Browser> = launchChromium): PageTests {
  let browser: Browser;
  const pages: Page[] = [];
  const faults: string[] = [];
  const hosts = new Set<string>();

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    hosts.clear();
    expect(faults.splice(0)).toEqual([]);
  });

  return {
    hosts,
    async open(url, { context = {}, allows, before } = {}) {
      const opened = await browser.newContext({ viewport: { width: 1_280, height: 800 }, ...context });
      const page = await opened.newPage();
      pages.push(page);
      page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('request', (request) => hosts.add(new URL(request.url()).host));
      page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
      page.on('console', (message) => {
        const text = `${message.text()} ${message.location().url}`;
        if (message.type() === 'error' && allows?.test(text) !== true) faults.push(text);
      });
      await before?.(page);
      await page.goto(url);
      return page;
    },
  };
}
