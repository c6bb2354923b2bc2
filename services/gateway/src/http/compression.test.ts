import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { rawGet } from '../../../../test/support/raw-get.ts';
import { startMadeUpGateway } from '../made-up/made-up-gateway.ts';

const KEY = 'c1/r1/default';
const gzip = { 'accept-encoding': 'gzip' };

async function filled() {
  const gateway = await startMadeUpGateway();
  gateway.append(
    KEY,
    Array.from({ length: 100 }, (_, at) => ({ data: { env_id: at % 8 } })),
  );
  return gateway;
}

describe('an answer', () => {
  it.each([
    `/v1/runs/${KEY}`,
    `/v1/runs/${KEY}/timeline`,
    '/openapi.json',
    '/asyncapi.json',
    '/docs',
    '/metrics',
  ])('%s is compressed for whoever accepts that, and for nobody else', async (path) => {
    await using gateway = await filled();
    const url = gateway.url + path;
    const plain = await rawGet(url);
    expect(plain.headers).toMatchObject({ vary: 'Accept-Encoding' });
    expect(plain.headers['content-encoding']).toBeUndefined();
    for (const [coding, inflate] of [
      ['gzip', gunzipSync],
      ['br', brotliDecompressSync],
    ] as const) {
      const packed = await rawGet(url, { headers: { 'accept-encoding': coding } });
      expect(packed.headers).toMatchObject({ vary: 'Accept-Encoding', 'content-encoding': coding });
      expect(packed.headers['content-length']).toBe(String(packed.body.length));
      expect(packed.headers['content-type']).toBe(plain.headers['content-type']);
      expect(packed.body.length).toBeLessThan(plain.body.length / 2);
      const text = inflate(packed.body).toString('utf8');
      if (path !== '/metrics') expect(text.length).toBe(plain.body.toString('utf8').length);
      if (String(plain.headers['content-type']).includes('json')) expect(JSON.parse(text)).toBeTruthy();
    }
    const refused = await rawGet(url, { headers: { 'accept-encoding': 'gzip;q=0, br;q=0' } });
    expect(refused.headers['content-encoding']).toBeUndefined();
    const head = await rawGet(url, { method: 'HEAD', headers: gzip });
    expect(head.headers).toMatchObject({ vary: 'Accept-Encoding', 'content-encoding': 'gzip' });
    expect(head.body.length).toBe(0);
  });

  it.each(['/livez', '/v1/runs?cluster=none', '/no/where'])(
    'of less than 1 KiB is sent as it is: %s',
    async (path) => {
      await using gateway = await filled();
      const { headers } = await rawGet(gateway.url + path, { headers: gzip });
      expect(headers).toMatchObject({ vary: 'Accept-Encoding' });
      expect(headers['content-encoding']).toBeUndefined();
    },
  );

  it('that is a stream of events is never compressed, because it would be held back', async () => {
    await using gateway = await filled();
    const sent = get(`${gateway.url}/v1/runs/${KEY}/stream`, { agent: false, headers: gzip });
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.headers['content-encoding']).toBeUndefined();
    let received = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    await expect.poll(() => received).toContain('"snapshot"');
    sent.destroy();
  });
});

describe('the page', () => {
  it('names its parts by their content, so that they are kept for ever, and is itself asked for anew', async () => {
    await using gateway = await startMadeUpGateway();
    const page = await rawGet(`${gateway.url}/`);
    expect(page.headers).toMatchObject({ 'cache-control': 'no-cache', 'referrer-policy': 'no-referrer' });
    const html = page.body.toString('utf8');
    const names = [...html.matchAll(/"(assets\/\w+-[\da-f]{16}\.(?:js|css))"/g)].map(([, name]) => name!);
    expect(names.map((name) => name.replace(/-\w+/, ''))).toEqual(['assets/style.css', 'assets/main.js']);
    expect(html).not.toMatch(/(?:src|href)="\//);
    for (const name of names) {
      const plain = await rawGet(`${gateway.url}/${name}`);
      expect(plain.headers).toMatchObject({
        'cache-control': 'public, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
        'content-type': expect.stringMatching(/^text\/(javascript|css)/),
      });
      const packed = await rawGet(`${gateway.url}/${name}`, { headers: gzip });
      expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    }
    for (const name of ['main.js', 'main-0000000000000000.js', '..%2Findex.html', 'constructor']) {
      const missing = await rawGet(`${gateway.url}/assets/${name}`);
      expect([missing.status, missing.body.toString()]).toEqual([404, expect.stringContaining('not_found')]);
    }
  });

  it.each(['/', '/docs', '/openapi.json', '/asyncapi.json'])(
    '%s is not sent again to a client that holds it, in whatever coding',
    async (path) => {
      await using gateway = await startMadeUpGateway();
      const { headers } = await rawGet(gateway.url + path, { headers: gzip });
      const held = await rawGet(gateway.url + path, { headers: { 'if-none-match': headers.etag! } });
      expect([held.status, held.body.length]).toEqual([304, 0]);
      expect(held.headers).toMatchObject({ etag: headers.etag, vary: 'Accept-Encoding' });
      const other = await rawGet(gateway.url + path, { headers: { 'if-none-match': 'W/"other"' } });
      expect(other.status).toBe(200);
    },
  );

  it('of the documentation leads back from its address with a slash, so that its links hold', async () => {
    await using gateway = await startMadeUpGateway();
    const moved = await rawGet(`${gateway.url}/docs/`);
    expect([moved.status, moved.headers.location]).toEqual([308, '../docs']);
  });
});

describe('the ETag of a run', () => {
  it('changes with the words that follow from the time, so that a poller learns of silence', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{ receivedAtMs: Date.now() }]);
    const url = `${gateway.url}/v1/runs/${KEY}`;
    const { headers, body } = await rawGet(url);
    const { freshness, state } = JSON.parse(body.toString()) as { freshness: string; state: string };
    expect(headers.etag).toBe(`W/"e1.1.${freshness}.${state}"`);
    const again = async () => (await rawGet(url, { headers: { 'if-none-match': headers.etag! } })).status;
    await expect.poll(again).toBe(200);
    const stale = () => rawGet(url, { headers: { 'if-none-match': 'W/"e1.1.stale.running"' } });
    await expect.poll(async () => (await stale()).status).toBe(304);
  });
});
