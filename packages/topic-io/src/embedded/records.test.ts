import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRecord,
  encodeRecords,
  hasKey,
  isTombstone,
  keyBytesOf,
  readRecordKey,
  timestampOf,
  writeRecordKey,
} from './records.ts';

const records = fc.array(
  fc.record({
    key: fc.string({ unit: 'grapheme' }),
    value: fc.option(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
    headers: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), {
      noNullPrototype: true,
    }),
    timestampMs: fc.integer({ min: -1, max: 2 ** 48 }),
  }),
);
const place = fc.record({
  topicId: fc.nat(0xffffffff),
  partition: fc.nat(0xffff),
  offset: fc.maxSafeNat().map((offset) => offset % 2 ** 48),
});

describe('the record codec', () => {
  it('gives back every record it encoded', () => {
    fc.assert(
      fc.property(records, (batch) => {
        const { encoded, bytes } = encodeRecords(batch);
        expect(encoded.reduce((sum, one) => sum + one.length, 0)).toBe(bytes);
        expect(encoded.map((one, offset) => decodeRecord(one, offset))).toEqual(
          batch.map((one, offset) => ({ ...one, offset })),
        );
        for (const [index, one] of encoded.entries()) {
          expect(keyBytesOf(one).toString()).toBe(batch[index]?.key);
          for (const { key } of batch) expect(hasKey(one, Buffer.from(key))).toBe(key === batch[index]?.key);
          expect(timestampOf(one)).toBe(batch[index]?.timestampMs);
          expect(isTombstone(one)).toBe(batch[index]?.value === null);
        }
      }),
    );
  });

  it('does not join half characters of neighbouring texts', () => {
    const record = {
      key: 'k\ud83d',
      value: Buffer.from('v'),
      headers: { '\ude00n': 'x\ud83d', '\ude00m': '' },
      timestampMs: 1,
    };
    const { encoded } = encodeRecords([record]);
    expect(decodeRecord(encoded[0]!, 0)).toEqual({
      ...record,
      key: 'k\ufffd',
      headers: { '\ufffdn': 'x\ufffd', '\ufffdm': '' },
      offset: 0,
    });
  });

  it('keeps a header named __proto__', () => {
    const headers = JSON.parse('{"__proto__":"kept"}') as Record<string, string>;
    const { encoded } = encodeRecords([{ key: 'k', value: null, headers, timestampMs: 1 }]);
    expect(Object.entries(decodeRecord(encoded[0]!, 0).headers)).toEqual([['__proto__', 'kept']]);
  });
});

describe('record keys', () => {
  it('sort like (topic, partition, offset), and read back', () => {
    fc.assert(
      fc.property(place, place, (one, other) => {
        const order =
          one.topicId - other.topicId || one.partition - other.partition || one.offset - other.offset;
        expect(Math.sign(Buffer.compare(writeRecordKey(one), writeRecordKey(other)))).toBe(Math.sign(order));
        expect(readRecordKey(writeRecordKey(one))).toEqual(one);
      }),
    );
  });
});
