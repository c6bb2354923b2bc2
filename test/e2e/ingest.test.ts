import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { type IngestResponse, ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { BODY_BYTES_MAX, BODY_EVENTS_MAX, REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { systemClock } from '@runlog/service-kit/clock';
import { createLogger } from '@runlog/service-kit/logger';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type IngestConfig, readIngestConfig } from '../../services/ingest/src/config.ts';
import { startIngest } from '../../services/ingest/src/start-ingest.ts';
import { freePort } from '../support/free-ports.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const PARTITIONS = 3;
const logger = createLogger({ service: 'ingest-test', level: 'silent' });

function configFor(overrides: Record<string, string> = {}): IngestConfig {
  return readIngestConfig({
    KAFKA_BROKERS: inject('kafkaBrokers').join(','),
    RUNLOG_INGEST_PORT: '0',
    RUNLOG_PARTITIONS: String(PARTITIONS),
    RUNLOG_TOPIC_PREFIX: `${uniqueName('ingest')}.`,
    ...overrides,
  });
}

async function start(
  io: TopicIo,
  config: IngestConfig,
  options: { now?: () => number; brokerIsDown?: boolean } = {},
) {
  const newEpoch = () => randomBytes(4).toString('hex');
  const fail = (error: unknown) => {
    throw error;
  };
  const clock = { ...systemClock, now: options.now ?? systemClock.now };
  const running = await startIngest({ config, io, logger, clock, random: Math.random, newEpoch, fail });
  if (options.brokerIsDown !== true) await running.ready;
  return { url: running.addresses.ingest!, stop: () => running[Symbol.asyncDispose]() };
}

function eventText(overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({
    event_id: randomBytes(8).toString('hex'),
    event_type: 'NOTE',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: 'r1',
    data: {},
    ...overrides,
  });
}

function post(
  url: string,
  body: string | Buffer,
  options: { headers?: Record<string, string>; query?: string } = {},
): Promise<Response> {
  return fetch(`${url}/v1/events${options.query ?? ''}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...options.headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
}

async function answerOf(response: Response): Promise<IngestResponse> {
  return ingestResponseSchema.parse(await response.json());
}

async function recordsOf(io: TopicIo, topic: string): Promise<(LogRecord & { partition: number })[]> {
  const found: (LogRecord & { partition: number })[] = [];
  await readToEnd(io, {
    topic,
    partitions: Array.from({ length: PARTITIONS }, (_, partition) => partition),
    onRecords: (records, partition) => {
      for (const record of records) found.push({ ...record, partition });
    },
  });
  return found;
}

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'runlog-ingest-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe.each(['embedded', 'kafka'] as const)('ingest over the %s log', (engine) => {
  let io: TopicIo;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
    io =
      engine === 'embedded'
        ? await openEmbedded({ folder: folder.path, logger: silentLogger })
        : await openKafka({ brokers: inject('kafkaBrokers'), clientId: 'ingest-e2e', logger: silentLogger });
  });
  afterAll(async () => {
    await io[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  /** Starts an ingest with topics of its own, and returns it with readers of these topics. */
  async function fresh(options: { now?: () => number } = {}) {
    const config = configFor();
    const { topics } = config.log;
    const ingest = await start(io, config, options);
    return {
      url: ingest.url,
      events: () => recordsOf(io, topics.events),
      rejected: () => recordsOf(io, topics.rejected),
      [Symbol.asyncDispose]: ingest.stop,
    };
  }

  it('stores the bytes of each event as they came, under its run, with its headers and its time', async () => {
    const nowMs = Date.parse('2026-01-04T00:00:00.123Z');
    await using ingest = await fresh({ now: () => nowMs });
    const text =
      '{"event_id":"e-✓", "event_type":"NOTE","timestamp":"2026-01-03T23:59:47Z","run_id":"r1","group_id":"g1",' +
      '"emitter_id":"m1","emitter_seq":7,"epoch":1.0,"huge":1e999,"big":123456789012345678901,' +
      '"__proto__":{"a":"\\ud800"},"x" : [ 1e2 ] }';
    const response = await post(ingest.url, ` [ ${text} ] `, {
      headers: { 'content-type': 'application/json', 'x-cluster-id': 'c1' },
    });
    expect(response.status).toBe(200);
    expect(await answerOf(response)).toMatchObject({ accepted: 1, rejected: 0, retry: 0, normalized: 0 });
    const [record, ...others] = await ingest.events();
    expect(others).toEqual([]);
    expect(record!.value!.toString()).toBe(text);
    expect(record).toMatchObject({
      key: 'c1/r1/g1',
      partition: partitionOf('c1/r1/g1', PARTITIONS),
      timestampMs: nowMs,
      headers: {
        event_type: 'NOTE',
        event_id: 'e-✓',
        received_at: '2026-01-04T00:00:00.123Z',
        schema_version: '1',
        emitter_id: 'm1',
        emitter_seq: '7',
      },
    });
  });

  it('accepts gzip, rewrites bare NaN, and keeps rejected lines with their reasons', async () => {
    await using ingest = await fresh();
    const metric = eventText({ data: { loss: 'HERE' } }).replace('"HERE"', 'NaN');
    const bad = eventText({ run_id: undefined });
    const broken = `{"x":"${'x'.repeat(REJECTED_BYTES_MAX)}`;
    const body = gzipSync([eventText(), metric, bad, broken].join('\n'));
    const response = await post(ingest.url, body, { headers: { 'content-encoding': 'gzip' } });
    expect(response.status).toBe(200);
    expect(await answerOf(response)).toMatchObject({
      accepted: 2,
      rejected: 2,
      normalized: 1,
      errors: [
        { index: 2, code: 'schema', path: 'run_id' },
        { index: 3, code: 'invalid_json', path: '' },
      ],
    });
    expect((await ingest.events()).map((record) => record.value!.toString())).toContain(
      metric.replace('NaN', '"NaN"'),
    );
    await expect.poll(async () => (await ingest.rejected()).length).toBe(2);
    const rejected = await ingest.rejected();
    expect(rejected.map((record) => [record.key, record.headers.code, record.headers.origin])).toEqual([
      ['local', 'schema', 'ingest'],
      ['local', 'invalid_json', 'ingest'],
    ]);
    expect(rejected.map((record) => record.value!.toString())).toEqual([
      bad,
      broken.slice(0, REJECTED_BYTES_MAX),
    ]);
  });

  it('keeps the order within each run, across bodies that are sent at once', async () => {
    await using ingest = await fresh();
    const runs = ['a', 'b', 'c', 'd', 'e'];
    const bodies = runs.map((run_id) =>
      Array.from({ length: BODY_EVENTS_MAX }, (_, step) => eventText({ run_id, epoch: step })).join('\n'),
    );
    const answers = await Promise.all(bodies.map((body) => post(ingest.url, body)));
    for (const answer of answers) expect((await answerOf(answer)).accepted).toBe(BODY_EVENTS_MAX);
    const records = await ingest.events();
    for (const run of runs) {
      const steps = records
        .filter((record) => record.key === `local/${run}/default`)
        .map((record) => (JSON.parse(record.value!.toString()) as { epoch: number }).epoch);
      expect(steps).toEqual(Array.from({ length: BODY_EVENTS_MAX }, (_, step) => step));
    }
  });

  it.each([
    ['JSON that is cut off', `[${eventText()}`, { headers: { 'content-type': 'application/json' } }, 400],
    ['a bad cluster', eventText(), { headers: { 'x-cluster-id': 'a/b' } }, 400],
    ['a body too large', `${eventText()}\n${' '.repeat(BODY_BYTES_MAX)}`, {}, 413],
    ['a bomb', gzipSync(Buffer.alloc(50 * BODY_BYTES_MAX)), { headers: { 'content-encoding': 'gzip' } }, 413],
    ['too many events', `${eventText()}\n`.repeat(BODY_EVENTS_MAX + 1), {}, 413],
    ['another type', eventText(), { headers: { 'content-type': 'text/plain' } }, 415],
    ['another encoding', eventText(), { headers: { 'content-encoding': 'br' } }, 415],
    ['no valid event', '{}\n[]\n', {}, 422],
    ['a dry run', eventText(), { query: '?dry_run=1' }, 200],
    ['an empty body', '', {}, 200],
  ])('publishes nothing of %s', async (_what, body, options, status) => {
    await using ingest = await fresh();
    expect((await post(ingest.url, body, options)).status).toBe(status);
    expect(await ingest.events()).toEqual([]);
    await expect.poll(async () => (await fetch(`${ingest.url}/readyz`)).status).toBe(200);
  });

  it('finishes requests in flight when it is stopped, and refuses later ones', async () => {
    const config = configFor();
    const ingest = await start(io, config);
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(ingest.url).port) });
    await once(socket, 'connect');
    const body = eventText();
    const head = `POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    // Ingest asks for the body once it has begun with the request. From then on the request is in flight.
    socket.write(`${head}\r\nexpect: 100-continue\r\n\r\n`);
    await once(socket, 'data');
    const stopped = ingest.stop();
    const refused = await post(ingest.url, eventText());
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'closing' } }]);
    expect((await fetch(`${ingest.url}/readyz`)).status).toBe(503);
    socket.write(body);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    await stopped;
    expect((await recordsOf(io, config.log.topics.events)).map((record) => record.value!.toString())).toEqual(
      [body],
    );
    await expect(post(ingest.url, eventText())).rejects.toThrow();
  });
});

describe('ingest over a log that is full', () => {
  it('answers 503, publishes nothing of the body, and still answers other requests', async () => {
    await using folder = await temporaryFolder();
    await using io = await openEmbedded({
      folder: folder.path,
      mapBytesMax: 8 * 1024 * 1024,
      logger: silentLogger,
    });
    const ingest = await start(io, configFor());
    try {
      const body = Array.from({ length: 15 }, () => eventText({ message: 'x'.repeat(200_000) })).join('\n');
      const answers: { status: number; code: string | undefined }[] = [];
      while (answers.length < 10 && answers.at(-1)?.status !== 503) {
        const response = await post(ingest.url, body);
        const { error } = (await response.json()) as { error?: { code: string } };
        answers.push({ status: response.status, code: error?.code });
      }
      expect(answers.at(-1)).toEqual({ status: 503, code: 'storage_full' });
      expect((await fetch(`${ingest.url}/livez`)).status).toBe(200);
      expect((await post(ingest.url, eventText(), { query: '?dry_run=1' })).status).toBe(200);
    } finally {
      await ingest.stop();
    }
  });
});

describe('ingest without a log', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  /** Makes the port lead to the broker from now on. */
  async function forward(port: number, broker: string): Promise<void> {
    const [host = '', brokerPort = ''] = broker.split(':');
    const server = createServer((socket) => {
      const onward = connect({ host, port: Number(brokerPort) });
      socket.pipe(onward).pipe(socket);
      for (const each of [socket, onward]) each.on('error', () => socket.destroy());
    });
    servers.push(server);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  it('starts, says 503 and when to retry, and begins by itself when the broker is up', async () => {
    const port = await freePort();
    const brokers = [`127.0.0.1:${port}`];
    await using io = await openKafka({ brokers, clientId: 'ingest-e2e', logger: silentLogger });
    const ingest = await start(io, configFor({ KAFKA_BROKERS: brokers.join() }), { brokerIsDown: true });
    try {
      expect((await fetch(`${ingest.url}/livez`)).status).toBe(200);
      const ready = await fetch(`${ingest.url}/readyz`);
      expect([ready.status, await ready.json()]).toMatchObject([503, { error: { code: 'not_ready' } }]);
      const refused = await post(ingest.url, eventText());
      expect([refused.status, await refused.json()]).toMatchObject([
        503,
        { error: { code: 'log_unavailable' } },
      ]);
      expect(refused.headers.get('retry-after')).toMatch(/^[1-4]$/);
      await forward(port, inject('kafkaBrokers')[0]!);
      await expect
        .poll(async () => (await fetch(`${ingest.url}/readyz`)).status, { interval: 200 })
        .toBe(200);
      expect((await answerOf(await post(ingest.url, eventText()))).accepted).toBe(1);
    } finally {
      await ingest.stop();
    }
  });
});
