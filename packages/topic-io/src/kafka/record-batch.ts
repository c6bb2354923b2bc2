import { decompress } from '../compression.ts';
import type { LogRecord } from '../topic-io.ts';

/**
 * A decoder of Kafka's record batches, magic 2, as a fetch answers them. kafkajs's own decoder drops the header of a
 * batch, and with it the offset to continue from when compaction or an abort has emptied the batch.
 */

/** The id of a producer with an aborted transaction, and the offset where that transaction begins. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface DecodedBatches {
  readonly records: LogRecord[];
  /** The offset after the last whole batch, or the requested offset if there was none. */
  readonly nextOffset: number;
}

/** A batch that this reader cannot decode: an unsupported compression, an old format or broken bytes. */
export class UnreadableBatchError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'UnreadableBatchError';
  }
}

// The places where the fields of a batch begin.
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const RECORD_COUNT_AT = 57;
const RECORDS_AT = 61;
/** The bytes of base offset and length, which the length does not include. */
const LENGTH_PREFIX_BYTES = 12;

const MAGIC = 2;
const COMPRESSION_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** The control type follows the control key's version. */
const CONTROL_TYPE_AT = 2;
const CONTROL_TYPE_ABORT = 0;

/**
 * Decodes the committed data records at or above `fetchOffset`. If the last batch is cut off, it is left for the next
 * fetch. `aborted` is the answer's own list of aborted transactions.
 */
export function decodeBatches(options: {
  bytes: Buffer;
  fetchOffset: number;
  aborted: readonly AbortedTransaction[];
}): DecodedBatches {
  const { bytes, fetchOffset } = options;
  const begins = [...options.aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  let begun = 0;
  const abortedProducers = new Set<bigint>();
  const records: LogRecord[] = [];
  let nextOffset = fetchOffset;
  let at = 0;
  while (bytes.length - at >= RECORDS_AT) {
    const endAt = at + LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT);
    const baseOffset = Number(bytes.readBigInt64BE(at));
    const magic = bytes[at + MAGIC_AT];
    if (magic !== MAGIC)
      throw new UnreadableBatchError(`the batch at offset ${baseOffset} has format ${magic}, not ${MAGIC}`);
    if (endAt > bytes.length) break;
    const lastOffset = baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT);
    const attributes = bytes.readInt16BE(at + ATTRIBUTES_AT);
    const producerId = bytes.readBigInt64BE(at + PRODUCER_ID_AT);
    for (
      let next = begins[begun];
      next !== undefined && next.firstOffset <= lastOffset;
      next = begins[begun]
    ) {
      abortedProducers.add(next.producerId);
      begun += 1;
    }
    const batch = bytes.subarray(at, endAt);
    if ((attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) abortedProducers.delete(producerId);
    } else if ((attributes & TRANSACTIONAL) === 0 || !abortedProducers.has(producerId)) {
      decodeRecords({ batch, baseOffset, attributes, fetchOffset, into: records });
    }
    nextOffset = Math.max(nextOffset, lastOffset + 1);
    at = endAt;
  }
  return { records, nextOffset };
}

function isAbortMarker(batch: Buffer): boolean {
  if (batch.readInt32BE(RECORD_COUNT_AT) === 0) return false;
  const cursor = new Cursor(batch, RECORDS_AT);
  skipToKey(cursor);
  const key = cursor.bytes();
  return key !== null && key.readInt16BE(CONTROL_TYPE_AT) === CONTROL_TYPE_ABORT;
}

function decodeRecords(options: {
  batch: Buffer;
  baseOffset: number;
  attributes: number;
  fetchOffset: number;
  into: LogRecord[];
}): void {
  const { batch, baseOffset, attributes, fetchOffset, into } = options;
  const count = batch.readInt32BE(RECORD_COUNT_AT);
  if (count === 0) return;
  const inflated = decompress(batch.subarray(RECORDS_AT), attributes & COMPRESSION_MASK);
  if ('fault' in inflated) {
    const message = `the batch at offset ${baseOffset} ${inflated.fault}`;
    throw new UnreadableBatchError(message, { cause: inflated.cause });
  }
  const cursor = new Cursor(inflated.bytes, 0);
  const baseTimestampMs = Number(batch.readBigInt64BE(BASE_TIMESTAMP_AT));
  const maxTimestampMs = Number(batch.readBigInt64BE(MAX_TIMESTAMP_AT));
  const logAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
  const keyBefore = newText();
  const headersBefore: { readonly name: TextBefore; readonly value: TextBefore }[] = [];
  for (let index = 0; index < count; index += 1) {
    const endAt = cursor.varint() + cursor.at;
    cursor.at += 1; // Attributes, which Kafka does not use.
    const timestampDelta = cursor.varint();
    const offset = baseOffset + cursor.varint();
    if (offset < fetchOffset) {
      cursor.at = endAt;
      continue;
    }
    const key = cursor.text(keyBefore);
    const value = cursor.bytes();
    const headers: Record<string, string> = {};
    const headerCount = cursor.varint();
    for (let header = 0; header < headerCount; header += 1) {
      let before = headersBefore[header];
      if (before === undefined) {
        before = { name: newText(), value: newText() };
        headersBefore.push(before);
      }
      const name = cursor.text(before.name);
      headers[name] = cursor.text(before.value);
    }
    const timestampMs = logAppendTime ? maxTimestampMs : baseTimestampMs + timestampDelta;
    into.push({ key, value, headers, timestampMs, offset });
    cursor.at = endAt;
  }
}

function skipToKey(cursor: Cursor): void {
  cursor.varint();
  cursor.at += 1;
  cursor.varint();
  cursor.varint();
}

/**
 * The text in one place of the previous record: where its bytes are and what they say. Records of a batch mostly have
 * the same header names and often the same values, and comparing bytes is cheaper than decoding the text again.
 */
interface TextBefore {
  from: number;
  length: number;
  text: string;
}

function newText(): TextBefore {
  return { from: 0, length: 0, text: '' };
}

class Cursor {
  readonly #buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  /** Reads a zig-zag coded number of up to 64 bits. It is exact within 53 bits. */
  varint(): number {
    let byte = this.#next();
    // One byte is by far the most common length.
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let raw = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.#next();
      raw += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }

  /** Reads a length and that many bytes; a length of -1 gives null. The bytes are not copied. */
  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const from = this.at;
    this.at += length;
    if (this.at > this.#buffer.length) throw new UnreadableBatchError('a record ends behind its batch');
    return this.#buffer.subarray(from, this.at);
  }

  /**
   * Reads a length and that many bytes of UTF-8; a length of -1 gives empty text. `before` belongs to the cursor and to
   * one place in the record.
   */
  text(before: TextBefore): string {
    const length = this.varint();
    if (length <= 0) return '';
    const buffer = this.#buffer;
    const from = this.at;
    const end = from + length;
    if (end > buffer.length) throw new UnreadableBatchError('a record ends behind its batch');
    this.at = end;
    if (length === before.length) {
      let at = 0;
      const other = before.from;
      while (at < length && buffer[from + at] === buffer[other + at]) at += 1;
      if (at === length) return before.text;
    }
    before.from = from;
    before.length = length;
    before.text = buffer.toString('utf8', from, end);
    return before.text;
  }

  #next(): number {
    const byte = this.#buffer[this.at];
    if (byte === undefined) throw new UnreadableBatchError('a record ends behind its batch');
    this.at += 1;
    return byte;
  }
}
