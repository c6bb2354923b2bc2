import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Compression, codecOf, compress, startCodecs } from '../compression.ts';
import type { LogRecord, RecordToAppend } from '../topic-io.ts';
import { wireBytes } from './produce.ts';
import { decodeBatches } from './record-batch.ts';
import { type BatchToEncode, encodeRecordBatch, recordsIn, replaceRecords } from './record-batch-encoder.ts';

interface Encoded {
  readonly buffer: Buffer;
}

const require = createRequire(import.meta.url);
/** kafkajs's own request encoder. The records of one partition are in the last part of its request. */
const kafkajsRequest = require('kafkajs/src/protocol/requests/produce/v7/request') as (options: object) => {
  encode(): Promise<Encoded>;
};

async function encodeByKafkajs(batch: BatchToEncode, compression: Compression = 'none'): Promise<Buffer> {
  const messages = batch.records.map((record) => ({ ...record, timestamp: String(record.timestampMs) }));
  const request = kafkajsRequest({
    acks: -1,
    timeout: 0,
    transactionalId: batch.transactional ? 't' : null,
    producerId: batch.producerId.toString(),
    producerEpoch: batch.producerEpoch,
    compression: codecOf(compression),
    topicData: [{ topic: 't', partitions: [{ partition: 0, firstSequence: batch.firstSequence, messages }] }],
  });
  const { buffer } = await request.encode();
  const prefixBytes = (batch.transactional ? 3 : 2) + 2 + 4 + 4 + 3 + 4 + 4 + 4;
  return buffer.subarray(prefixBytes);
}

function encode(batch: BatchToEncode): Buffer {
  const bytes = Buffer.alloc(61 + batch.records.reduce((sum, record) => sum + wireBytes(record), 0), 0xaa);
  return bytes.subarray(0, encodeRecordBatch(batch, bytes));
}

async function encodeCompressed(
  batch: BatchToEncode,
  compression: Exclude<Compression, 'none'>,
): Promise<Buffer> {
  const bytes = encode(batch);
  const records = await compress(recordsIn(bytes, bytes.length), compression);
  return bytes.subarray(0, replaceRecords(bytes, { records, codec: codecOf(compression) }));
}

/** Returns the parts of a batch's header that do not depend on how well its records were compressed. */
function headerOf(batch: Buffer): Buffer[] {
  return [batch.subarray(0, 8), batch.subarray(12, 17), batch.subarray(21, 61)];
}

/** Encodes buffers as text, because long ones are compared faster that way. */
function asText(records: readonly LogRecord[]): object[] {
  return records.map(({ value, ...rest }) => ({ ...rest, value: value?.toString('latin1') ?? null }));
}

function batchOf(records: readonly RecordToAppend[], overrides: Partial<BatchToEncode> = {}): BatchToEncode {
  return {
    records,
    producerId: 4_001n,
    producerEpoch: 3,
    firstSequence: 17,
    transactional: false,
    ...overrides,
  };
}

function recordOf(overrides: Partial<RecordToAppend> = {}): RecordToAppend {
  return {
    key: 'c1/r1/g',
    value: Buffer.from('{}'),
    headers: {},
    timestampMs: 1_767_484_800_000,
    ...overrides,
  };
}

/** A record that compresses so well that a batch with it shrinks, whatever else is in it. */
const shrinking = recordOf({ value: Buffer.alloc(100_000, 'x') });

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 90 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 90, size: 'max' }),
);
const someRecord: fc.Arbitrary<RecordToAppend> = fc.record({
  key: text,
  value: fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 300, size: 'max' }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(0, 1, 20, 61, 62, 63, 64, 8_150, 8_191, 8_192, 70_000)
        .map((length) => Buffer.alloc(length, 7)),
    ),
  ),
  // An object cannot hold this name like any other.
  headers: fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    text,
    { maxKeys: 8 },
  ),
  // All timestamps have one length, because kafkajs finds the earliest by comparing text.
  timestampMs: fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 }),
});

describe('encodeRecordBatch', () => {
  it('writes the same bytes as kafkajs, for any records', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(someRecord, { minLength: 1, maxLength: 80 }),
        fc.bigInt({ min: 0n, max: 2n ** 62n }),
        fc.integer({ min: 0, max: 32_767 }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.boolean(),
        async (records, producerId, producerEpoch, firstSequence, transactional) => {
          const batch = { records, producerId, producerEpoch, firstSequence, transactional };
          expect(encode(batch).equals(await encodeByKafkajs(batch))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([62, 63, 64, 65, 200])('writes the same bytes as kafkajs for %i headers', async (count) => {
    const headers = Object.fromEntries(Array.from({ length: count }, (_, n) => [`name-${n}`, `text-${n}`]));
    const batch = batchOf([recordOf({ headers }), recordOf()]);
    expect(encode(batch).equals(await encodeByKafkajs(batch))).toBe(true);
  });

  it('writes the same batch as kafkajs with gzip, for any records: the same header, the same records', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(someRecord, { maxLength: 30 }),
        fc.bigInt({ min: 0n, max: 2n ** 62n }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.boolean(),
        async (drawn, producerId, firstSequence, transactional) => {
          const records = [...drawn, shrinking];
          const batch = batchOf(records, { producerId, firstSequence, transactional });
          const ours = await encodeCompressed(batch, 'gzip');
          const theirs = await encodeByKafkajs(batch, 'gzip');
          expect(headerOf(ours)).toEqual(headerOf(theirs));
          expect(ours.readInt16BE(21)).toBe(transactional ? 0x11 : 0x01);
          expect(ours.readInt32BE(8)).toBe(ours.length - 12);
          expect(ours.readUInt32BE(17)).toBe(crc32c(ours.subarray(21)));
          expect(gunzipSync(ours.subarray(61)).equals(gunzipSync(theirs.subarray(61)))).toBe(true);
          const expected = asText(records.map((record, offset) => ({ ...record, offset })));
          for (const bytes of [ours, theirs]) {
            expect(asText(decodeBatches({ bytes, fetchOffset: 0, aborted: [] }).records)).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('compresses with %s', async (compression) => {
    await startCodecs();
    const batch = batchOf([recordOf(), shrinking]);
    const bytes = await encodeCompressed(batch, compression);
    expect(bytes.length).toBeLessThan(5_000);
    expect(bytes.readInt16BE(21)).toBe(codecOf(compression));
    expect(decodeBatches({ bytes, fetchOffset: 0, aborted: [] }).records).toEqual(
      batch.records.map((record, offset) => ({ ...record, offset })),
    );
  });

  it('does not use compressed records that are longer', () => {
    const bytes = encode(batchOf([recordOf()]));
    const records = Buffer.alloc(bytes.length - 60);
    expect(() => replaceRecords(bytes, { records, codec: 1 })).toThrow(RangeError);
  });

  it('is read back by our own reader', () => {
    const records = [
      recordOf({ headers: { a: 'é' } }),
      recordOf({ value: null, timestampMs: 1_767_484_900_000 }),
    ];
    const decoded = decodeBatches({ bytes: encode(batchOf(records)), fetchOffset: 0, aborted: [] });
    expect(decoded).toEqual({
      records: records.map((record, offset) => ({ ...record, offset })),
      nextOffset: 2,
      unreadable: [],
      doubtful: null,
      inflatedBytes: expect.any(Number) as number,
    });
  });

  it('throws rather than cutting a batch off', () => {
    const batch = batchOf([recordOf(), recordOf()]);
    const needed = encode(batch).length;
    expect(() => encodeRecordBatch(batch, Buffer.alloc(needed - 1))).toThrow(RangeError);
    expect(encodeRecordBatch(batch, Buffer.alloc(needed))).toBe(needed);
  });
});
