import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { BODY_BYTES_MAX, BODY_EVENTS_MAX, SENDER_BODY_BYTES_MAX } from '@runlog/schema/limits';
import { listen } from '@runlog/service-kit/http-server';
import type { KeyRing } from '@runlog/service-kit/keys';
import { createLogger } from '@runlog/service-kit/logger';
import { type AppendResult, type RecordToAppend, TopicIoError } from '@runlog/topic-io/topic-io';
import { afterEach, describe, expect, it } from 'vitest';
import { HalfClosed } from '../../../test/support/half-closed.ts';
import { createIngestServer, type IngestLimits, type IngestState } from './http-server.ts';
import { eventText } from './made-up/test-events.ts';
import { createOutage } from './outage.ts';
import { createRejectedTopic } from './rejected-topic.ts';

const logger = createLogger({ service: 'ingest-test', level: 'silent' });
const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

interface Append {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly RecordToAppend[];
}

/** Starts the HTTP service over a writer that keeps what it gets, on a port of its own. */
async function serve(
  options: {
    append?: (append: Append) => AppendResult | Promise<AppendResult>;
    limits?: Partial<IngestLimits>;
    state?: Partial<IngestState>;
    keys?: KeyRing;
  } = {},
) {
  const appends: Append[] = [];
  const writer = {
    pendingBytes: 0,
    async append(append: Append) {
      appends.push(append);
      return options.append?.(append) ?? { acknowledged: append.records.length, baseOffset: 0 };
    },
    async [Symbol.asyncDispose]() {},
  };
  const now = () => Date.parse('2026-01-04T00:00:00Z');
  const openLog = {
    writer,
    topic: 'events',
    partitions: 4,
    meta: { epoch: 'e', fold: 1, partitions: 4, snapshots: 'snapshots' },
    keepsJson: false,
    throttledMs: () => 0,
    outage: createOutage({ logger, now }),
    rejectedTopic: createRejectedTopic({ writer, topic: 'rejected', partitions: 4, logger, now }),
  };
  const server = createIngestServer({
    logger,
    now,
    random: () => 0,
    keys: options.keys ?? null,
    state: {
      openLog: () => openLog,
      notReadyBecause: async () => null,
      newerBuild: () => null,
      closing: () => false,
      inFlight: () => undefined,
      ...options.state,
    },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const url = await listen(server, { host: '127.0.0.1', port: 0 });
  open.push({ [Symbol.asyncDispose]: async () => server.close() });
  const topic = (name: string) =>
    appends.filter((append) => append.topic === name).flatMap((append) => append.records);
  return { url, published: () => topic('events'), rejected: () => topic('rejected') };
}

function post(
  url: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  query = '',
): Promise<Response> {
  return fetch(`${url}/v1/events${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
}

async function faultCode(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

const bad = eventText({ run_id: undefined });

describe('POST /v1/events', () => {
  it('answers with the fate of each event', async () => {
    const { url, published, rejected } = await serve();
    const response = await post(url, `[${eventText()},${bad}]`, { 'x-cluster-id': 'c7' });
    expect(response.status).toBe(200);
    const body = ingestResponseSchema.parse(await response.json());
    expect(body).toMatchObject({ accepted: 1, rejected: 1, retry: 0, retry_indexes: [] });
    expect(body.errors).toMatchObject([{ index: 1, event_id: 'e1', code: 'schema', path: 'run_id' }]);
    expect(published().map((record) => record.key)).toEqual(['c7/r1/default']);
    expect(rejected().map((record) => record.key)).toEqual(['c7']);
  });

  it.each([
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/x-ndjson',
    'application/ndjson; charset=utf8',
  ])('takes %s', async (type) => {
    const { url } = await serve();
    expect((await post(url, eventText(), { 'content-type': type })).status).toBe(200);
  });

  it.each([
    'text/plain',
    'text/plain; application/json',
    'application/x-www-form-urlencoded, application/json',
    'application/json; charset=utf-16',
    'nonsense',
    'multipart/form-data; boundary=x',
  ])('refuses %s and says what it accepts', async (type) => {
    const { url } = await serve();
    const response = await post(url, eventText(), { 'content-type': type });
    expect(response.status).toBe(415);
    expect(response.headers.get('accept-post')).toContain('application/x-ndjson');
    expect(await faultCode(response)).toBe('unsupported_media_type');
  });

  it('refuses a body without a type, and a request without both', async () => {
    const { url } = await serve();
    for (const body of [new Uint8Array([0x7b, 0x7d]), undefined]) {
      const request = { method: 'POST', ...(body === undefined ? {} : { body }) };
      expect((await fetch(`${url}/v1/events`, request)).status).toBe(415);
    }
  });

  it.each([
    ['with a length', `content-length: ${eventText().length}\r\n\r\n${eventText()}`],
    [
      'in chunks',
      `transfer-encoding: chunked\r\n\r\n${eventText().length.toString(16)}\r\n${eventText()}\r\n0\r\n\r\n`,
    ],
  ])('gives a client that has ended its side its answer, body %s', async (_how, rest) => {
    let acknowledge = () => {};
    const append = (append: Append) =>
      new Promise<AppendResult>((resolve) => {
        acknowledge = () => resolve({ acknowledged: append.records.length, baseOffset: 0 });
      });
    const { url, published } = await serve({ append });
    const head = 'POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n';
    using client = await HalfClosed.send(url, head + rest);
    await expect.poll(() => published().length).toBe(1);
    acknowledge();
    expect(await client.whole).toMatch(/^HTTP\/1.1 200 OK\r\n(?:.|\s)*"accepted":1/);
  });

  it('answers a body that its sender has cut off', async () => {
    const { url, published } = await serve();
    const head = 'POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n';
    using client = await HalfClosed.send(url, `${head}content-length: 500\r\n\r\n${eventText()}`);
    expect(await client.whole).toMatch(/^HTTP\/1.1 400 /);
    expect(published()).toEqual([]);
  });

  it('accepts an empty NDJSON body and refuses an empty JSON one', async () => {
    const { url } = await serve();
    const empty = await post(url, '', { 'content-type': 'application/x-ndjson' });
    expect([empty.status, await empty.json()]).toMatchObject([200, { accepted: 0, rejected: 0, retry: 0 }]);
    expect((await post(url, '')).status).toBe(400);
    expect((await post(url, '[]')).status).toBe(200);
  });

  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['identity', (text: string) => Buffer.from(text)],
  ])('reads %s', async (encoding, encode) => {
    const { url, published } = await serve();
    const response = await post(url, encode(`[${eventText()}]`), { 'content-encoding': encoding });
    expect(response.status).toBe(200);
    expect(published()[0]!.value!.toString()).toBe(eventText());
  });

  it.each(['br', 'zstd', 'gzip, gzip', 'nonsense'])('refuses the encoding %s', async (encoding) => {
    const { url } = await serve();
    const response = await post(url, 'x', { 'content-encoding': encoding });
    expect(response.status).toBe(415);
    expect(response.headers.get('accept-encoding')).toBe('gzip, deflate, identity');
    expect(await faultCode(response)).toBe('unsupported_encoding');
  });

  it.each([
    ['cut off', gzipSync(eventText()).subarray(0, -9)],
    ['no gzip at all', Buffer.from(eventText())],
    ['empty', Buffer.alloc(0)],
  ])('refuses gzip that is %s', async (_how, body) => {
    const { url } = await serve();
    const response = await post(url, body, { 'content-encoding': 'gzip' });
    expect([response.status, await faultCode(response)]).toEqual([400, 'invalid_json']);
  });

  it('stops inflating a bomb at the limit', async () => {
    const { url, published } = await serve();
    const response = await post(url, gzipSync(Buffer.alloc(100 * BODY_BYTES_MAX)), {
      'content-encoding': 'gzip',
    });
    expect([response.status, await faultCode(response)]).toEqual([413, 'body_too_large']);
    expect(published()).toEqual([]);
  });

  it.each([
    ['broken JSON', '[', 400, 'invalid_json'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400, 'invalid_utf8'],
    ['too many events', `[${'1,'.repeat(BODY_EVENTS_MAX)}1]`, 413, 'too_many_events'],
  ])('publishes nothing of %s', async (_what, body, status, code) => {
    const { url, published } = await serve();
    const response = await post(url, body);
    expect([response.status, await faultCode(response)]).toEqual([status, code]);
    expect(published()).toEqual([]);
  });

  it('says 422, with the counts in addition to the fault, when no event is valid', async () => {
    const { url, rejected } = await serve();
    const response = await post(url, `[${bad},${bad}]`);
    expect(response.status).toBe(422);
    const body = await response.json();
    expect(ingestResponseSchema.parse(body)).toMatchObject({ accepted: 0, rejected: 2 });
    expect(body).toMatchObject({ error: { code: 'all_rejected' } });
    expect(rejected()).toHaveLength(2);
  });

  it.each(['a/b', '', '.x', 'x'.repeat(65), 'a, b'])('refuses the cluster %j', async (cluster) => {
    const { url } = await serve();
    const response = await post(url, eventText(), { 'x-cluster-id': cluster });
    expect([response.status, await faultCode(response)]).toEqual([400, 'invalid_query']);
  });

  it('says in which cluster it stores, also to whoever sends nothing', async () => {
    const { url } = await serve();
    const response = await post(url, '[]', { 'x-cluster-id': 'c7' }, '?dry_run=1');
    expect([response.status, response.headers.get('x-cluster-id')]).toEqual([200, 'c7']);
    expect((await post(url, eventText())).headers.get('x-cluster-id')).toBe('local');
  });

  it('judges with dry_run=1, and neither publishes nor keeps anything', async () => {
    const { url, published, rejected } = await serve();
    const response = await post(url, `[${eventText()},${bad}]`, {}, '?dry_run=1');
    expect([response.status, await response.json()]).toMatchObject([200, { accepted: 1, rejected: 1 }]);
    expect((await post(url, bad, {}, '?dry_run=true')).status).toBe(422);
    expect([...published(), ...rejected()]).toEqual([]);
  });

  it.each(['?dry_run=yes', '?dryrun=1', '?dry_run=1&dry_run=1'])('refuses the query %s', async (query) => {
    const { url, published } = await serve();
    expect((await post(url, eventText(), {}, query)).status).toBe(400);
    expect(published()).toEqual([]);
  });

  it.each([
    ['unavailable', 'log_unavailable'],
    ['overloaded', 'overloaded'],
    ['storage_full', 'storage_full'],
    ['closed', 'closing'],
  ] as const)(
    'says 503 and when to retry when the log is %s, and keeps no refusal',
    async (code, expected) => {
      const { url, rejected } = await serve({
        append: () => ({ acknowledged: 0, baseOffset: -1, fault: new TopicIoError(code, 'because') }),
      });
      const response = await post(url, `[${eventText()},${bad}]`);
      expect([response.status, await faultCode(response)]).toEqual([503, expected]);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(rejected()).toEqual([]);
    },
  );

  it('says 200 and what to send again when some events were acknowledged', async () => {
    const { url } = await serve({
      append: () => ({ acknowledged: 2, baseOffset: 0, fault: new TopicIoError('unavailable', 'because') }),
    });
    const response = await post(url, `[${Array.from({ length: 5 }, () => eventText()).join()}]`);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ accepted: 2, retry: 3, retry_indexes: [[2, 4]] });
  });

  it('says 503 before the topics are prepared and while closing', async () => {
    const early = await serve({ state: { openLog: () => null } });
    expect(await faultCode(await post(early.url, eventText()))).toBe('log_unavailable');
    const late = await serve({ state: { closing: () => true } });
    expect(await faultCode(await post(late.url, eventText()))).toBe('closing');
  });

  it('says 503 when too many bytes are in flight, and has them all back afterwards', async () => {
    const gate = new EventEmitter();
    const reached = once(gate, 'reached');
    const released = once(gate, 'released');
    const { url } = await serve({
      limits: { bytesInFlightMax: 1_000 },
      append: async ({ records }) => {
        gate.emit('reached');
        await released;
        return { acknowledged: records.length, baseOffset: 0 };
      },
    });
    const large = eventText({ message: 'x'.repeat(700) });
    const first = post(url, large);
    await reached;
    const second = await post(url, large);
    expect([second.status, await faultCode(second)]).toEqual([503, 'overloaded']);
    gate.emit('released');
    expect((await first).status).toBe(200);
    expect((await post(url, large)).status).toBe(200);
  });
});

describe('a body that is not read to its end', () => {
  const head = (fields: string) =>
    `POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${fields}\r\n\r\n`;

  async function connected(url: string): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    await once(socket, 'connect');
    open.push({ [Symbol.asyncDispose]: async () => void socket.destroy() });
    return socket;
  }

  /** Reads one answer. Rejects if the connection is reset before it arrives. */
  async function answer(socket: Socket): Promise<{ status: number; text: string }> {
    let text = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      text += chunk.toString();
      if (text.includes('}') && /\r\n\r\n.*\}$/s.test(text)) break;
    }
    return { status: Number(/(?:^|\r\n)HTTP\/1\.1 ([2-5]\d\d)/.exec(text)?.[1]), text };
  }

  /** Does what Python's http.client does: sends everything before it reads anything. */
  async function sendsFirst(socket: Socket, bytes: number, chunked: boolean): Promise<void> {
    const chunk = Buffer.alloc(64 * 1024, 0x20);
    for (let sent = 0; sent < bytes; sent += chunk.length) {
      const framed = chunked ? [`${chunk.length.toString(16)}\r\n`, chunk, '\r\n'] : [chunk];
      for (const part of framed) if (!socket.write(part)) await once(socket, 'drain');
    }
    if (chunked) socket.write('0\r\n\r\n');
  }

  it.each([false, true])(
    'is refused with a 413 that a client which sends first still receives (chunked: %s)',
    async (chunked) => {
      const { url } = await serve();
      const bytes = BODY_BYTES_MAX + 1024 * 1024;
      const socket = await connected(url);
      socket.write(head(chunked ? 'transfer-encoding: chunked' : `content-length: ${bytes}`));
      await sendsFirst(socket, bytes, chunked);
      const { status, text } = await answer(socket);
      expect(status).toBe(413);
      expect(text).toContain('body_too_large');
      expect(text.toLowerCase()).not.toContain('connection: close');
    },
  );

  it.each(['/v1/events?mode=sender', '/v1/logs'])(
    'of a sender is refused with a 413 that is received behind a whole body (%s)',
    async (path) => {
      const { url } = await serve();
      const bytes = SENDER_BODY_BYTES_MAX + 1024 * 1024;
      const socket = await connected(url);
      socket.write(head(`content-length: ${bytes}`).replace('/v1/events', path));
      await sendsFirst(socket, bytes, false);
      const { status, text } = await answer(socket);
      expect(status).toBe(413);
      expect(text.toLowerCase()).not.toContain('connection: close');
    },
  );

  it('is refused when too much would be discarded, and the connection ends', async () => {
    const { url } = await serve({ limits: { bytesMax: 1_000, drainBytesMax: 100_000 } });
    const socket = await connected(url);
    socket.write(head('content-length: 10000000'));
    socket.write(Buffer.alloc(200_000, 0x20));
    const { status, text } = await answer(socket);
    expect(status).toBe(413);
    expect(text.toLowerCase()).toContain('connection: close');
  });

  it('is refused with a 415 that a client which sends first still receives', async () => {
    const { url } = await serve();
    const bytes = 3 * 1024 * 1024;
    const socket = await connected(url);
    socket.write(head(`content-encoding: br\r\ncontent-length: ${bytes}`));
    await sendsFirst(socket, bytes, false);
    expect((await answer(socket)).status).toBe(415);
  });

  it('is not asked for if its sender waits for "100 Continue"', async () => {
    const { url } = await serve();
    const socket = await connected(url);
    socket.write(head(`expect: 100-continue\r\ncontent-length: ${BODY_BYTES_MAX + 1}`));
    const { status, text } = await answer(socket);
    expect(status).toBe(413);
    expect(text).not.toContain('100 Continue');
  });

  it('is asked for once its head is accepted', async () => {
    const { url } = await serve();
    const socket = await connected(url);
    const body = eventText();
    socket.write(head(`expect: 100-continue\r\ncontent-length: ${body.length}`));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(body);
    expect((await answer(socket)).status).toBe(200);
  });

  it('and stalls is answered with 408', async () => {
    const { url, published } = await serve({ limits: { stallMsMax: 50 } });
    const socket = await connected(url);
    socket.write(`${head('content-length: 100')}[`);
    const { status, text } = await answer(socket);
    expect(status).toBe(408);
    expect(text).toContain('body_stalled');
    expect(text).toContain('retry-after');
    expect(published()).toEqual([]);
  });

  it('gives its bytes back and publishes nothing if its sender went away', async () => {
    const changes: number[] = [];
    const { url, published } = await serve({
      limits: { bytesInFlightMax: 1_000 },
      state: { inFlight: (change) => changes.push(change) },
    });
    const socket = await connected(url);
    socket.write(head('content-length: 1000') + 'x'.repeat(900));
    await expect.poll(() => changes).toEqual([1]);
    socket.destroy();
    await expect.poll(() => changes).toEqual([1, -1]);
    expect((await post(url, eventText({ message: 'x'.repeat(500) }))).status).toBe(200);
    expect(published()).toHaveLength(1);
  });
});

describe('other addresses', () => {
  it('says what this is at /', async () => {
    const { url } = await serve();
    expect(await (await fetch(url)).json()).toMatchObject({ service: 'runlog ingest' });
  });

  it('is live, and ready when it can publish', async () => {
    const ready = await serve();
    expect((await fetch(`${ready.url}/livez`)).status).toBe(200);
    expect((await fetch(`${ready.url}/readyz`)).status).toBe(200);
    const waiting = await serve({ state: { notReadyBecause: async () => 'no broker' } });
    const response = await fetch(`${waiting.url}/readyz`);
    expect([response.status, await response.json()]).toEqual([
      503,
      { error: { code: 'not_ready', message: 'no broker' } },
    ]);
    expect((await fetch(`${waiting.url}/livez`)).status).toBe(200);
  });

  it.each([
    ['GET', '/v1/events', 'POST'],
    ['PUT', '/v1/events', 'POST'],
    ['DELETE', '/v1/events', 'POST'],
    ['OPTIONS', '/v1/events', 'POST'],
    ['POST', '/', 'GET, HEAD'],
    ['POST', '/readyz', 'GET, HEAD'],
    ['DELETE', '/livez', 'GET, HEAD'],
  ])('refuses %s %s and says what is allowed', async (method, path, allow) => {
    const { url } = await serve();
    const response = await fetch(`${url}${path}`, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(await faultCode(response)).toBe('method_not_allowed');
  });

  it('counts what it accepts and refuses', async () => {
    const { url } = await serve();
    await post(url, `[${eventText()},${bad}]`, { 'x-cluster-id': 'c7' });
    await post(url, '[');
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      'runlog_ingest_events_accepted_total{cluster="c7"} 1',
      'runlog_ingest_events_rejected_total{code="schema"} 1',
      'runlog_ingest_requests_refused_total{code="invalid_json",status="400"} 1',
      'runlog_ingest_ack_seconds_count 1',
      'runlog_ingest_batch_events_sum 2',
      'runlog_ingest_in_flight_bytes 0',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('shows metrics only to holders of any key, if keys are required', async () => {
    const key = { id: 'v', sha256: '0'.repeat(64), role: 'view' as const, runs: ['*'] };
    const keys = { find: (secret: string) => (secret === 'v' ? key : null), onChange: () => () => undefined };
    const { url } = await serve({ keys });
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer v' } })).status).toBe(200);
  });

  it('knows no others', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/v1/nothing?x=1`, { method: 'POST', body: 'x' });
    expect([response.status, await faultCode(response)]).toEqual([404, 'not_found']);
  });
});
