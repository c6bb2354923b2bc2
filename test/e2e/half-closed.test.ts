import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { getBytes, HalfClosed } from '../support/half-closed.ts';
import { ServiceProcess } from '../support/service-process.ts';

const EVENT = JSON.stringify({
  ...{ event_id: 'e1', event_type: 'NOTE', timestamp: '2026-01-03T10:00:00Z', run_id: 'half' },
  data: { env_id: 0 },
});
const RUN = '/v1/runs/local/half/default';

let folder: string;
let up: ServiceProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-half-closed-'));
  up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: join(folder, 'log') });
});
afterAll(async () => {
  await up?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The status of an answer whose whole body came, and `cut off` for any other. */
async function answerTo(url: string, bytes: string): Promise<string> {
  using client = await HalfClosed.send(url, bytes);
  const text = await client.whole;
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  const isWhole =
    length === undefined ? text.endsWith('\r\n0\r\n\r\n') : Buffer.byteLength(body) === Number(length);
  return isWhole ? head.slice(9, 12) : `cut off: ${text.slice(0, 200)}`;
}

function postBytes(path: string, body: string, fields = ''): string {
  const type = body === '' ? '' : 'content-type: application/json\r\n';
  const length = `content-length: ${Buffer.byteLength(body)}`;
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${type}${fields}${length}\r\n\r\n${body}`;
}

it('a client that ends its side with its request has the whole answer of ingest', async () => {
  const ingest = up.addresses.ingest!;
  expect(await answerTo(ingest, postBytes('/v1/events', EVENT))).toBe('200');
  expect(await answerTo(ingest, postBytes('/v1/events?dry_run=1', `[${EVENT},{}]`))).toBe('200');
  expect(await answerTo(ingest, postBytes('/v1/events', '{}'))).toBe('422');
  expect(await answerTo(ingest, postBytes('/v1/events', EVENT.slice(1)))).toBe('400');
  const chunk = `${EVENT.length.toString(16)}\r\n${EVENT}\r\n0\r\n\r\n`;
  const chunked = 'content-type: application/json\r\ntransfer-encoding: chunked';
  const head = `POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n${chunked}\r\n\r\n`;
  expect(await answerTo(ingest, head + chunk)).toBe('200');
  const old = postBytes('/v1/events', EVENT).replace('HTTP/1.1', 'HTTP/1.0');
  expect(await answerTo(ingest, old)).toBe('200');
  for (const path of ['/', '/livez', '/readyz', '/metrics', '/openapi.json', '/docs'])
    expect([path, await answerTo(ingest, getBytes(path))]).toEqual([path, '200']);
});

it('and that of the gateway', async () => {
  const gateway = up.addresses.gateway!;
  await expect.poll(async () => (await fetch(gateway + RUN)).status).toBe(200);
  for (const path of [
    ...['/', '/livez', '/readyz', '/metrics', '/openapi.json', '/asyncapi.json', '/v1/runs', '/v1/hello'],
    ...['', '?at=0', '/events', '/events?after=-1', '/timeline', '/figures', '/proof'].map(
      (rest) => RUN + rest,
    ),
  ])
    expect([path, await answerTo(gateway, getBytes(path))]).toEqual([path, '200']);
  expect(await answerTo(gateway, postBytes(`${RUN}/proof`, ''))).toBe('200');
  expect(await answerTo(gateway, getBytes('/v1/runs/local/none/default'))).toBe('404');
});
