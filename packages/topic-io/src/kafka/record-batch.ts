import { crc32c } from '@node-rs/crc32';
import { decompress } from '../compression.ts';
import { type LogRecord, UNREADABLE_BYTES_KEPT, type UnreadableBatch } from '../topic-io.ts';

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
  /** The offset after the last batch that was passed, or the requested offset if there was none. */
  readonly nextOffset: number;
  /** Batches below `nextOffset` whose checksum is right and that nobody can read nevertheless. */
  readonly unreadable: readonly UnreadableBatch[];
  /** The memory that the records hold beside the answer: batches that were compressed, inflated. */
  readonly inflatedBytes: number;
  /**
   * The batch at which the decoder stopped, because nothing in it can be trusted. Its bytes may have been damaged on their
   * way, so a second fetch may bring it whole.
   */
  readonly doubtful: UnreadableBatch | null;
}

/** Says what is wrong with a batch, to go on after "the batch". */
class UnreadableBatchError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'UnreadableBatchError';
  }
}

// The places where the fields of a batch begin.
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CHECKSUM_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const RECORD_COUNT_AT = 57;
const RECORDS_AT = 61;
/** The bytes of base offset and length, which the length does not include. */
const LENGTH_PREFIX_BYTES = 12;
/** As far as all formats are alike. */
const COMMON_HEADER_BYTES = 17;

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
 * fetch, and so is what follows the batch with which more than `inflatedBytesMax` is inflated. `aborted` is the answer's own
 * list of aborted transactions. Throws `CodecMissingError` if this process lacks the library of a codec.
 */
export function decodeBatches(options: {
  bytes: Buffer;
  fetchOffset: number;
  aborted: readonly AbortedTransaction[];
  /** No batch of the answer begins there or behind. */
  stableEnd?: number;
  inflatedBytesMax?: number;
}): DecodedBatches {
  const { bytes, fetchOffset, stableEnd = Number.MAX_SAFE_INTEGER } = options;
  const { inflatedBytesMax = Number.POSITIVE_INFINITY } = options;
  const aborting = new AbortingProducers(options.aborted);
  const records: LogRecord[] = [];
  const unreadable: UnreadableBatch[] = [];
  let nextOffset = fetchOffset;
  let inflatedBytes = 0;
  for (let at = 0; at < bytes.length && inflatedBytes <= inflatedBytesMax; ) {
    const batch = batchAt(bytes, at);
    // A broker cuts the last batch of an answer off, but never the first.
    if (batch === null && at > 0) break;
    const from = at === 0 ? 0 : nextOffset;
    const reason =
      batch === null ? 'is cut off, or has a wrong length' : faultOf(batch, { from, to: stableEnd });
    if (batch === null || reason !== null) {
      const doubtful = doubtfulBatch(bytes, {
        at,
        batch,
        fetchOffset: nextOffset,
        stableEnd,
        reason: reason ?? '',
      });
      return { records, nextOffset, unreadable, inflatedBytes, doubtful };
    }
    const { firstOffset, lastOffset } = offsetsOf(batch);
    const attributes = batch.readInt16BE(ATTRIBUTES_AT);
    const producerId = batch.readBigInt64BE(PRODUCER_ID_AT);
    aborting.reach(lastOffset);
    if ((attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) aborting.end(producerId);
    } else if ((attributes & TRANSACTIONAL) === 0 || !aborting.has(producerId)) {
      const decoded = decodeWholly({
        batch,
        baseOffset: firstOffset,
        attributes,
        fetchOffset,
        into: records,
      });
      if (typeof decoded === 'number') inflatedBytes += decoded;
      else
        unreadable.push(
          unreadableBatch(batch, { firstOffset, lastOffset, reason: decoded, isDamaged: false }),
        );
    }
    nextOffset = Math.max(nextOffset, lastOffset + 1);
    at += batch.length;
  }
  return { records, nextOffset, unreadable, inflatedBytes, doubtful: null };
}

/** Returns Kafka's number of the codec of the first batch; null if its header is not whole. */
export function codecNumberOf(bytes: Buffer): number | null {
  return bytes.length < RECORDS_AT ? null : bytes.readInt16BE(ATTRIBUTES_AT) & COMPRESSION_MASK;
}

/** Returns the bytes of a whole batch; null if they end before it does, or if its length cannot be one. */
function batchAt(bytes: Buffer, at: number): Buffer | null {
  if (bytes.length - at < COMMON_HEADER_BYTES) return null;
  const batchBytes = LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT);
  if (batchBytes < COMMON_HEADER_BYTES || at + batchBytes > bytes.length) return null;
  return bytes.subarray(at, at + batchBytes);
}

/** Says why nothing in a batch can be trusted. Returns null if its header can. The checksum does not cover the first offset. */
function faultOf(batch: Buffer, offsets: { from: number; to: number }): string | null {
  const magic = batch[MAGIC_AT];
  if (magic !== MAGIC) return `has format ${magic}, not ${MAGIC}`;
  if (batch.length < RECORDS_AT) return 'is shorter than its header';
  if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== batch.readUInt32BE(CHECKSUM_AT))
    return 'has a wrong checksum';
  const { firstOffset, lastOffset } = offsetsOf(batch);
  if (firstOffset < offsets.from || firstOffset >= offsets.to || lastOffset < firstOffset)
    return `claims offsets ${firstOffset} to ${lastOffset}, which are out of place`;
  const isControl = (batch.readInt16BE(ATTRIBUTES_AT) & CONTROL) !== 0;
  if (isControl && markerTypeOf(batch) === null) return 'is a broken mark of a transaction';
  return null;
}

function offsetsOf(batch: Buffer): { firstOffset: number; lastOffset: number } {
  const firstOffset = Number(batch.readBigInt64BE(0));
  return { firstOffset, lastOffset: firstOffset + batch.readInt32BE(LAST_OFFSET_DELTA_AT) };
}

/**
 * Names the place of a batch that cannot be trusted, as well as that can be known: what follows it begins behind it, and it
 * reaches the offset where the next fetch begins.
 */
function doubtfulBatch(
  bytes: Buffer,
  found: { at: number; batch: Buffer | null; fetchOffset: number; stableEnd: number; reason: string },
): UnreadableBatch {
  const { at, batch, fetchOffset, stableEnd, reason } = found;
  const claimed = bytes.length - at < RECORDS_AT ? null : offsetsOf(bytes.subarray(at));
  const isPlausible = claimed !== null && claimed.firstOffset >= 0 && claimed.firstOffset < stableEnd;
  const firstOffset = isPlausible ? claimed.firstOffset : fetchOffset;
  let lastOffset = firstOffset;
  // The formats before have no such field; each entry of theirs has the offset of its last record.
  if (isPlausible && bytes[at + MAGIC_AT]! >= MAGIC) lastOffset = Math.max(lastOffset, claimed.lastOffset);
  const following = batch === null ? null : batchAt(bytes, at + batch.length);
  const before = following === null ? -1 : Number(following.readBigInt64BE(0)) - 1;
  if (before >= firstOffset) lastOffset = Math.min(lastOffset, before);
  lastOffset = Math.max(Math.min(lastOffset, stableEnd - 1), fetchOffset);
  return unreadableBatch(batch ?? bytes.subarray(at), { firstOffset, lastOffset, reason, isDamaged: true });
}

/** The bytes are copied, because the answer that they came in need not be kept for them. */
function unreadableBatch(batch: Buffer, about: Omit<UnreadableBatch, 'bytes'>): UnreadableBatch {
  return { ...about, bytes: Buffer.from(batch.subarray(0, UNREADABLE_BYTES_KEPT)) };
}

/** The producers whose transactions are aborted, as far as an answer has been decoded. */
class AbortingProducers {
  readonly #begins: readonly AbortedTransaction[];
  readonly #producers = new Set<bigint>();
  #begun = 0;

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#begins = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Takes up the transactions that begin at or below the offset. */
  reach(offset: number): void {
    for (
      let next = this.#begins[this.#begun];
      next !== undefined && next.firstOffset <= offset;
      next = this.#begins[this.#begun]
    ) {
      this.#producers.add(next.producerId);
      this.#begun += 1;
    }
  }

  end(producerId: bigint): void {
    this.#producers.delete(producerId);
  }

  has(producerId: bigint): boolean {
    return this.#producers.has(producerId);
  }
}

function isAbortMarker(batch: Buffer): boolean {
  return markerTypeOf(batch) === CONTROL_TYPE_ABORT;
}

/** Returns the type of a control batch; -1 if compaction has removed its record, and null if it cannot be read. */
function markerTypeOf(batch: Buffer): number | null {
  if (batch.readInt32BE(RECORD_COUNT_AT) === 0) return -1;
  try {
    const cursor = new Cursor(batch, RECORDS_AT);
    skipToKey(cursor);
    const key = cursor.bytes();
    return key === null || key.length < CONTROL_TYPE_AT + 2 ? null : key.readInt16BE(CONTROL_TYPE_AT);
  } catch (error) {
    if (error instanceof UnreadableBatchError) return null;
    throw error;
  }
}

/** Decodes all records of a batch or none. Returns the bytes that it inflated, or what is wrong with the batch. */
function decodeWholly(options: DecodeOptions): number | string {
  const { into } = options;
  const before = into.length;
  try {
    return decodeRecords(options);
  } catch (error) {
    if (!(error instanceof UnreadableBatchError)) throw error;
    into.length = before;
    return error.message;
  }
}

interface DecodeOptions {
  readonly batch: Buffer;
  readonly baseOffset: number;
  readonly attributes: number;
  readonly fetchOffset: number;
  readonly into: LogRecord[];
}

/** Records below `fetchOffset` are read too, so that a batch is judged alike wherever a reader begins. */
function decodeRecords(options: DecodeOptions): number {
  const { batch, baseOffset, attributes, fetchOffset, into } = options;
  const count = batch.readInt32BE(RECORD_COUNT_AT);
  if (count === 0) return 0;
  const inflated = decompress(batch.subarray(RECORDS_AT), attributes & COMPRESSION_MASK);
  if ('fault' in inflated) throw new UnreadableBatchError(inflated.fault, { cause: inflated.cause });
  if (count < 0) throw new UnreadableBatchError(`claims ${count} records`);
  const cursor = new Cursor(inflated.bytes, 0);
  const baseTimestampMs = Number(batch.readBigInt64BE(BASE_TIMESTAMP_AT));
  const maxTimestampMs = Number(batch.readBigInt64BE(MAX_TIMESTAMP_AT));
  const logAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
  const lastDelta = batch.readInt32BE(LAST_OFFSET_DELTA_AT);
  let deltaBefore = -1;
  const keyBefore = newText();
  const headersBefore: { readonly name: TextBefore; readonly value: TextBefore }[] = [];
  for (let index = 0; index < count; index += 1) {
    const endAt = cursor.varint() + cursor.at;
    cursor.at += 1; // Attributes, which Kafka does not use.
    const timestampDelta = cursor.varint();
    const offsetDelta = cursor.varint();
    if (offsetDelta <= deltaBefore || offsetDelta > lastDelta)
      throw new UnreadableBatchError(
        `has a record at offset ${baseOffset + offsetDelta}, which is out of place`,
      );
    deltaBefore = offsetDelta;
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
    if (cursor.at !== endAt) throw new UnreadableBatchError('has a record of another length than it says');
    const offset = baseOffset + offsetDelta;
    if (offset < fetchOffset) continue;
    const timestampMs = logAppendTime ? maxTimestampMs : baseTimestampMs + timestampDelta;
    into.push({ key, value, headers, timestampMs, offset });
  }
  if (cursor.at !== inflated.bytes.length)
    throw new UnreadableBatchError(`holds more than the ${count} records that it says`);
  return (attributes & COMPRESSION_MASK) === 0 ? 0 : inflated.bytes.length;
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
    if (this.at > this.#buffer.length) throw new UnreadableBatchError('has a record that ends behind it');
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
    if (end > buffer.length) throw new UnreadableBatchError('has a record that ends behind it');
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
    if (byte === undefined) throw new UnreadableBatchError('has a record that ends behind it');
    this.at += 1;
    return byte;
  }
}
