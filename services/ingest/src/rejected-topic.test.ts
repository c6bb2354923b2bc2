import { REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { type AppendResult, type RecordToAppend, TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../test/support/silent-logger.ts';
import type { RejectedEvent } from './accept-batch.ts';
import { createRejectedTopic } from './rejected-topic.ts';

const nowMs = Date.parse('2026-01-04T00:00:00Z');

function rejected(overrides: Partial<RejectedEvent> = {}): RejectedEvent {
  return {
    error: { index: 0, event_id: 'e1', code: 'schema', path: 'run_id', message: 'is required' },
    key: 'c1/r1/default',
    value: Buffer.from('{}'),
    ...overrides,
  };
}

function topicOver(append: (records: readonly RecordToAppend[]) => Promise<AppendResult>) {
  const lines: object[] = [];
  const records: RecordToAppend[] = [];
  const clock = { ms: nowMs };
  const rejectedTopic = createRejectedTopic({
    writer: {
      pendingBytes: 0,
      append: (batch) => {
        records.push(...batch.records);
        return append(batch.records);
      },
      async [Symbol.asyncDispose]() {},
    },
    topic: 'rejected',
    partitions: 4,
    logger: { ...silentLogger, warn: (fields) => lines.push(fields) },
    now: () => clock.ms,
  });
  return { rejectedTopic, lines, records, clock };
}

const acknowledge = async (records: readonly RecordToAppend[]) => ({
  acknowledged: records.length,
  baseOffset: 0,
});

describe('the rejected topic', () => {
  it('keeps the bytes, truncated, with the reason in the headers', async () => {
    const { rejectedTopic, records } = topicOver(acknowledge);
    const value = Buffer.alloc(REJECTED_BYTES_MAX + 10, 'x');
    rejectedTopic.offer([rejected({ value })], { receivedAtMs: nowMs, keyId: null });
    await rejectedTopic.settled();
    expect(records).toEqual([
      {
        key: 'c1/r1/default',
        value: value.subarray(0, REJECTED_BYTES_MAX),
        headers: {
          code: 'schema',
          path: 'run_id',
          message: 'is required',
          received_at: '2026-01-04T00:00:00.000Z',
          origin: 'ingest',
        },
        timestampMs: nowMs,
      },
    ]);
  });

  it('drops events when too many come at once, and takes more when the log has answered', async () => {
    const { rejectedTopic, lines, records } = topicOver(acknowledge);
    const large = rejected({ value: Buffer.alloc(REJECTED_BYTES_MAX) });
    rejectedTopic.offer(
      Array.from({ length: 100 }, () => large),
      { receivedAtMs: nowMs, keyId: null },
    );
    expect(records).toHaveLength(64);
    expect(lines).toMatchObject([{ events: 36, reason: 'too many at once' }]);
    await rejectedTopic.settled();
    rejectedTopic.offer([large], { receivedAtMs: nowMs, keyId: null });
    expect(records).toHaveLength(65);
  });

  it('keeps as much of an event as the topic takes', async () => {
    const fault = new TopicIoError('too_large', 'a record is too large');
    const { rejectedTopic, lines, records } = topicOver(async (appended) => {
      const refused = appended.flatMap(({ value }, index) => (value!.length > 100 ? [{ index, fault }] : []));
      return { acknowledged: appended.length - refused.length, baseOffset: 0, fault, refused };
    });
    rejectedTopic.offer([rejected({ value: Buffer.alloc(1_600) }), rejected()], {
      ...{ receivedAtMs: nowMs, keyId: null },
    });
    await rejectedTopic.settled();
    expect(records.map(({ value }) => value?.length)).toEqual([1_600, 2, 800, 400, 0]);
    expect(lines).toEqual([]);
  });

  it('gives an event up whose headers alone are too large', async () => {
    const fault = new TopicIoError('too_large', 'a record is too large');
    const { rejectedTopic, lines } = topicOver(async (appended) => ({
      ...{ acknowledged: 0, baseOffset: -1, fault },
      refused: appended.map((_, index) => ({ index, fault })),
    }));
    rejectedTopic.offer([rejected()], { receivedAtMs: nowMs, keyId: null });
    await rejectedTopic.settled();
    expect(lines).toMatchObject([{ events: 1, reason: 'a record is too large' }]);
  });

  it.each([
    [
      'does not acknowledge',
      async () => ({ acknowledged: 0, baseOffset: -1, fault: new TopicIoError('unavailable', 'why') }),
    ],
    ['throws', () => Promise.reject(new Error('why'))],
  ])('logs at most every 10 s how many were lost when the log %s', async (_how, append) => {
    const { rejectedTopic, lines, clock } = topicOver(append);
    for (const laterMs of [0, 1, 9_999, 10_000]) {
      clock.ms = nowMs + laterMs;
      rejectedTopic.offer([rejected()], { receivedAtMs: clock.ms, keyId: null });
      await rejectedTopic.settled();
    }
    expect(lines).toMatchObject([{ events: 1, reason: 'why' }, { events: 3 }]);
  });
});
