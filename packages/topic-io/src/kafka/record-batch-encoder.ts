import { crc32c } from '@node-rs/crc32';
import type { RecordToAppend } from '../topic-io.ts';

/**
 * An encoder of Kafka's record batches, magic 2, as a produce request carries them. It gives the same bytes as
 * kafkajs's own encoder, which allocates several buffers per record and costs more than everything else that ingest
 * does.
 */
export interface BatchToEncode {
  readonly records: readonly RecordToAppend[];
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** The number of the first record in the producer's sequence for the partition. */
  readonly firstSequence: number;
  readonly transactional: boolean;
}

const HEADER_BYTES = 61;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;
/** The checksum covers everything from the attributes on. */
const CHECKED_FROM = 21;
/** The bytes of base offset and length, which the length does not include. */
const LENGTH_PREFIX_BYTES = 12;
/** Lengths below this are one byte as a varint: Kafka doubles them to carry a sign. */
const SHORT_BYTES = 64;
/** The bytes that the length of a record's body takes if it is between 64 B and 8 KiB. */
const BODY_LENGTH_BYTES = 2;

/** Writes the batch to the beginning of `bytes` and returns the number of bytes it took. Throws if they are too few. */
export function encodeRecordBatch(batch: BatchToEncode, bytes: Buffer): number {
  const { records } = batch;
  let firstTimestampMs = Number.POSITIVE_INFINITY;
  let maxTimestampMs = Number.NEGATIVE_INFINITY;
  for (const { timestampMs } of records) {
    if (timestampMs < firstTimestampMs) firstTimestampMs = timestampMs;
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs;
  }
  let at = HEADER_BYTES;
  for (let index = 0; index < records.length; index += 1) {
    at = writeRecord(bytes, at, records[index]!, index, firstTimestampMs);
  }
  if (at > bytes.length) throw new RangeError(`a batch takes ${at} bytes, but there are ${bytes.length}`);
  bytes.writeBigInt64BE(0n, 0); // Base offset, which the broker sets.
  bytes.writeInt32BE(at - LENGTH_PREFIX_BYTES, 8);
  bytes.writeInt32BE(0, 12); // Leader epoch, which the broker sets.
  bytes.writeInt8(MAGIC, 16);
  bytes.writeInt16BE(batch.transactional ? TRANSACTIONAL : 0, 21);
  bytes.writeInt32BE(records.length - 1, 23);
  bytes.writeBigInt64BE(BigInt(firstTimestampMs), 27);
  bytes.writeBigInt64BE(BigInt(maxTimestampMs), 35);
  bytes.writeBigInt64BE(batch.producerId, 43);
  bytes.writeInt16BE(batch.producerEpoch, 51);
  bytes.writeInt32BE(batch.firstSequence, 53);
  bytes.writeInt32BE(records.length, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(CHECKED_FROM, at)), 17);
  return at;
}

/** Returns the part of an encoded batch that holds its records. */
export function recordsIn(bytes: Buffer, batchBytes: number): Buffer {
  return bytes.subarray(HEADER_BYTES, batchBytes);
}

/**
 * Replaces the records of an encoded batch by the same records compressed, and returns the bytes that the batch takes
 * now. `codec` is Kafka's number. The compressed records must take less.
 */
export function replaceRecords(bytes: Buffer, by: { records: Buffer; codec: number }): number {
  const { records, codec } = by;
  const end = HEADER_BYTES + records.length;
  if (end - LENGTH_PREFIX_BYTES > bytes.readInt32BE(8)) throw new RangeError('compressed records take more');
  bytes.set(records, HEADER_BYTES);
  bytes.writeInt32BE(end - LENGTH_PREFIX_BYTES, 8);
  bytes.writeInt16BE(bytes.readInt16BE(CHECKED_FROM) | codec, CHECKED_FROM);
  bytes.writeUInt32BE(crc32c(bytes.subarray(CHECKED_FROM, end)), 17);
  return end;
}

function writeRecord(
  bytes: Buffer,
  from: number,
  record: RecordToAppend,
  index: number,
  firstMs: number,
): number {
  const bodyAt = from + BODY_LENGTH_BYTES;
  let at = bodyAt;
  bytes[at] = 0; // Attributes, which Kafka does not use.
  at = writeVarint(bytes, at + 1, record.timestampMs - firstMs);
  at = writeVarint(bytes, at, index);
  at = writeText(bytes, at, record.key);
  const { value, headers } = record;
  if (value === null) {
    at = writeVarint(bytes, at, -1);
  } else {
    at = writeVarint(bytes, at, value.length);
    bytes.set(value, at);
    at += value.length;
  }
  let count = 0;
  // A count of up to 63 takes one byte; room for a larger one is made below.
  const countAt = at;
  at += 1;
  for (const name in headers) {
    at = writeText(bytes, at, name);
    at = writeText(bytes, at, headers[name]!);
    count += 1;
  }
  if (count < SHORT_BYTES) bytes[countAt] = count << 1;
  else at = insertVarint(bytes, { value: count, at: countAt, reserved: 1, end: at });
  const length = at - bodyAt;
  return insertVarint(bytes, { value: length, at: from, reserved: BODY_LENGTH_BYTES, end: at });
}

/** Writes a varint before bytes that are already written, and moves them if it takes more or less than was reserved. */
function insertVarint(
  bytes: Buffer,
  place: { value: number; at: number; reserved: number; end: number },
): number {
  const { value, at, reserved, end } = place;
  const moved = varintBytes(value) - reserved;
  if (moved !== 0) bytes.copyWithin(at + reserved + moved, at + reserved, end);
  writeVarint(bytes, at, value);
  return end + moved;
}

/** Writes the length and the bytes of a text, in UTF-8. */
function writeText(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length < SHORT_BYTES) {
    // Keys, names and ids are short and ASCII: writing them here is cheaper than a call into the runtime.
    let next = at + 1;
    let index = 0;
    for (; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) break;
      bytes[next] = unit;
      next += 1;
    }
    if (index === length) {
      bytes[at] = length << 1;
      return next;
    }
  }
  const begin = writeVarint(bytes, at, Buffer.byteLength(text));
  return begin + bytes.write(text, begin);
}

/** Writes any safe integer, zig-zag coded, seven bits per byte. */
function writeVarint(bytes: Buffer, at: number, value: number): number {
  let next = at;
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  // Bit operations only work up to 31 bits.
  while (rest > 0x7fffffff) {
    bytes[next] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
    next += 1;
  }
  while (rest > 0x7f) {
    bytes[next] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    next += 1;
  }
  bytes[next] = rest;
  return next + 1;
}

function varintBytes(value: number): number {
  let rest = value * 2;
  let bytes = 1;
  while (rest > 0x7f) {
    rest = Math.floor(rest / 0x80);
    bytes += 1;
  }
  return bytes;
}
