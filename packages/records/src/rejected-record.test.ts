import { REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { UNREADABLE_BYTES_KEPT } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import {
  cutRejected,
  decodeRejected,
  encodeRejected,
  encodeUnreadableBatch,
  type Rejected,
} from './rejected-record.ts';

const rejected: Rejected = {
  key: 'c1/r1/g1',
  code: 'schema',
  path: 'data.env_id',
  message: 'is required (expected int)',
  origin: 'ingest',
  keyId: 'c1-ingest',
};
const arrived = { value: Buffer.from('{"event_id":"e1"}'), receivedAtMs: 5 };

describe('the record of a rejected event', () => {
  it('is decoded to what was encoded', () => {
    expect(decodeRejected({ ...encodeRejected(rejected, arrived), offset: 0 })).toEqual({
      ...rejected,
      receivedAt: '1970-01-01T00:00:00.005Z',
      text: '{"event_id":"e1"}',
    });
  });

  it('has these bytes and headers', () => {
    const { value, ...rest } = encodeRejected(rejected, arrived);
    expect(value!.toString('utf8')).toBe('{"event_id":"e1"}');
    expect(rest).toEqual({
      key: 'c1/r1/g1',
      headers: {
        code: 'schema',
        path: 'data.env_id',
        message: 'is required (expected int)',
        received_at: '1970-01-01T00:00:00.005Z',
        origin: 'ingest',
        key_id: 'c1-ingest',
      },
      timestampMs: 5,
    });
  });

  it('has no key id in open mode', () => {
    expect(encodeRejected({ ...rejected, keyId: null }, arrived).headers).not.toHaveProperty('key_id');
  });

  it('keeps a bounded, redacted copy of the value', () => {
    const secret = Buffer.from(`{"api_key":"${'s'.repeat(20)}","rest":"${'x'.repeat(REJECTED_BYTES_MAX)}"}`);
    const { value } = encodeRejected(rejected, { ...arrived, value: secret });
    expect(value!.length).toBeLessThanOrEqual(REJECTED_BYTES_MAX);
    expect(value!.toString('utf8')).toMatch(/^\{"api_key":"\[redacted\]","rest":"x+/);
    expect(encodeRejected(rejected, { ...arrived, value: null }).value).toBeNull();
  });

  it('fits into any topic that is taken, whatever key a foreign record has', () => {
    const long = '\ufffd'.repeat(400_000);
    const encoded = encodeRejected({ ...rejected, key: long, path: long, message: long }, arrived);
    const { key, value, headers } = cutRejected(encoded, 8 * 1024);
    const texts = [key, ...Object.entries(headers).flat()].map((text) => Buffer.byteLength(text));
    expect(texts.reduce((sum, bytes) => sum + bytes, value!.length)).toBeLessThan(8 * 1024 - 512);
    expect(long.startsWith(key)).toBe(true);
    expect(encodeRejected(rejected, arrived).key).toBe(rejected.key);
  });

  it('of a batch that nobody can read says where it is and why, and keeps its first bytes', () => {
    const batch = { firstOffset: 7, lastOffset: 9, reason: 'has a wrong checksum', isDamaged: true };
    const bytes = Buffer.alloc(UNREADABLE_BYTES_KEPT, 0xfe);
    const record = encodeUnreadableBatch({ ...batch, bytes }, { topic: 't', partition: 3, receivedAtMs: 5 });
    const { text, ...decoded } = decodeRejected({ ...record, offset: 0 });
    expect(decoded).toMatchObject({
      ...{ key: '#batch', code: 'unreadable_batch', origin: 't:3:7' },
      message: 'the batch at offsets 7 to 9 has a wrong checksum',
    });
    expect(Buffer.from(text!, 'base64').equals(bytes)).toBe(true);
  });

  it('that another program wrote is decoded to the fields that it has', () => {
    const foreign = { key: 'k', value: null, headers: {}, timestampMs: 0, offset: 0 };
    expect(decodeRejected(foreign)).toEqual({
      ...{ key: 'k', code: null, path: null, message: null, receivedAt: null, origin: null, keyId: null },
      text: null,
    });
  });
});
