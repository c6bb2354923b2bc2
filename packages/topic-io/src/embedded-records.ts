import type { LogRecord, RecordToAppend } from './topic-io.ts';

/**
 * How a record lies in the embedded log. Key: topic id (4 bytes), partition (2), offset (6), all big-endian, so that
 * LMDB's byte order is the log's order. Value, little-endian: flags (1: tombstone), timestamp (8, a double), key
 * length (4), header count (2), per header two lengths (4 each), then all texts in UTF-8, then the record's value.
 */

export const recordKeyBytes = 12;
export const partitionsMax = 0xffff;
const fixedBytes = 1 + 8 + 4 + 2;
const tombstoneFlag = 1;

export interface RecordPlace {
  readonly topicId: number;
  readonly partition: number;
  readonly offset: number;
}

export function writeRecordKey(
  place: RecordPlace,
  target: Buffer = Buffer.allocUnsafe(recordKeyBytes),
): Buffer {
  target.writeUInt32BE(place.topicId, 0);
  target.writeUInt16BE(place.partition, 4);
  target.writeUIntBE(place.offset, 6, 6);
  return target;
}

export function readRecordKey(key: Buffer): RecordPlace {
  return { topicId: key.readUInt32BE(0), partition: key.readUInt16BE(4), offset: key.readUIntBE(6, 6) };
}

/** Encodes a batch into one allocation; the returned buffers are windows of it, and nothing of the input is kept. */
export function encodeRecords(records: readonly RecordToAppend[]): { encoded: Buffer[]; bytes: number } {
  const sizes = records.map(encodedBytes);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const target = Buffer.allocUnsafeSlow(bytes);
  const encoded: Buffer[] = [];
  let at = 0;
  for (const [index, record] of records.entries()) {
    const end = at + sizes[index]!;
    writeRecord(record, target, at);
    encoded.push(target.subarray(at, end));
    at = end;
  }
  return { encoded, bytes };
}

export function encodedBytes(record: RecordToAppend): number {
  let bytes = fixedBytes + Buffer.byteLength(record.key) + (record.value?.length ?? 0);
  for (const name in record.headers) {
    bytes += 8 + Buffer.byteLength(name) + Buffer.byteLength(record.headers[name]!);
  }
  return bytes;
}

function writeRecord(record: RecordToAppend, target: Buffer, start: number): void {
  const names = Object.keys(record.headers);
  let lengthAt = start + fixedBytes;
  let at = lengthAt + names.length * 8;
  target[start] = record.value === null ? tombstoneFlag : 0;
  target.writeDoubleLE(record.timestampMs, start + 1);
  const keyLength = target.write(record.key, at);
  target.writeUInt32LE(keyLength, start + 9);
  target.writeUInt16LE(names.length, start + 13);
  at += keyLength;
  for (const name of names) {
    const nameLength = target.write(name, at);
    at += nameLength;
    const textLength = target.write(record.headers[name]!, at);
    at += textLength;
    target.writeUInt32LE(nameLength, lengthAt);
    target.writeUInt32LE(textLength, lengthAt + 4);
    lengthAt += 8;
  }
  if (record.value !== null) target.set(record.value, at);
}

/** The record's value is a window of `encoded`, which must therefore be a copy of its own. */
export function decodeRecord(encoded: Buffer, offset: number): LogRecord {
  const headerCount = encoded.readUInt16LE(13);
  let lengthAt = fixedBytes;
  let at = lengthAt + headerCount * 8;
  const take = (length: number): string => {
    const start = at;
    at += length;
    return encoded.toString('utf8', start, at);
  };
  const key = take(encoded.readUInt32LE(9));
  const headers: Record<string, string> = {};
  for (let index = 0; index < headerCount; index += 1) {
    const name = take(encoded.readUInt32LE(lengthAt));
    const text = take(encoded.readUInt32LE(lengthAt + 4));
    // Assignment to this one name would set the prototype.
    if (name === '__proto__') Object.defineProperty(headers, name, { value: text, enumerable: true });
    else headers[name] = text;
    lengthAt += 8;
  }
  const value = isTombstone(encoded) ? null : encoded.subarray(at);
  return { key, value, headers, timestampMs: timestampOf(encoded), offset };
}

export function timestampOf(encoded: Buffer): number {
  return encoded.readDoubleLE(1);
}

export function isTombstone(encoded: Buffer): boolean {
  return (encoded[0]! & tombstoneFlag) !== 0;
}

/** The record's key as bytes, without decoding the rest. */
export function keyBytesOf(encoded: Buffer): Buffer {
  const start = fixedBytes + encoded.readUInt16LE(13) * 8;
  return encoded.subarray(start, start + encoded.readUInt32LE(9));
}
