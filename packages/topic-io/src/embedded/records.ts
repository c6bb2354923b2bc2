import { crc32c } from '@node-rs/crc32';
import type { LogRecord, RecordToAppend } from '../topic-io.ts';

/**
 * The format of a record in the embedded log. The key is topic id (4 bytes), partition (2) and offset (6), all
 * big-endian, so that LMDB's byte order is the log's order. The value is little-endian: flags (1: tombstone), timestamp
 * (8, a double), key length (4), header count (2), two lengths per header (4 each), then all texts in UTF-8, then the
 * record's value, then the CRC-32C (4) of all that, mixed with the key. Records of the first format have no CRC; the
 * flags of the others differ from theirs in several bits.
 */

export const recordKeyBytes = 12;
export const partitionsMax = 0xffff;
const fixedBytes = 1 + 8 + 4 + 2;
const tombstoneFlag = 1;
const checkedFlags = 0xa4;
const checkBytes = 4;

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

/** Encoded records: windows of one allocation that shares no memory with the input. */
export interface EncodedRecords {
  readonly encoded: readonly Buffer[];
  readonly bytes: number;
  /**
   * Whether keys and headers are ASCII, so that they read back as they were handed in. UTF-8 cannot encode every
   * string.
   */
  readonly isAscii: boolean;
}

export function encodeRecords(records: readonly RecordToAppend[]): EncodedRecords {
  const drafts = records.map(draftOf);
  const bytes = drafts.reduce((sum, draft) => sum + draft.bytes, 0);
  const target = Buffer.allocUnsafeSlow(bytes);
  const encoded: Buffer[] = [];
  let at = 0;
  for (const draft of drafts) {
    const end = at + draft.bytes;
    writeRecord(draft, target, at);
    encoded.push(target.subarray(at, end));
    at = end;
  }
  return { encoded, bytes, isAscii: drafts.every(({ asciiText }) => asciiText !== null) };
}

interface Draft {
  readonly record: RecordToAppend;
  /** The key, then header names and values alternately. */
  readonly parts: readonly string[];
  /** All parts joined, if they are ASCII: one conversion is far cheaper than a dozen. */
  readonly asciiText: string | null;
  readonly bytes: number;
}

function draftOf(record: RecordToAppend): Draft {
  const parts = [record.key];
  let text = record.key;
  for (const name of Object.keys(record.headers)) {
    const value = record.headers[name]!;
    parts.push(name, value);
    text += name + value;
  }
  // ASCII text has as many bytes as characters. Other text is encoded part by part, because the halves of a surrogate
  // pair in two parts must not become one character.
  const isAscii = Buffer.byteLength(text) === text.length;
  const textBytes = isAscii ? text.length : parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  const bytes = fixedBytes + (parts.length - 1) * 4 + textBytes + (record.value?.length ?? 0) + checkBytes;
  return { record, parts, asciiText: isAscii ? text : null, bytes };
}

function writeRecord(draft: Draft, target: Buffer, start: number): void {
  const { record, parts, asciiText } = draft;
  target[start] = checkedFlags | (record.value === null ? tombstoneFlag : 0);
  target.writeDoubleLE(record.timestampMs, start + 1);
  target.writeUInt16LE((parts.length - 1) / 2, start + 13);
  let at = start + fixedBytes + (parts.length - 1) * 4;
  let lengthAt = start + 9;
  for (const [index, part] of parts.entries()) {
    const length = asciiText === null ? target.write(part, at) : part.length;
    target.writeUInt32LE(length, lengthAt);
    lengthAt = start + fixedBytes + index * 4;
    if (asciiText === null) at += length;
  }
  if (asciiText !== null) at += target.write(asciiText, at, 'latin1');
  if (record.value !== null) target.set(record.value, at);
  const end = start + draft.bytes - checkBytes;
  target.writeUInt32LE(crc32c(target.subarray(start, end)), end);
}

/** Binds an encoded record to its place, once that is known. */
export function bindToPlace(encoded: Buffer, key: Buffer): void {
  const at = encoded.length - checkBytes;
  encoded.writeUInt32LE((encoded.readUInt32LE(at) ^ mixOf(key)) >>> 0, at);
}

/** Whether a stored record is as it was written. `length` is given for a buffer that is longer than the record. */
export function isSoundRecord(
  key: Buffer,
  encoded: Buffer,
  options: { mayBeUnsealed: boolean; length?: number },
): boolean {
  const length = options.length ?? encoded.length;
  if (key.length !== recordKeyBytes || length < fixedBytes) return false;
  if (!isChecked(encoded)) return options.mayBeUnsealed && encoded[0]! <= tombstoneFlag;
  const at = length - checkBytes;
  if (at < fixedBytes) return false;
  return (crc32c(encoded.subarray(0, at)) ^ mixOf(key)) >>> 0 === encoded.readUInt32LE(at);
}

/** Differs if any one of the parts of the place differs. */
function mixOf(key: Buffer): number {
  return (
    Math.imul(key.readUInt32BE(0), 0x9e3779b1) ^
    Math.imul(key.readUInt32BE(4), 0x85ebca6b) ^
    Math.imul(key.readUInt32BE(8), 0xc2b2ae35)
  );
}

function isChecked(encoded: Buffer): boolean {
  return (encoded[0]! | tombstoneFlag) === (checkedFlags | tombstoneFlag);
}

/** Decodes a record. Its value is a window of `encoded`, which must therefore be a private copy. */
export function decodeRecord(encoded: Buffer, offset: number): LogRecord {
  const partsCount = encoded.readUInt16LE(13) * 2;
  const textStart = fixedBytes + partsCount * 4;
  let textEnd = textStart + encoded.readUInt32LE(9);
  for (let at = fixedBytes; at < textStart; at += 4) textEnd += encoded.readUInt32LE(at);
  const text = encoded.toString('utf8', textStart, textEnd);
  const isAscii = text.length === textEnd - textStart;

  let position = 0;
  const take = (length: number): string => {
    const from = position;
    position += length;
    if (isAscii) return text.substring(from, position);
    return encoded.toString('utf8', textStart + from, textStart + position);
  };
  const key = take(encoded.readUInt32LE(9));
  const headers: Record<string, string> = {};
  for (let at = fixedBytes; at < textStart; at += 8) {
    const name = take(encoded.readUInt32LE(at));
    const value = take(encoded.readUInt32LE(at + 4));
    // Assigning to this name would set the prototype.
    if (name === '__proto__') Object.defineProperty(headers, name, { value, enumerable: true });
    else headers[name] = value;
  }
  const valueEnd = encoded.length - (isChecked(encoded) ? checkBytes : 0);
  const value = isTombstone(encoded) ? null : encoded.subarray(textEnd, valueEnd);
  return { key, value, headers, timestampMs: timestampOf(encoded), offset };
}

export function timestampOf(encoded: Buffer): number {
  return encoded.readDoubleLE(1);
}

export function isTombstone(encoded: Buffer): boolean {
  return (encoded[0]! & tombstoneFlag) !== 0;
}

/** Returns the value, of this length, of a record that this process encoded. */
export function valueWindowOf(encoded: Buffer, length: number): Buffer {
  const end = encoded.length - checkBytes;
  return encoded.subarray(end - length, end);
}

/** Returns the record's key as bytes, without decoding the rest. */
export function keyBytesOf(encoded: Buffer): Buffer {
  const { start, end } = keyRangeOf(encoded);
  return encoded.subarray(start, end);
}

export function hasKey(encoded: Buffer, key: Buffer): boolean {
  const { start, end } = keyRangeOf(encoded);
  return end - start === key.length && key.compare(encoded, start, end) === 0;
}

function keyRangeOf(encoded: Buffer): { start: number; end: number } {
  const start = fixedBytes + encoded.readUInt16LE(13) * 8;
  return { start, end: start + encoded.readUInt32LE(9) };
}
