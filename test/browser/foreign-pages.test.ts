import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpKeys } from '@runlog/gateway/made-up/made-up-keys';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { EmbeddedIngest, noteText } from '../support/embedded-ingest.ts';

const KEY = 'c1/resnet-a/default';

let browser: Browser;
let page: Page;
/** Where the pages under test come from. It is another site than that of the services, which are at 127.0.0.1. */
let origin: string;
const elsewhere = createServer((_request, response) =>
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>'),
);

beforeAll(async () => {
  elsewhere.listen(0, 'localhost');
  await once(elsewhere, 'listening');
  origin = `http://localhost:${(elsewhere.address() as AddressInfo).port}`;
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  elsewhere.closeAllConnections();
  elsewhere.close();
});
afterEach(async () => {
  await page?.close();
});

async function openElsewhere(): Promise<void> {
  page = await browser.newPage();
  page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
  await page.goto(origin);
}

/** Tries in the page what any page may try, and returns what it learned. */
const readFrom = (gateway: string, key: string | null = null) =>
  page.evaluate(
    async ({ url, run, key }) => {
      const headers = key === null ? undefined : { authorization: `Bearer ${key}` };
      const rest = fetch(`${url}/v1/runs/${run}`, headers === undefined ? {} : { headers }).then(
        async (response) => (response.ok ? ((await response.json()) as { run_id: string }).run_id : null),
        () => null,
      );
      const webSocket = new Promise<string | null>((resolve) => {
        const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, ['runlog.v1']);
        socket.addEventListener('message', ({ data }) => resolve(String(data).slice(2, 7)));
        socket.addEventListener('close', () => resolve(null));
      });
      const events = new Promise<string | null>((resolve) => {
        const source = new EventSource(`${url}/v1/runs/${run}/stream`);
        const end = (learned: string | null) => {
          source.close();
          resolve(learned);
        };
        source.addEventListener('message', ({ data }) => end(String(data).includes(run) ? 'frame' : null));
        source.addEventListener('error', () => end(null));
      });
      return { rest: await rest, webSocket: await webSocket, events: await events };
    },
    { url: gateway, run: KEY, key },
  );

/** Shows the gateway's page in a frame, and returns what can be seen of it. */
async function framed(gateway: string): Promise<string> {
  const loaded = page.waitForEvent('framenavigated', (frame) => frame !== page.mainFrame());
  await page.evaluate((url) => {
    const frame = document.createElement('iframe');
    frame.src = url;
    document.body.append(frame);
  }, gateway);
  const frame = await loaded;
  return frame.url().startsWith(gateway) ? ((await frame.locator('.brand').textContent()) ?? '') : 'refused';
}

describe('a page of an origin that is not allowed', () => {
  it('reads nothing from a gateway that is open, and cannot show its page', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    await openElsewhere();
    expect(await readFrom(gateway.url)).toEqual({ rest: null, webSocket: null, events: null });
    expect(await framed(gateway.url)).toBe('refused');
  });

  it('publishes nothing to an ingest that is open, by any request that a page may send', async () => {
    await using ingest = await EmbeddedIngest.start();
    await openElsewhere();
    const submitted = page.waitForResponse((response) => response.request().resourceType() === 'document');
    const tried = await page.evaluate(
      async ({ url, event }) => {
        const send = (body: BodyInit, init: RequestInit = {}) =>
          fetch(url, { method: 'POST', body, ...init }).then(
            (response) => `${response.type} ${response.status}`,
            () => 'failed',
          );
        const asJson = { headers: { 'content-type': 'application/json' } };
        const form = new FormData();
        form.set('event', event);
        const field = document.createElement('input');
        // A form with this encoding sends `name=value`: here the whole is JSON.
        field.name = `${event.slice(0, -1)},"x":"`;
        field.value = '"}';
        const posting = document.createElement('form');
        Object.assign(posting, { method: 'POST', action: url, enctype: 'text/plain', target: 'sink' });
        posting.append(field);
        const sink = document.createElement('iframe');
        sink.name = 'sink';
        document.body.append(sink, posting);
        posting.submit();
        return {
          text: await send(event, { mode: 'no-cors' }),
          form: await send(new URLSearchParams({ event }), { mode: 'no-cors' }),
          parts: await send(form, { mode: 'no-cors' }),
          untyped: await send(new Blob([event]), { mode: 'no-cors' }),
          jsonUnasked: await send(event, { mode: 'no-cors', ...asJson }),
          json: await send(event, asJson),
          ndjson: await send(event, { headers: { 'content-type': 'application/x-ndjson' } }),
          beacon: navigator.sendBeacon(url, new Blob([event], { type: 'application/json' })),
        };
      },
      { url: `${ingest.url}/v1/events`, event: noteText() },
    );
    expect((await submitted).status()).toBe(415);
    expect(tried).toMatchObject({ text: 'opaque 0', untyped: 'opaque 0', json: 'failed', ndjson: 'failed' });
    // An event that is sent after all of these arrives, and only that one.
    expect((await ingest.post()).status).toBe(200);
    expect(await ingest.events()).toHaveLength(1);
    expect(await ingest.rejected()).toHaveLength(0);
  });
});

describe('a page of an allowed origin', () => {
  it('reads REST and server-sent events and opens streams', async () => {
    await using gateway = await startMadeUpGateway({ allowedOrigins: [origin] });
    gateway.append(KEY, [{}]);
    await openElsewhere();
    expect(await readFrom(gateway.url)).toEqual({ rest: 'resnet-a', webSocket: 'hello', events: 'frame' });
  });

  it('sends a key, if the gateway asks for one', async () => {
    const keys = new MadeUpKeys({ secret: { role: 'view', runs: ['*'] } });
    await using gateway = await startMadeUpGateway({ allowedOrigins: [origin], keys });
    gateway.append(KEY, [{}]);
    await openElsewhere();
    expect(await readFrom(gateway.url)).toMatchObject({ rest: null });
    expect(await readFrom(gateway.url, 'secret')).toMatchObject({ rest: 'resnet-a' });
  });

  it('shows the page in a frame, if it may embed it', async () => {
    await using gateway = await startMadeUpGateway({ embedOrigins: [origin] });
    await openElsewhere();
    expect(await framed(gateway.url)).toBe('runlog');
  });
});
