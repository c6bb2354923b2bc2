import { randomBytes } from 'node:crypto';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { type TopicNames, topicNames } from '@runlog/schema/log/topics';
import { systemClock } from '@runlog/service-kit/clock';
import { createLogger } from '@runlog/service-kit/logger';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { CleanupPolicy, TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { readAggregatorConfig } from '../../services/aggregator/src/config.ts';
import { startAggregator } from '../../services/aggregator/src/start-aggregator.ts';
import { readIngestConfig } from '../../services/ingest/src/config.ts';
import { startIngest } from '../../services/ingest/src/start-ingest.ts';
import { runCli } from '../support/cli-process.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const HOUR_MS = 3_600_000;

describe('clocks that are apart', () => {
  let io: TopicIo;
  let topics: TopicNames;
  let env: Record<string, string>;
  beforeEach(async () => {
    const brokers = inject('kafkaBrokers');
    const prefix = `${uniqueName('clock')}-`;
    topics = topicNames(prefix);
    env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
    io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
  });
  afterEach(async () => {
    await io?.[Symbol.asyncDispose]();
  });

  async function make(
    name: string,
    settings: Record<string, string>,
    cleanupPolicy: CleanupPolicy = 'delete',
  ): Promise<void> {
    await io.ensureTopics([{ name, partitions: 1, cleanupPolicy, settings }]);
  }

  /** What a service is started with whose clock is what the test says. */
  function startedAt(clock: { aheadMs: number }) {
    return {
      ...{ io, random: Math.random, logger: createLogger({ service: 'clock-test', level: 'silent' }) },
      clock: { ...systemClock, now: () => Date.now() + clock.aheadMs },
      newEpoch: () => randomBytes(4).toString('hex'),
      fail: (error: unknown) => {
        throw error;
      },
    };
  }

  async function aggregatorAt(clock: { aheadMs: number }) {
    const fast = { RUNLOG_AGGREGATOR_PORT: '0', RUNLOG_SNAPSHOT_INTERVAL_MS: '200' };
    const config = readAggregatorConfig({ ...env, ...fast });
    const running = await startAggregator({ ...startedAt(clock), config });
    await running.ready;
    return {
      readiness: async () => (await fetch(`${running.addresses.aggregator}/readyz`)).text(),
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    };
  }

  async function ingestAt(clock: { aheadMs: number }) {
    const config = readIngestConfig({ ...env, RUNLOG_INGEST_PORT: '0' });
    const running = await startIngest({ ...startedAt(clock), config });
    await running.ready;
    const url = running.addresses.ingest!;
    return {
      post: () => post(url),
      readiness: async () => (await fetch(`${url}/readyz`)).text(),
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    };
  }

  async function countOf(topic: string): Promise<number> {
    const found: unknown[] = [];
    await readToEnd(io, { topic, partitions: [0], onRecords: (records) => found.push(...records) });
    return found.length;
  }

  it.each([
    ['ahead of', 2 * HOUR_MS, 'message.timestamp.after.max.ms'],
    ['behind', -2 * HOUR_MS, 'message.timestamp.before.max.ms'],
  ])(
    'are one answer of ingest and of /readyz, if it is hours %s the broker',
    async (which, aheadMs, setting) => {
      await make(topics.events, { [setting]: String(HOUR_MS) });
      const clock = { aheadMs: 0 };
      await using ingest = await ingestAt(clock);
      clock.aheadMs = aheadMs;
      const refused = await ingest.post();
      // 503 has every emitter keep its events, and the code says that nobody waits for anything to pass.
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(30);
      const { error } = (await refused.json()) as { error: { code: string; message: string } };
      expect(error.code).toBe('log_refuses');
      expect(error.message).not.toContain('send all of them again');
      expect(error.message).toContain('INVALID_TIMESTAMP');
      expect(error.message).toMatch(new RegExp(`this machine is (2 h|1 h 59 min).* ${which} the broker's`));
      expect(error.message).toContain(`${setting}=${HOUR_MS}`);
      const readiness = await ingest.readiness();
      expect(readiness).toContain('not_ready');
      expect(readiness).toContain('INVALID_TIMESTAMP');

      clock.aheadMs = 0;
      expect((await ingest.post()).status).toBe(200);
      expect(await countOf(topics.events)).toBe(1);
    },
  );

  it('hold snapshots back until somebody acts, which the aggregator says', async () => {
    await make(topics.snapshots, { 'message.timestamp.after.max.ms': String(HOUR_MS) }, 'compact');
    const clock = { aheadMs: 0 };
    await using aggregator = await aggregatorAt(clock);
    await using ingest = await ingestAt({ aheadMs: 0 });
    clock.aheadMs = 2 * HOUR_MS;
    expect((await ingest.post()).status).toBe(200);
    await expect.poll(aggregator.readiness).toContain('INVALID_TIMESTAMP');
    expect(await aggregator.readiness()).toContain(`message.timestamp.after.max.ms=${HOUR_MS}`);
    expect(await aggregator.readiness()).toMatch(/this machine is (2 h|1 h 59 min).* ahead of the broker's/);
    clock.aheadMs = 0;
    await expect.poll(aggregator.readiness).toContain('"ready"');
    await expect.poll(async () => (await runCli(['verify'], env)).code).toBe(0);
  });

  it('do not matter where the broker dates records itself', async () => {
    const dated = { 'message.timestamp.type': 'LogAppendTime' };
    await make(topics.events, dated);
    await make(topics.snapshots, dated, 'compact');
    const nowMs = Date.now();
    await using ingest = await ingestAt({ aheadMs: -48 * HOUR_MS });
    expect((await ingest.post()).status).toBe(200);
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await expect.poll(async () => (await runCli(['verify'], env)).code).toBe(0);
    expect(aggregator.ended).toBe(false);
    await readToEnd(io, {
      ...{ topic: topics.events, partitions: [0] },
      onRecords: ([record]) => {
        expect(record!.timestampMs).toBeGreaterThan(nowMs - HOUR_MS);
        expect(Date.parse(record!.headers.received_at!)).toBeLessThan(nowMs - 47 * HOUR_MS);
      },
    });
  });
});

function post(url: string): Promise<Response> {
  const event = {
    ...{ event_id: randomBytes(8).toString('hex'), event_type: 'NOTE', run_id: 'r1', data: {} },
    timestamp: '2026-01-03T23:59:47.900Z',
  };
  return fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: JSON.stringify(event),
  });
}
