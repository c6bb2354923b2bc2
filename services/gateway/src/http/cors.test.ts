import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { rawGet } from '../../../../test/support/raw-get.ts';
import { exchange } from '../../../../test/support/raw-http.ts';
import { startMadeUpGateway } from '../made-up/made-up-gateway.ts';
import { MadeUpKeys } from '../made-up/made-up-keys.ts';

const KEY = 'c1/r1/default';
const BOARD = 'https://board.example';
const EVIL = 'https://evil.example';
const preflight = (url: string, origin: string, method = 'GET') =>
  rawGet(url, {
    method: 'OPTIONS',
    headers: {
      ...{ origin, 'access-control-request-method': method },
      'access-control-request-headers': 'authorization',
    },
  });

describe('pages of an allowed origin', () => {
  it.each(['/v1/runs', `/v1/runs/${KEY}`, `/v1/runs/${KEY}/figures`, '/openapi.json', '/livez', '/no/where'])(
    'may read %s',
    async (path) => {
      await using gateway = await startMadeUpGateway({ allowedOrigins: [BOARD, 'https://other.example'] });
      gateway.append(KEY, [{}]);
      const { headers } = await rawGet(gateway.url + path, { headers: { origin: BOARD } });
      expect(headers).toMatchObject({
        'access-control-allow-origin': BOARD,
        'access-control-expose-headers': 'ETag, Retry-After',
        vary: 'Origin, Accept-Encoding',
      });
      // No cookie means anything here, so none is asked for.
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    },
  );

  it('may send a key, which needs a preflight, and read why one is refused', async () => {
    const keys = new MadeUpKeys({ secret: { role: 'view', runs: ['*'] } });
    await using gateway = await startMadeUpGateway({ allowedOrigins: [BOARD], keys });
    const asked = await preflight(`${gateway.url}/v1/runs`, BOARD);
    expect([asked.status, asked.body.length]).toEqual([204, 0]);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': BOARD,
      'access-control-allow-methods': expect.stringContaining('GET'),
      'access-control-allow-headers': expect.stringContaining('Authorization'),
      'access-control-max-age': '7200',
      vary: 'Origin',
    });
    const refused = await rawGet(`${gateway.url}/v1/runs`, { headers: { origin: BOARD } });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, BOARD]);
    const headers = { origin: BOARD, authorization: 'Bearer secret' };
    expect((await rawGet(`${gateway.url}/v1/runs`, { headers })).status).toBe(200);
  });

  it('may follow a run as server-sent events', async () => {
    await using gateway = await startMadeUpGateway({ allowedOrigins: [BOARD] });
    gateway.append(KEY, [{}]);
    const sent = get(`${gateway.url}/v1/runs/${KEY}/stream`, { agent: false, headers: { origin: BOARD } });
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.headers).toMatchObject({ 'access-control-allow-origin': BOARD, vary: 'Origin' });
    sent.destroy();
  });

  it('may be of any origin, if * is allowed', async () => {
    await using gateway = await startMadeUpGateway({ allowedOrigins: ['*'] });
    const { headers } = await rawGet(`${gateway.url}/v1/runs`, { headers: { origin: EVIL } });
    // The answer is the same for everybody, so a cache may keep one.
    expect(headers).toMatchObject({ 'access-control-allow-origin': '*', vary: 'Accept-Encoding' });
    expect((await preflight(`${gateway.url}/v1/runs`, 'null')).status).toBe(204);
  });
});

describe('pages of any other origin', () => {
  it.each([[[]], [[BOARD]]])(
    'are given nothing to read by a gateway that allows %s',
    async (allowedOrigins) => {
      await using gateway = await startMadeUpGateway({ allowedOrigins });
      for (const origin of [EVIL, 'null', `${BOARD}.evil.example`, `${BOARD}:444`]) {
        const { headers } = await rawGet(`${gateway.url}/v1/runs`, { headers: { origin } });
        expect(headers['access-control-allow-origin']).toBeUndefined();
        const { status, headers: asked, body } = await preflight(`${gateway.url}/v1/runs`, origin, 'POST');
        expect([status, asked['access-control-allow-origin']]).toEqual([403, undefined]);
        expect(body.toString()).toContain(`pages of ${origin} may not read`);
      }
    },
  );

  it('do not make the answers to everybody else depend on them', async () => {
    await using gateway = await startMadeUpGateway();
    expect((await rawGet(`${gateway.url}/v1/runs`)).headers.vary).toBe('Accept-Encoding');
    expect((await rawGet(`${gateway.url}/v1/runs`, { method: 'OPTIONS' })).status).toBe(405);
  });

  it('have nothing done by a request that needs no preflight', async () => {
    await using gateway = await startMadeUpGateway({ allowedOrigins: [BOARD] });
    gateway.append(KEY, [{}]);
    const changing = gateway.routes.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
    const paths = changing.map(({ url }) => url.replace(':cluster/:run/:group', KEY));
    expect(paths.toSorted()).toEqual([`/v1/runs/${KEY}/proof`, '/v1/tokens']);
    for (const path of paths) {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', null]) {
        const response = await fetch(gateway.url + path, {
          method: 'POST',
          ...(type === null ? {} : { body: Buffer.from('{"runs":"*"}') }),
          headers: { origin: EVIL, ...(type === null ? {} : { 'content-type': type }) },
        });
        expect([path, response.status]).toEqual([path, 403]);
        expect(await response.text()).toContain(`pages of ${EVIL} may not read`);
      }
    }
    for (const origin of [new URL(gateway.url).origin, BOARD]) {
      const verified = await fetch(`${gateway.url}/v1/runs/${KEY}/proof`, {
        method: 'POST',
        headers: { origin },
      });
      // It is judged by what it asks: this gateway has no history to verify by.
      expect(verified.status).toBe(503);
    }
  });

  it('are told why the stream is refused, by the refusal and by /v1/hello', async () => {
    await using gateway = await startMadeUpGateway({ allowedOrigins: [BOARD] });
    const { host } = new URL(gateway.url);
    const upgrade = [
      ...['GET /v1/stream HTTP/1.1', `Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket'],
      ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', `Origin: ${EVIL}`],
      ...['', ''],
    ].join('\r\n');
    const refused = await exchange(gateway.url, upgrade);
    const told = await rawGet(`${gateway.url}/v1/hello?origin=${encodeURIComponent(EVIL)}`);
    for (const { status, body } of [refused, told]) {
      expect([status, JSON.parse(body.toString())]).toEqual([
        403,
        {
          error: {
            code: 'forbidden',
            message:
              `pages of ${EVIL} may not read from this gateway: name that origin in RUNLOG_ALLOWED_ORIGINS, ` +
              `or have the proxy pass Host on unchanged, which is ${host} here`,
          },
        },
      ]);
    }
    for (const origin of [BOARD, gateway.url]) {
      const welcome = await rawGet(`${gateway.url}/v1/hello?origin=${encodeURIComponent(origin)}`);
      expect([welcome.status, JSON.parse(welcome.body.toString())]).toMatchObject([
        200,
        { server: 'runlog/0.1.0' },
      ]);
    }
    expect((await rawGet(`${gateway.url}/v1/hello`, { headers: { origin: EVIL } })).status).toBe(403);
    expect((await rawGet(`${gateway.url}/v1/hello`)).status).toBe(200);
    expect((await rawGet(`${gateway.url}/v1/hello?orign=x`)).status).toBe(400);
  });
});

describe('the page', () => {
  it.each([
    [[], "frame-ancestors 'none'"],
    [[BOARD, 'http://127.0.0.1:9'], `frame-ancestors 'self' ${BOARD} http://127.0.0.1:9`],
    [['*'], "frame-ancestors 'self' *"],
  ])('may be framed by pages of %s', async (embedOrigins, expected) => {
    await using gateway = await startMadeUpGateway({ embedOrigins });
    const policy = (await rawGet(`${gateway.url}/`)).headers['content-security-policy'] as string;
    expect(policy.split('; ').at(-1)).toBe(expected);
    expect(policy).toContain("default-src 'none'; script-src 'self'");
  });
});
