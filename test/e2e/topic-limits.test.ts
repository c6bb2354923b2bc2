import { randomBytes } from 'node:crypto';
import { decodeRejected } from '@runlog/records/rejected-record';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { type TopicNames, topicNames } from '@runlog/schema/log/topics';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { CleanupPolicy, LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { alterTopic } from '../support/topic-settings.ts';
import { uniqueName } from '../support/unique-name.ts';

const KIB = 1024;
const LIMIT = { 'max.message.bytes': String(16 * KIB) };

describe('topics that were made beforehand and take less than runlog would', () => {
  let io: TopicIo;
  let topics: TopicNames;
  let env: Record<string, string>;
  let brokers: readonly string[];
  beforeEach(async () => {
    brokers = inject('kafkaBrokers');
    const prefix = `${uniqueName('limits')}-`;
    topics = topicNames(prefix);
    env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
    io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
  });
  afterEach(async () => {
    await io?.[Symbol.asyncDispose]();
  });

  async function make(name: string, cleanupPolicy: CleanupPolicy = 'delete'): Promise<void> {
    await io.ensureTopics([{ name, partitions: 1, cleanupPolicy, settings: LIMIT }]);
  }

  async function recordsOf(topic: string): Promise<LogRecord[]> {
    const found: LogRecord[] = [];
    await readToEnd(io, { topic, partitions: [0], onRecords: (records) => found.push(...records) });
    return found;
  }

  it('takes bodies of many events, and refuses an event that cannot fit by its name', async () => {
    await make(topics.events);
    await make(topics.rejected);
    await using ingest = await ServiceProcess.start('ingest', env);
    const post = (...events: string[]) => postEvents(ingest, events);
    const small = Array.from({ length: 200 }, () => eventOf(KIB));
    const large = eventOf(40 * KIB);

    const response = await post(...small.slice(0, 100), large, ...small.slice(100));
    expect(response.status).toBe(200);
    const answer = ingestResponseSchema.parse(await response.json());
    expect(answer).toMatchObject({ accepted: 200, rejected: 1, retry: 0, retry_indexes: [] });
    expect(answer.errors).toMatchObject([{ index: 100, code: 'event_too_large', path: '' }]);
    expect(answer.errors[0]!.event_id).toBe((JSON.parse(large) as { event_id: string }).event_id);
    expect(answer.errors[0]!.message).toContain(`${topics.events}, whose max.message.bytes is 16384`);
    expect((await recordsOf(topics.events)).map(({ value }) => value?.toString())).toEqual(small);

    const alone = await post(large);
    expect(alone.status).toBe(422);
    expect(await alone.json()).toMatchObject({ rejected: 1, error: { code: 'all_rejected' } });
    expect(await (await fetch(`${ingest.addresses.ingest}/readyz`)).json()).toEqual({ status: 'ready' });

    // The topic of rejected events takes no more either, so a part of the event is kept.
    await expect.poll(async () => (await recordsOf(topics.rejected)).length).toBe(2);
    for (const record of await recordsOf(topics.rejected)) {
      const { code, message, text } = decodeRejected(record);
      expect(code).toBe('event_too_large');
      expect(message).toContain('MESSAGE_TOO_LARGE');
      expect(large.startsWith(text!)).toBe(true);
      expect(text!.length).toBeGreaterThan(4 * KIB);
    }
  });

  it('misses nothing of a numbered body of which one event cannot fit, however often it is sent', async () => {
    await make(topics.events);
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using gateway = await ServiceProcess.start('gateway', env);
    await using ingest = await ServiceProcess.start('ingest', env);
    const lines = Array.from({ length: 200 }, (_, n) => ({
      ...{ run: 'r1', type: 'line', time: '2026-01-03T23:59:47Z', n },
      text: n === 100 ? randomBytes(20 * KIB).toString('hex') : 'short',
    }));
    const post = async () => {
      const response = await fetch(`${ingest.addresses.ingest}/v1/events?mode=sender`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(lines),
      });
      expect(response.status).toBe(200);
      return ingestResponseSchema.parse(await response.json());
    };
    for (let sent = 0; sent < 2; sent += 1) {
      const answer = await post();
      expect(answer).toMatchObject({ accepted: 199, rejected: 1, retry: 0 });
      expect(answer.errors).toMatchObject([{ index: 100, code: 'event_too_large' }]);
    }
    const shown = async () =>
      (await fetch(`${gateway.addresses.gateway}/v1/runs/local/r1/default`)).json() as Promise<object>;
    await expect
      .poll(shown)
      .toMatchObject({ total_events_received: 200, missing: 0, duplicates: 0, conflicts: 0 });
    const stand = (await recordsOf(topics.events)).filter(
      ({ headers }) => headers.event_type === 'EVENT_REFUSED',
    );
    expect(stand).toHaveLength(1);
    expect(JSON.parse(stand[0]!.value!.toString('utf8'))).toMatchObject({
      ...{ run_id: 'r1', severity: 'warning', emitter_seq: 101, timestamp: '2026-01-03T23:59:47Z' },
      message: expect.stringContaining(`${topics.events}, whose max.message.bytes is 16384`),
      data: { event_type: 'LINE', code: 'event_too_large' },
    });
    expect(aggregator.ended).toBe(false);
  });

  it('refuses to fill snapshots that their topic may not take, and says what mends it', async () => {
    await make(topics.snapshots, 'compact');
    const refusal = await ServiceProcess.start('aggregator', env).catch(String);
    expect(refusal).toContain('aggregator ended (1)');
    expect(refusal).toContain(`${topics.snapshots} takes records of at most 16384 bytes`);
    expect(refusal).toContain(`--entity-name ${topics.snapshots} --add-config max.message.bytes=1048576`);
  });

  it.each([
    ['events', 'compact', 'delete'],
    ['meta', 'delete', 'compact'],
  ] as const)('refuses %s in a topic whose policy is to %s', async (which, policy, due) => {
    await make(topics[which], policy);
    const refusal = await ServiceProcess.start('ingest', env).catch(String);
    expect(refusal).toContain('ingest ended (1)');
    expect(refusal).toContain(`${topics[which]} has cleanup.policy=${policy}`);
    expect(refusal).toContain(`--entity-name ${topics[which]} --add-config cleanup.policy=${due}`);
  });

  it('says once how an existing topic differs from its own, and changes nothing', async () => {
    await make(topics.events);
    await using ingest = await ServiceProcess.start('ingest', env);
    const lines = ingest.output.split('\n').filter((line) => line.includes('"differences"'));
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      {
        ...{ level: 40, topic: topics.events },
        differences: [
          { setting: 'max.message.bytes', wanted: '1048576', found: '16384', grave: true },
          { setting: 'retention.ms', wanted: '2592000000', found: '604800000', grave: true },
        ],
      },
    ]);
    expect((await io.describeTopic(topics.events))?.settings).toMatchObject(LIMIT);
  });

  it('says what holds snapshots back when their limit is lowered, and goes on when it is raised', async () => {
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using ingest = await ServiceProcess.start('ingest', env);
    const readiness = async () => (await fetch(`${aggregator.addresses.aggregator}/readyz`)).text();
    await alterTopic(brokers, topics.snapshots, { 'cleanup.policy': 'compact', ...LIMIT });
    const wordy = Array.from({ length: 90 }, () => eventOf(KIB, { message: 'x'.repeat(900) }));
    expect((await postEvents(ingest, wordy)).status).toBe(200);
    await expect.poll(readiness).toContain('MESSAGE_TOO_LARGE');
    expect(await readiness()).toContain(`${topics.snapshots}, whose max.message.bytes is 16384`);
    await alterTopic(brokers, topics.snapshots, { 'cleanup.policy': 'compact' });
    await expect.poll(readiness).toContain('"ready"');
    await expect.poll(async () => (await runCli(['verify'], env)).code).toBe(0);
    expect(aggregator.ended).toBe(false);
  });

  it('copies what no fold can read to a topic of rejected events that takes less', async () => {
    await make(topics.rejected);
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using writer = await io.writer();
    const value = randomBytes(60 * KIB);
    const foreign = { key: 'c1/r1/default', value, headers: {}, timestampMs: Date.now() };
    // A key may be larger than all that the other topic takes.
    const longKeyed = { ...foreign, key: 'k'.repeat(60 * KIB) };
    await writer.append({ topic: topics.events, partition: 0, records: [foreign, longKeyed] });
    await expect.poll(async () => (await recordsOf(topics.rejected)).length).toBe(2);
    const [copy, ofLongKey] = await recordsOf(topics.rejected);
    expect(ofLongKey).toMatchObject({ key: 'k'.repeat(512), headers: { code: 'unfoldable' } });
    expect(copy).toMatchObject({ key: 'c1/r1/default', headers: { code: 'unfoldable' } });
    expect(copy!.value!.length).toBeGreaterThan(15 * KIB);
    expect(value.subarray(0, copy!.value!.length).equals(copy!.value!)).toBe(true);
    expect(aggregator.ended).toBe(false);
  });
});

function eventOf(bytes: number, data: Record<string, string> = {}): string {
  return JSON.stringify({
    ...{ event_id: randomBytes(8).toString('hex'), event_type: 'NOTE', run_id: 'r1' },
    ...{
      timestamp: '2026-01-03T23:59:47.900Z',
      data: { ...data, pad: randomBytes(bytes / 2).toString('hex') },
    },
  });
}

function postEvents(ingest: ServiceProcess, events: readonly string[]): Promise<Response> {
  return fetch(`${ingest.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.join('\n'),
  });
}
