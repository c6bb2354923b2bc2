import { randomBytes } from 'node:crypto';
import { decodeRejected } from '@runlog/records/rejected-record';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { type TopicNames, topicNames } from '@runlog/schema/log/topics';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const KIB = 1024;
const LIMIT = { 'max.message.bytes': String(16 * KIB) };

describe('topics that were made beforehand and take less than runlog would', () => {
  let io: TopicIo;
  let topics: TopicNames;
  let env: Record<string, string>;
  beforeEach(async () => {
    const brokers = inject('kafkaBrokers');
    const prefix = `${uniqueName('limits')}-`;
    topics = topicNames(prefix);
    env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
    io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
  });
  afterEach(async () => {
    await io?.[Symbol.asyncDispose]();
  });

  async function make(...names: string[]): Promise<void> {
    await io.ensureTopics(
      names.map((name) => ({ name, partitions: 1, cleanupPolicy: 'delete', settings: LIMIT })),
    );
  }

  async function recordsOf(topic: string): Promise<LogRecord[]> {
    const found: LogRecord[] = [];
    await readToEnd(io, { topic, partitions: [0], onRecords: (records) => found.push(...records) });
    return found;
  }

  it('takes bodies of many events, and refuses an event that cannot fit by its name', async () => {
    await make(topics.events, topics.rejected);
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
});

function eventOf(bytes: number): string {
  return JSON.stringify({
    ...{ event_id: randomBytes(8).toString('hex'), event_type: 'NOTE', run_id: 'r1' },
    ...{ timestamp: '2026-01-03T23:59:47.900Z', data: { pad: randomBytes(bytes / 2).toString('hex') } },
  });
}

function postEvents(ingest: ServiceProcess, events: readonly string[]): Promise<Response> {
  return fetch(`${ingest.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.join('\n'),
  });
}
