import { crc32c } from '@node-rs/crc32';
import type { RecordToAppend } from '../topic-io.ts';

/**
 * Kafka's record batches, magic 2, as a produce request carries them: the same bytes as kafkajs's own encoder, which
 * allocates several buffers a record and costs more than all else that ingest does.
 */
export interface BatchToEncode {
  readonly records: readonly RecordToAppend[];
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Number of the first record in the producer's sequence for the partition. */
  readonly firstSequence: number;
  readonly transactional: boolean;
}

const HEADER_BYTES = 61;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;
/** The checksum covers everything from the attributes on. */
const CHECKED_FROM = 21;
/** Base offset and length, which the length does not count. */
const LENGTH_PREFIX_BYTES = 12;
/** Lengths below are one byte as a varint, because Kafka doubles them to carry a sign. */
const SHORT_BYTES = 64;
/** Length of a record's body where it is between 64 B and 8 KiB. */
const BODY_LENGTH_BYTES = 2;

/** Writes the batch into `bytes`, from its beginning; gives the bytes it took. Throws where they are too few. */
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
  bytes.writeBigInt64BE(0n, 0); // Base offset: the broker's.
  bytes.writeInt32BE(at - LENGTH_PREFIX_BYTES, 8);
  bytes.writeInt32BE(0, 12); // Leader epoch: the broker's.
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

/** Where the records of an encoded batch lie in its bytes. */
export function recordsIn(bytes: Buffer, batchBytes: number): Buffer {
  return bytes.subarray(HEADER_BYTES, batchBytes);
}

/**
 * Puts compressed records into an encoded batch, in place of those they were made of; gives the bytes the batch takes
 * now. `codec` is Kafka's number. They must take less.
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
  bytes[at] = 0; // Attributes, unused by Kafka.
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
  // A count of up to 63 is one byte; the place of more is made below.
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

/** Writes a varint before bytes that are there already, moving them where it takes more or less than was reserved. */
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

/** Length and bytes, in UTF-8. */
function writeText(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length < SHORT_BYTES) {
    // Keys, names and ids are short and ASCII: cheaper here than a call into the runtime.
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

/** Zig-zag coded, seven bits a byte; any safe integer. */
function writeVarint(bytes: Buffer, at: number, value: number): number {
  let next = at;
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  // Bit operations end at 31 bits.
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
