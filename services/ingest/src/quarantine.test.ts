import { REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { type AppendResult, type RecordToAppend, TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../test/support/silent-logger.ts';
import type { RefusedEvent } from './accept-batch.ts';
import { createQuarantine } from './quarantine.ts';

const nowMs = Date.parse('2026-01-04T00:00:00Z');

function refused(overrides: Partial<RefusedEvent> = {}): RefusedEvent {
  return {
    error: { index: 0, event_id: 'e1', code: 'schema', path: 'run_id', message: 'is required' },
    key: 'c1/r1/default',
    value: Buffer.from('{}'),
    ...overrides,
  };
}

function quarantineOver(append: (records: readonly RecordToAppend[]) => Promise<AppendResult>) {
  const lines: object[] = [];
  const records: RecordToAppend[] = [];
  const clock = { ms: nowMs };
  const quarantine = createQuarantine({
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
  return { quarantine, lines, records, clock };
}

const acknowledge = async (records: readonly RecordToAppend[]) => ({
  acknowledged: records.length,
  baseOffset: 0,
});

describe('the quarantine', () => {
  it('keeps the bytes, truncated, with the reason in the headers', async () => {
    const { quarantine, records } = quarantineOver(acknowledge);
    const value = Buffer.alloc(REJECTED_BYTES_MAX + 10, 'x');
    quarantine.offer([refused({ value })], { receivedAtMs: nowMs, keyId: null });
    await quarantine.settled();
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

  it('drops what is too much at once, and takes more when the log has answered', async () => {
    const { quarantine, lines, records } = quarantineOver(acknowledge);
    const large = refused({ value: Buffer.alloc(REJECTED_BYTES_MAX) });
    quarantine.offer(
      Array.from({ length: 100 }, () => large),
      { receivedAtMs: nowMs, keyId: null },
    );
    expect(records).toHaveLength(64);
    expect(lines).toMatchObject([{ events: 36, reason: 'too many at once' }]);
    await quarantine.settled();
    quarantine.offer([large], { receivedAtMs: nowMs, keyId: null });
    expect(records).toHaveLength(65);
  });

  it.each([
    [
      'does not acknowledge',
      async () => ({ acknowledged: 0, baseOffset: -1, fault: new TopicIoError('unavailable', 'why') }),
    ],
    ['throws', () => Promise.reject(new Error('why'))],
  ])('says at most every 10 s how many were lost when the log %s', async (_how, append) => {
    const { quarantine, lines, clock } = quarantineOver(append);
    for (const laterMs of [0, 1, 9_999, 10_000]) {
      clock.ms = nowMs + laterMs;
      quarantine.offer([refused()], { receivedAtMs: clock.ms, keyId: null });
      await quarantine.settled();
    }
    expect(lines).toMatchObject([{ events: 1, reason: 'why' }, { events: 3 }]);
  });
});
