import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noteText } from '../support/embedded-ingest.ts';
import { exchange } from '../support/raw-http.ts';
import { ServiceProcess } from '../support/service-process.ts';

/** A request as a browser sends it when the name of a page has come to mean this machine. */
const rebound = (target: string, host: string, fields: readonly string[] = []) =>
  [`${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', ''].join('\r\n');
const upgrade = (target: string, host: string, origin: string) =>
  [
    `${target} HTTP/1.1`,
    `Host: ${host}`,
    ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
    ...['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', `Origin: ${origin}`],
    ...['', ''],
  ].join('\r\n');
const codeOf = (body: string) => (JSON.parse(body) as { error: { code: string; message: string } }).error;

describe('runlog up without keys, reached under the name of a page elsewhere', () => {
  let folder: string;
  let up: ServiceProcess;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runlog-hosts-'));
    up = await ServiceProcess.start('up', {
      RUNLOG_DATA_DIR: folder,
      RUNLOG_ALLOWED_ORIGINS: 'https://board.example',
    });
  });
  afterAll(async () => {
    await up?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const reads = [
    ['gateway', 'GET /'],
    ['gateway', 'GET /v1/runs'],
    ['gateway', 'GET /v1/runs/local/r1/default/stream'],
    ['gateway', 'GET /docs'],
    ['gateway', 'GET /metrics'],
    ['gateway', 'GET /no/where'],
    ['gateway', 'OPTIONS /v1/runs'],
    ['ingest', 'GET /'],
    ['ingest', 'GET /livez'],
    ['ingest', 'PUT /v1/events'],
  ] as const;
  it.each(reads)('%s answers 421 to %s', async (service, target) => {
    const url = up.addresses[service]!;
    for (const host of ['evil.example', `127.0.0.1.evil.example:${new URL(url).port}`, 'localhost.evil']) {
      const { status, body } = await exchange(url, rebound(target, host));
      expect(status).toBe(421);
      expect(codeOf(body)).toEqual({ code: 'misdirected', message: expect.stringContaining(`"${host}"`) });
    }
  });

  it('publishes nothing', async () => {
    const event = noteText({ run_id: 'rebound' });
    const fields = ['Content-Type: application/json', `Content-Length: ${event.length}`];
    const post = (host: string) =>
      exchange(up.addresses.ingest!, rebound('POST /v1/events', host, fields) + event);
    expect(await post('evil.example')).toMatchObject({ status: 421 });
    const waiting = rebound('POST /v1/events', 'evil.example', [...fields, 'Expect: 100-continue']);
    expect(await exchange(up.addresses.ingest!, waiting)).toMatchObject({ status: 421 });
    const run = () => fetch(`${up.addresses.gateway}/v1/runs/local/rebound/default`);
    expect((await run()).status).toBe(404);
    expect(await post('LOCALHOST')).toMatchObject({ status: 200 });
    await expect.poll(async () => (await run()).status).toBe(200);
  });

  it('opens no WebSocket, although the origin is that of the host', async () => {
    const url = up.addresses.gateway!;
    const { status, body } = await exchange(
      url,
      upgrade('GET /v1/stream', 'evil.example', 'http://evil.example'),
    );
    expect([status, codeOf(body).code]).toEqual([421, 'misdirected']);
    const absolute = upgrade('GET http://evil.example/v1/stream', 'localhost', 'http://evil.example');
    expect(await exchange(url, absolute)).toMatchObject({ status: 421 });
  });

  it('takes no request without a host, with two, or with another one in its target', async () => {
    for (const url of [up.addresses.gateway!, up.addresses.ingest!]) {
      expect(await exchange(url, 'GET /livez HTTP/1.0\r\n\r\n')).toMatchObject({ status: 421 });
      const none = await exchange(url, 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n');
      expect([none.status, codeOf(none.body).code]).toEqual([400, 'bad_request']);
      const two = await exchange(url, rebound('GET /livez', 'localhost', ['Host: evil.example']));
      expect([two.status, codeOf(two.body).code]).toEqual([400, 'bad_request']);
      const absolute = await exchange(url, rebound('GET http://evil.example/livez', 'localhost'));
      expect(absolute.status).toBe(421);
      expect(await exchange(url, 'GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n')).toMatchObject({
        status: 200,
      });
    }
  });

  it('answers as before under names of this machine, and under those of allowed origins', async () => {
    for (const url of [up.addresses.gateway!, up.addresses.ingest!]) {
      for (const host of ['localhost', '127.9.9.9:1', '[::1]', 'run.localhost:80', 'board.example']) {
        expect(await exchange(url, rebound('GET /livez', host))).toMatchObject({ status: 200 });
      }
    }
    const proxied = upgrade('GET /v1/stream', 'board.example', 'http://127.0.0.1');
    expect(await exchange(up.addresses.gateway!, proxied)).toMatchObject({ status: 403 });
  });
});

describe('runlog up that is open on purpose', () => {
  it('answers to any host', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-hosts-'));
    try {
      await using up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder, RUNLOG_OPEN: 'true' });
      for (const url of [up.addresses.gateway!, up.addresses.ingest!]) {
        expect(await exchange(url, rebound('GET /livez', 'runs.example'))).toMatchObject({ status: 200 });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
