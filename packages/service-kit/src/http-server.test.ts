import { once } from 'node:events';
import { METHODS } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpServer, type FastifyInstance, HttpFault, listen } from './http-server.ts';
import { createLogger } from './logger.ts';

let server: FastifyInstance;
let url: string;
beforeEach(async () => {
  server = createHttpServer({
    logger: createLogger({ service: 'test', level: 'silent' }),
    health: { notReadyBecause: () => null },
    bodyBytesMax: 100,
  });
  server.post('/echo', (request) => request.body);
  server.get('/secret', () => {
    throw new HttpFault('unauthorized', 'no');
  });
  server.get('/:name', () => ({ here: true }));
  url = await listen(server, { host: '127.0.0.1', port: 0 });
});
afterEach(() => server.close());

/** Sends bytes and reads until the connection ends. */
async function exchange(text: string): Promise<{ status: number; head: string; body: unknown }> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  await once(socket, 'connect');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { status: Number(head.slice(9, 12)), head: `${head}\r\n`, body: JSON.parse(body) };
}

it('cuts a connection whose client does not read its answer', async () => {
  const short = createHttpServer({
    logger: createLogger({ service: 'test', level: 'silent' }),
    health: { notReadyBecause: () => null },
    ...{ bodyBytesMax: 100, idleMsMax: 200 },
  });
  short.get('/large', () => Buffer.alloc(64 * 1024 * 1024));
  const { port } = new URL(await listen(short, { host: '127.0.0.1', port: 0 }));
  const accepted = once(short.server, 'connection') as Promise<[Socket]>;
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET /large HTTP/1.1\r\nhost: x\r\n\r\n');
  const [served] = await accepted;
  await expect.poll(() => served.destroyed).toBe(true);
  socket.destroy();
  await short.close();
});

it('closes although a client has connected and says nothing, as browsers do', async () => {
  const silent = createHttpServer({
    logger: createLogger({ service: 'test', level: 'silent' }),
    health: { notReadyBecause: () => null },
    bodyBytesMax: 100,
  });
  const { port } = new URL(await listen(silent, { host: '127.0.0.1', port: 0 }));
  const accepted = once(silent.server, 'connection');
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  await accepted;
  const cut = once(socket, 'close');
  await silent.close();
  await cut;
});

const fault = (code: string) => ({ error: { code, message: expect.any(String) } });

describe('errors that no route produces', () => {
  it.each([
    ['bytes that are not HTTP', 'HELLO\r\n\r\n', 400, 'bad_request'],
    ['an impossible header', 'GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n', 400, 'bad_request'],
    ['headers too large', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
    [
      'an impossible address',
      'GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      400,
      'bad_request',
    ],
    [
      'a name too long',
      `GET /${'n'.repeat(300)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      414,
      'uri_too_long',
    ],
  ])('have the same shape as all others: %s', async (_what, text, status, code) => {
    expect(await exchange(text)).toMatchObject({ status, body: fault(code) });
  });

  it.each<[string, string, string]>([
    ['PUT', '/echo', 'POST, GET, HEAD'],
    ['PURGE', '/livez?a=b', 'GET, HEAD'],
    // The parser of Node 20.19.0 does not know it yet.
    ...(METHODS.includes('QUERY') ? [['QUERY', '/livez', 'GET, HEAD'] as [string, string, string]] : []),
    ['PROPFIND', '/other/', 'GET, HEAD'],
    ['TRACE', '/livez', 'GET, HEAD'],
  ])('name the methods that a path accepts: %s %s', async (method, path, allow) => {
    const text = `${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    const answer = await exchange(text);
    expect(answer).toMatchObject({ status: 405, body: fault('method_not_allowed') });
    expect(answer.head).toContain(`\r\nallow: ${allow}\r\n`);
  });

  it('say 404 where no method is accepted', async () => {
    const text = 'PUT /a/b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    expect(await exchange(text)).toMatchObject({ status: 404, body: fault('not_found') });
  });

  it('are also reported for bodies and types', async () => {
    const post = (body: string, type: string) =>
      fetch(`${url}/echo`, { method: 'POST', body, headers: { 'content-type': type } });
    for (const [response, status, code] of [
      [await post('{', 'application/json'), 400, 'bad_request'],
      [await post('"'.padEnd(200), 'application/json'), 413, 'body_too_large'],
      [await post('x', 'image/png'), 415, 'unsupported_media_type'],
      [await fetch(`${url}/no/where`), 404, 'not_found'],
      [await fetch(`${url}/secret`), 401, 'unauthorized'],
    ] as const) {
      expect([response.status, await response.json()]).toEqual([status, fault(code)]);
    }
    const challenged = await fetch(`${url}/secret`);
    expect(challenged.headers.get('www-authenticate')).toBe('Bearer realm="runlog"');
  });

  it('say 503 on a connection that is still open while the server closes', async () => {
    const accepted = once(server.server, 'connection') as Promise<[Socket]>;
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    // Once the server has half a request, the connection stays busy.
    const half = 'GET /livez HTTP/1.1\r\nhost: x\r\n';
    socket.write(half);
    const [served] = await accepted;
    await expect.poll(() => served.bytesRead).toBe(half.length);
    const closed = server.close();
    socket.write('\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toContain('"code":"closing"');
    expect(answer.toLowerCase()).toContain('retry-after');
    await closed;
  });
});
