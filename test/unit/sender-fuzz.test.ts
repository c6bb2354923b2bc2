import { gzipSync } from 'node:zlib';
import { listen } from '@runlog/service-kit/http-server';
import { createLogger } from '@runlog/service-kit/logger';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIngestServer } from '../../services/ingest/src/http-server.ts';
import { FaultyLog } from '../support/faulty-log.ts';

const logger = createLogger({ service: 'ingest-test', level: 'silent' });
const log = new FaultyLog({ random: Math.random, faultShare: 0 });
const server = createIngestServer({
  ...{ logger, now: Date.now, random: Math.random, keys: null },
  state: {
    openLog: () => log.openLog(),
    notReadyBecause: async () => null,
    newerBuild: () => null,
    closing: () => false,
    inFlight: () => undefined,
  },
});
let url = '';

beforeAll(async () => {
  url = await listen(server, { host: '127.0.0.1', port: 0 });
});
afterAll(() => server.close());

const names = fc.oneof(
  fc.constantFrom(
    'event_type',
    'type',
    'name',
    'run',
    'run_id',
    'runlog.run',
    'runlog',
    'group_id',
    'timestamp',
  ),
  fc.constantFrom('date', 'data', 'message', 'severity', 'epoch', 'emitter_id', 'emitter_seq', 'event_id'),
  fc.constantFrom(
    'resourceLogs',
    'scopeLogs',
    'logRecords',
    'attributes',
    'resource',
    'key',
    'value',
    'body',
  ),
  fc.string({ maxLength: 4 }),
);
const scalars = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom('TRAINING_STARTED', 'METRICS', '2026-01-03T23:59:47Z', '__proto__', 'NaN', ''),
  fc.double(),
  fc.integer(),
  fc.constantFrom(null, true),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    scalars,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(names, tie('json'), { maxKeys: 6 }),
  ),
}));
const bodies = fc.oneof(
  json.map((value) => Buffer.from(JSON.stringify(value))),
  fc
    .array(json, { maxLength: 5 })
    .map((values) => Buffer.from(values.map((one) => JSON.stringify(one)).join(''))),
  fc.tuple(json, fc.nat()).map(([value, cut]) => {
    const text = Buffer.from(JSON.stringify(value));
    return text.subarray(0, cut % (text.length + 1));
  }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);

it('no body makes ingest answer 5xx to a sender', async () => {
  const requests = fc.record({
    path: fc.constantFrom('/v1/logs', '/v1/events?mode=sender', '/v1/keys/any/events'),
    type: fc.constantFrom('application/json', 'application/x-protobuf', 'application/x-ndjson', 'text/plain'),
    encoding: fc.constantFrom('identity', 'gzip'),
    isEncoded: fc.boolean(),
    body: bodies,
  });
  await fc.assert(
    fc.asyncProperty(requests, async ({ path, type, encoding, isEncoded, body }) => {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': type, 'content-encoding': encoding },
        body: new Uint8Array(encoding === 'gzip' && isEncoded ? gzipSync(body) : body),
      });
      await response.arrayBuffer();
      expect([200, 400, 415]).toContain(response.status);
      if (path.startsWith('/v1/keys')) expect(response.status).toBe(200);
    }),
    { numRuns: 300 },
  );
  // Whatever was stored is an event that the fold can read.
  expect([...log.runs().keys()].length).toBeGreaterThan(0);
});
