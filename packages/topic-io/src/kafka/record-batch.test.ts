import * as zlib from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../topic-io.ts';
import { decodeBatches } from './record-batch.ts';

interface BatchToEncode {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly records: readonly LogRecord[];
  readonly baseTimestampMs: number;
  readonly producerId: bigint;
  readonly attributes: number;
  /** What the header says; by default the truth. */
  readonly count?: number;
}

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

describe('decodeBatches', () => {
  it('gives back what was encoded, record by record', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    // An object cannot hold this name like any other.
    const headerName = fc.string({ minLength: 1, maxLength: 12 }).filter((name) => name !== '__proto__');
    const someRecord = fc.record({
      key: text,
      value: fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
      headers: fc.dictionary(headerName, text, { maxKeys: 4 }),
      timestampMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
      gap: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(
        fc.array(someRecord, { maxLength: 20 }),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 10_000 }),
        fc.boolean(),
        (drawn, baseOffset, gzip) => {
          let offset = baseOffset;
          const records = drawn.map(({ gap, ...rest }) => {
            offset += gap;
            return { ...rest, offset };
          });
          const bytes = encode(
            batch({ baseOffset, lastOffset: offset + 3, records, attributes: gzip ? 1 : 0 }),
          );
          const decoded = decodeBatches({ bytes, fetchOffset: baseOffset, aborted: [] });
          expect(decoded).toEqual({ ...well, records, nextOffset: offset + 4 });
        },
      ),
    );
  });

  it('tells texts of one length apart, in each place separately', () => {
    const text = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'é', '\u0000\u0000');
    const someRecord = fc.record({ key: text, headers: fc.dictionary(fc.constantFrom('h', 'i'), text) });
    fc.assert(
      fc.property(fc.array(someRecord, { maxLength: 30, size: 'max' }), (drawn) => {
        const records = drawn.map((rest, offset) => ({ ...record(offset), ...rest }));
        const bytes = encode(batch({ lastOffset: 30, records }));
        expect(decodeBatches({ bytes, fetchOffset: 0, aborted: [] }).records).toEqual(records);
      }),
    );
  });

  it('moves past a batch whose records were all compacted away', () => {
    const bytes = Buffer.concat([
      encode(batch({ baseOffset: 10, lastOffset: 12, records: [record(11)] })),
      encode(batch({ baseOffset: 13, lastOffset: 40, records: [] })),
    ]);
    const decoded = decodeBatches({ bytes, fetchOffset: 10, aborted: [] });
    expect(decoded.records.map(({ offset }) => offset)).toEqual([11]);
    expect(decoded.nextOffset).toBe(41);
  });

  it('moves past a batch whose last records were compacted away', () => {
    const bytes = encode(batch({ baseOffset: 0, lastOffset: 99, records: [record(0), record(5)] }));
    expect(decodeBatches({ bytes, fetchOffset: 0, aborted: [] }).nextOffset).toBe(100);
  });

  it('leaves out the records below the requested offset', () => {
    const bytes = encode(batch({ baseOffset: 0, lastOffset: 3, records: [0, 1, 2, 3].map(record) }));
    const decoded = decodeBatches({ bytes, fetchOffset: 2, aborted: [] });
    expect(decoded.records.map(({ offset }) => offset)).toEqual([2, 3]);
  });

  it('leaves the last batch to the next fetch if it is cut off, at any byte', () => {
    const first = encode(batch({ baseOffset: 6, lastOffset: 6, records: [record(6)] }));
    const whole = encode(batch({ baseOffset: 7, lastOffset: 8, records: [record(7), record(8)] }));
    for (let length = 0; length < whole.length; length += 1) {
      const bytes = Buffer.concat([first, whole.subarray(0, length)]);
      const decoded = decodeBatches({ bytes, fetchOffset: 6, aborted: [] });
      expect(decoded).toEqual({ ...well, records: [record(6)], nextOffset: 7 });
    }
  });

  it('doubts a batch that is cut off and the first of its answer, at any byte: no broker sends that', () => {
    const whole = encode(batch({ baseOffset: 7, lastOffset: 8, records: [record(7), record(8)] }));
    for (let length = 1; length < whole.length; length += 1) {
      const decoded = decodeBatches({ bytes: whole.subarray(0, length), fetchOffset: 7, aborted: [] });
      const lastOffset = length < 61 ? 7 : 8;
      const doubtful = { firstOffset: 7, lastOffset, reason: expect.stringContaining('cut off') };
      expect(decoded).toMatchObject({ records: [], unreadable: [], nextOffset: 7, doubtful });
    }
  });

  it('drops the records of aborted transactions and keeps those of the same producer before and after', () => {
    const bytes = Buffer.concat([
      encode(batch({ ...transactional(1n), baseOffset: 0, lastOffset: 0, records: [record(0)] })),
      encode(marker({ producerId: 1n, offset: 1, commit: true })),
      encode(batch({ ...transactional(1n), baseOffset: 2, lastOffset: 2, records: [record(2)] })),
      encode(batch({ ...transactional(2n), baseOffset: 3, lastOffset: 3, records: [record(3)] })),
      encode(batch({ baseOffset: 4, lastOffset: 4, records: [record(4)] })),
      encode(marker({ producerId: 1n, offset: 5, commit: false })),
      encode(batch({ ...transactional(1n), baseOffset: 6, lastOffset: 6, records: [record(6)] })),
      encode(marker({ producerId: 2n, offset: 7, commit: true })),
      encode(marker({ producerId: 1n, offset: 8, commit: true })),
    ]);
    const decoded = decodeBatches({ bytes, fetchOffset: 0, aborted: [{ producerId: 1n, firstOffset: 2 }] });
    expect(decoded.records.map(({ offset }) => offset)).toEqual([0, 3, 4, 6]);
    expect(decoded.nextOffset).toBe(9);
  });

  it('drops an aborted transaction that began below the requested offset', () => {
    const bytes = Buffer.concat([
      encode(batch({ ...transactional(9n), baseOffset: 50, lastOffset: 50, records: [record(50)] })),
      encode(marker({ producerId: 9n, offset: 51, commit: false })),
    ]);
    const decoded = decodeBatches({ bytes, fetchOffset: 50, aborted: [{ producerId: 9n, firstOffset: 3 }] });
    expect(decoded).toEqual({ ...well, records: [], nextOffset: 52 });
  });

  it('gives the time of the append if the topic is configured so', () => {
    const bytes = encode(batch({ attributes: 0x08, baseOffset: 0, lastOffset: 0, records: [record(0)] }));
    bytes.writeBigInt64BE(777n, 35);
    seal(bytes);
    expect(decodeBatches({ bytes, fetchOffset: 0, aborted: [] }).records[0]?.timestampMs).toBe(777);
  });

  it.each([
    ['an unknown codec', { attributes: 5 }, 'is compressed with the unknown codec 5'],
    ['a codec that it is not in', { attributes: 3 }, 'is compressed with lz4 and cannot be decompressed'],
    ['fewer records than it says', { count: 3 }, 'has a record that ends behind it'],
    ['more records than it says', { count: 1 }, 'holds more than the 1 records'],
    ['a negative count', { count: -1 }, 'claims -1 records'],
    [
      'offsets beyond its last',
      { records: [record(7), record(9)] },
      'a record at offset 9, which is out of place',
    ],
    ['offsets twice', { records: [record(8), record(8)] }, 'a record at offset 8, which is out of place'],
  ] as const)('passes a batch with %s, and decodes what is around it', (_, broken, reason) => {
    const bytes = Buffer.concat([
      encode(batch({ baseOffset: 6, lastOffset: 6, records: [record(6)] })),
      encode(batch({ baseOffset: 7, lastOffset: 8, records: [record(7), record(8)], ...broken })),
      encode(batch({ baseOffset: 9, lastOffset: 9, records: [record(9)] })),
    ]);
    for (const fetchOffset of [6, 7, 8]) {
      const decoded = decodeBatches({
        bytes: fetchOffset === 6 ? bytes : bytes.subarray(firstBytes(bytes)),
        fetchOffset,
        aborted: [],
      });
      const kept = [6, 9].filter((offset) => offset >= fetchOffset);
      expect(decoded).toMatchObject({ nextOffset: 10, doubtful: null });
      expect(decoded.records.map(({ offset }) => offset)).toEqual(kept);
      expect(decoded.unreadable).toMatchObject([{ firstOffset: 7, reason: expect.stringContaining(reason) }]);
    }
  });

  it('stops before a batch with a wrong checksum at whatever byte, and says where it is', () => {
    const before = encode(batch({ baseOffset: 6, lastOffset: 6, records: [record(6)] }));
    const broken = encode(batch({ baseOffset: 7, lastOffset: 8, records: [record(7), record(8)] }));
    const after = encode(batch({ baseOffset: 9, lastOffset: 9, records: [record(9)] }));
    for (let at = 17; at < broken.length; at += 1) {
      const bytes = Buffer.concat([before, broken, after]);
      bytes[before.length + at]! ^= 0x10;
      const { records, nextOffset, unreadable, doubtful } = decodeBatches({
        bytes,
        fetchOffset: 6,
        aborted: [],
      });
      expect([records, nextOffset, unreadable]).toEqual([[record(6)], 7, []]);
      expect(doubtful).toMatchObject({ firstOffset: 7, reason: 'has a wrong checksum' });
      expect(doubtful!.lastOffset).toBeGreaterThanOrEqual(7);
      expect(doubtful!.lastOffset).toBeLessThanOrEqual(8);
    }
  });

  it('never throws and always goes on, whatever the bytes are', () => {
    const whole = Buffer.concat([
      encode(batch({ baseOffset: 6, lastOffset: 6, records: [record(6)] })),
      encode(batch({ attributes: 1, baseOffset: 7, lastOffset: 8, records: [record(7), record(8)] })),
      encode(marker({ producerId: 1n, offset: 9, commit: false })),
    ]);
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255), isSealed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(9), (changes, fetchOffset) => {
        const bytes = Buffer.from(whole);
        for (const { at, to } of changes) bytes[at] = to;
        if (changes[0]!.isSealed) sealAll(bytes);
        const decoded = decodeBatches({ bytes, fetchOffset, aborted: [], stableEnd: 10 });
        expect(decoded.nextOffset).toBeGreaterThanOrEqual(fetchOffset);
        for (const { offset } of decoded.records) expect(offset).toBeLessThan(decoded.nextOffset);
        if (decoded.doubtful !== null)
          expect(decoded.doubtful.lastOffset).toBeGreaterThanOrEqual(decoded.nextOffset);
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not take what follows a broken mark of a transaction for aborted', () => {
    const bytes = Buffer.concat([
      encode(batch({ ...transactional(1n), baseOffset: 0, lastOffset: 0, records: [record(0)] })),
      encode(marker({ producerId: 1n, offset: 1, commit: false })),
      encode(batch({ ...transactional(1n), baseOffset: 2, lastOffset: 2, records: [record(2)] })),
    ]);
    const length = firstBytes(bytes);
    bytes[length + 70]! ^= 0xff;
    const aborted = [{ producerId: 1n, firstOffset: 0 }];
    const decoded = decodeBatches({ bytes, fetchOffset: 0, aborted });
    expect(decoded).toMatchObject({
      records: [],
      nextOffset: 1,
      doubtful: { firstOffset: 1, lastOffset: 1 },
    });
  });

  it('leaves what would inflate to too much to the next fetch, but always goes on', () => {
    const at = (offset: number) =>
      batch({ baseOffset: offset, lastOffset: offset, records: [record(offset)] });
    const bytes = Buffer.concat([0, 1, 2].map((offset) => encode({ ...at(offset), attributes: 1 })));
    const decoded = (inflatedBytesMax: number) =>
      decodeBatches({ bytes, fetchOffset: 0, aborted: [], inflatedBytesMax });
    const { inflatedBytes, records } = decoded(0);
    expect(records).toEqual([record(0)]);
    expect(decoded(inflatedBytes)).toMatchObject({ records: [{}, {}], nextOffset: 2 });
    expect(decoded(2 * inflatedBytes)).toMatchObject({ records: [{}, {}, {}], nextOffset: 3 });
  });

  it.each([0, 1, 3, 255])('doubts format %i, and passes it by its one offset', (magic) => {
    const old = encode(batch({ baseOffset: 5, lastOffset: 5, records: [record(5)] }));
    old[16] = magic;
    expect(decodeBatches({ bytes: old, fetchOffset: 5, aborted: [] })).toMatchObject({
      ...{ records: [], nextOffset: 5, unreadable: [] },
      doubtful: { firstOffset: 5, lastOffset: 5, reason: `has format ${magic}, not 2` },
    });
  });
});

/** What there is beside the records if all is well. */
const well = { unreadable: [], doubtful: null, inflatedBytes: expect.any(Number) as number };

function firstBytes(bytes: Buffer): number {
  return 12 + bytes.readInt32BE(8);
}

/** Writes the checksum of the one batch. */
function seal(bytes: Buffer): void {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
}

/** Writes the checksums of batches, as far as their lengths lead to them. */
function sealAll(bytes: Buffer): void {
  for (let at = 0; bytes.length - at >= 61; ) {
    const length = firstBytes(bytes.subarray(at));
    if (length < 61 || at + length > bytes.length) return;
    seal(bytes.subarray(at, at + length));
    at += length;
  }
}

function record(offset: number): LogRecord {
  return { key: 'k', value: Buffer.from(String(offset)), headers: {}, timestampMs: 1_000, offset };
}

function batch(overrides: Partial<BatchToEncode>): BatchToEncode {
  const plain = { baseTimestampMs: 1_000_000, producerId: -1n, attributes: 0 };
  return { baseOffset: 0, lastOffset: 0, records: [], ...plain, ...overrides };
}

function transactional(producerId: bigint) {
  return { producerId, attributes: TRANSACTIONAL };
}

function marker(options: { producerId: bigint; offset: number; commit: boolean }): BatchToEncode {
  const { producerId, offset, commit } = options;
  const key = String.fromCharCode(0, 0, 0, commit ? 1 : 0);
  const records = [{ key, value: Buffer.alloc(6), headers: {}, timestampMs: 0, offset }];
  const attributes = TRANSACTIONAL | CONTROL;
  return batch({ producerId, attributes, baseOffset: offset, lastOffset: offset, records });
}

/** Encodes Kafka's batch format, independently of the code under test. */
function encode(options: BatchToEncode): Buffer {
  const { baseOffset, lastOffset, records, baseTimestampMs, producerId, attributes } = options;
  const header = Buffer.alloc(61);
  const encoded = Buffer.concat(
    records.map(({ key, value, headers, timestampMs, offset }) => {
      const body = Buffer.concat([
        Buffer.from([0]),
        varint(BigInt(timestampMs - baseTimestampMs)),
        varint(BigInt(offset - baseOffset)),
        ...lengthed(Buffer.from(key)),
        ...(value === null ? [varint(-1n)] : lengthed(value)),
        varint(BigInt(Object.keys(headers).length)),
        ...Object.entries(headers).flatMap(([name, text]) => [
          ...lengthed(Buffer.from(name)),
          ...lengthed(Buffer.from(text)),
        ]),
      ]);
      return Buffer.concat(lengthed(body));
    }),
  );
  const payload = records.length > 0 ? compressed(encoded, attributes & 7) : encoded;
  header.writeBigInt64BE(BigInt(baseOffset), 0);
  header.writeInt32BE(49 + payload.length, 8);
  header.writeInt8(2, 16);
  header.writeInt16BE(attributes, 21);
  header.writeInt32BE(lastOffset - baseOffset, 23);
  header.writeBigInt64BE(BigInt(baseTimestampMs), 27);
  header.writeBigInt64BE(BigInt(baseTimestampMs), 35);
  header.writeBigInt64BE(producerId, 43);
  header.writeInt32BE(options.count ?? records.length, 57);
  const bytes = Buffer.concat([header, payload]);
  seal(bytes);
  return bytes;
}

function compressed(records: Buffer, codec: number): Buffer {
  return codec === 1 ? zlib.gzipSync(records) : records;
}

function lengthed(bytes: Buffer): Buffer[] {
  return [varint(BigInt(bytes.length)), bytes];
}

function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
