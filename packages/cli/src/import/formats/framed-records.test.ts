import { crc32 } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FramedRecord, maskedChecksum, TfRecords } from './tf-records.ts';
import { WandbLog } from './wandb-log.ts';

const BLOCK_BYTES = 32 * 1024;

function tfFile(records: readonly Buffer[]): Buffer {
  return Buffer.concat(
    records.flatMap((record) => {
      const head = Buffer.alloc(12);
      head.writeBigUInt64LE(BigInt(record.length));
      head.writeUInt32LE(maskedChecksum(head.subarray(0, 8)), 8);
      const foot = Buffer.alloc(4);
      foot.writeUInt32LE(maskedChecksum(record));
      return [head, record, foot];
    }),
  );
}

function wandbFile(records: readonly Buffer[]): Buffer {
  let file = Buffer.concat([Buffer.from(':W&B'), Buffer.from([0xe1, 0xbe, 0])]);
  for (const record of records) {
    let from = 0;
    let isFirst = true;
    do {
      let room = BLOCK_BYTES - (file.length % BLOCK_BYTES);
      if (room < 7) {
        file = Buffer.concat([file, Buffer.alloc(room)]);
        room = BLOCK_BYTES;
      }
      const piece = record.subarray(from, from + room - 7);
      const isLast = from + piece.length === record.length;
      const head = Buffer.alloc(7);
      head[6] = isFirst && isLast ? 1 : isFirst ? 2 : isLast ? 4 : 3;
      head.writeUInt32LE(crc32(piece, crc32(head.subarray(6))));
      head.writeUInt16LE(piece.length, 4);
      file = Buffer.concat([file, head, piece]);
      from += piece.length;
      isFirst = false;
    } while (from < record.length);
  }
  return file;
}

const formats = [
  { name: 'TensorBoard', write: tfFile, reader: () => new TfRecords() },
  { name: 'wandb', write: wandbFile, reader: () => new WandbLog() },
] as const;

/** Sizes around those of a block and of its pieces. */
const record = fc
  .oneof(
    fc.nat(100),
    fc.integer({ min: BLOCK_BYTES - 40, max: BLOCK_BYTES + 40 }),
    fc.integer({ min: 0, max: 3 * BLOCK_BYTES }),
  )
  .chain((length) => fc.nat(255).map((fill) => ({ length, fill })));
/** Sizes instead of bytes, so that a counterexample can be read. */
const recordsOf = fc.array(record, { maxLength: 6 });
const buffersOf = (records: readonly { length: number; fill: number }[]) =>
  records.map(({ length, fill }) => Buffer.alloc(length, fill));

function read(reader: TfRecords | WandbLog, bytes: Buffer, cuts: readonly number[] = []): FramedRecord[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).flatMap((end, index) => [...reader.push(bytes.subarray(at[index], end))]);
}

describe.each(formats)('the framing of $name', ({ write, reader }) => {
  test('gives the records that were written, however the file is cut into pieces', () => {
    fc.assert(
      fc.property(recordsOf, fc.array(fc.nat(), { maxLength: 8 }), (sizes, cuts) => {
        const records = buffersOf(sizes);
        const framed = reader();
        const found = read(framed, write(records), cuts);
        expect(found.map((item) => item.kind === 'record' && item.bytes.equals(records.shift()!))).toEqual(
          found.map(() => true),
        );
        expect(records).toEqual([]);
        expect(framed.isCut).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test('that ends within a record says so, and gives the records before', () => {
    fc.assert(
      fc.property(recordsOf, fc.nat(), (sizes, at) => {
        const records = buffersOf(sizes);
        const bytes = write(records);
        const framed = reader();
        const cut = at % (bytes.length + 1);
        const found = read(framed, bytes.subarray(0, cut));
        expect(
          found.every((item, index) => item.kind === 'record' && item.bytes.equals(records[index]!)),
        ).toBe(true);
        const rest = read(framed, bytes.subarray(cut));
        expect(found.length + rest.length).toBe(records.length);
      }),
      { numRuns: 50 },
    );
  });

  test('with damage gives no record that was not written, and never throws', () => {
    fc.assert(
      fc.property(
        recordsOf,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
        (sizes, flips) => {
          const records = buffersOf(sizes);
          const bytes = write(records);
          fc.pre(bytes.length > 0);
          for (const [at, mask] of flips) bytes[at % bytes.length]! ^= mask;
          const found = read(reader(), bytes);
          for (const item of found) {
            if (item.kind === 'record')
              expect(records.some((written) => written.equals(item.bytes))).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('of bytes that are something else never throws and keeps nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (pieces) => {
        const framed = reader();
        for (const piece of pieces)
          for (const item of framed.push(Buffer.from(piece))) expect(item.kind).not.toBe('record');
      }),
    );
  });
});

test('a record that is too large is left out without being kept', () => {
  const records = [Buffer.from('a'), Buffer.alloc(17 * 1024 * 1024, 1), Buffer.from('b')];
  for (const { write, reader } of formats.slice(0, 1)) {
    const bytes = write(records);
    const framed = reader();
    const found: FramedRecord[] = [];
    for (let at = 0; at < bytes.length; at += 65_536)
      found.push(...framed.push(bytes.subarray(at, at + 65_536)));
    expect(found.map((item) => item.kind)).toEqual(['record', 'too_large', 'record']);
  }
});
