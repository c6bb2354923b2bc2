import type { LogRecord, RecordToAppend, UnreadableBatch } from '@runlog/topic-io/topic-io';
import { redactedBytes } from './redact.ts';

/** The headers of a record of `run-events-rejected`. */
const rejectedHeaders = {
  code: 'code',
  path: 'path',
  message: 'message',
  receivedAt: 'received_at',
  origin: 'origin',
  keyId: 'key_id',
} as const;

/** The key of a batch that nobody can read: its runs are unknown. No run key begins with `#`. */
export const UNREADABLE_BATCH_KEY = '#batch';

/** An event that ingest rejected, or a record that no fold could read. */
export interface Rejected {
  /** The key of the run, or the cluster if the run is unknown. */
  readonly key: string;
  readonly code: string;
  /** The dotted path of the field at fault; empty if the whole event is. */
  readonly path: string;
  readonly message: string;
  /** `ingest`, or `topic:partition:offset` of a record that could not be folded. */
  readonly origin: string;
  /** The id of the key that sent it; null in open mode, and for a record. */
  readonly keyId: string | null;
}

/**
 * The characters that are kept of a key, a path and a message. A key of a run has 194 at most, but that of a foreign record
 * may fill a whole batch, and bytes that are no UTF-8 grow threefold as text. All of them, at three bytes a character, fit
 * into the smallest topic that is taken (8 KiB).
 */
const TEXT_CHARS_MAX = { key: 512, path: 512, message: 1_024 } as const;

/** Encodes the record of a rejected value. It keeps a redacted copy of at most REJECTED_BYTES_MAX. */
export function encodeRejected(
  rejected: Rejected,
  { value, receivedAtMs }: { value: Buffer | null; receivedAtMs: number },
): RecordToAppend {
  const { code, origin, keyId } = rejected;
  return {
    key: beginningOf(rejected, 'key'),
    value: value === null ? null : redactedBytes(value),
    headers: {
      [rejectedHeaders.code]: code,
      [rejectedHeaders.path]: beginningOf(rejected, 'path'),
      [rejectedHeaders.message]: beginningOf(rejected, 'message'),
      [rejectedHeaders.receivedAt]: new Date(receivedAtMs).toISOString(),
      [rejectedHeaders.origin]: origin,
      ...(keyId === null ? {} : { [rejectedHeaders.keyId]: keyId }),
    },
    timestampMs: receivedAtMs,
  };
}

function beginningOf(rejected: Rejected, field: keyof typeof TEXT_CHARS_MAX): string {
  return rejected[field].slice(0, TEXT_CHARS_MAX[field]);
}

/** An upper bound of what Kafka adds to each text of a record, and to the whole. */
const TEXT_OVERHEAD_BYTES = 10;
const RECORD_OVERHEAD_BYTES = 256;

/** Returns the record with as much of its value as makes it fit. Its headers, which hold the reason, are kept. */
export function cutRejected(record: RecordToAppend, recordBytesMax: number): RecordToAppend {
  const texts = [record.key, ...Object.entries(record.headers).flat()];
  const others = texts.reduce((sum, text) => sum + TEXT_OVERHEAD_BYTES + Buffer.byteLength(text), 0);
  const valueBytesMax = Math.max(recordBytesMax - others - RECORD_OVERHEAD_BYTES, 0);
  if (record.value === null || record.value.length <= valueBytesMax) return record;
  return { ...record, value: record.value.subarray(0, valueBytesMax) };
}

/** Encodes the record of a batch that nobody can read. It keeps the beginning of its bytes, in base64. */
export function encodeUnreadableBatch(
  { firstOffset, lastOffset, reason, bytes }: UnreadableBatch,
  at: { topic: string; partition: number; receivedAtMs: number },
): RecordToAppend {
  const { topic, partition, receivedAtMs } = at;
  const message = `the batch at offsets ${firstOffset} to ${lastOffset} ${reason}`;
  const origin = `${topic}:${partition}:${firstOffset}`;
  return encodeRejected(
    { key: UNREADABLE_BATCH_KEY, code: 'unreadable_batch', path: '', message, origin, keyId: null },
    { value: Buffer.from(bytes.toString('base64')), receivedAtMs },
  );
}

/** Decodes the fields of a record. Each is null if it is missing, because the topic may hold anything. */
export function decodeRejected({ key, headers, value }: LogRecord): {
  [Field in keyof Rejected]: Field extends 'key' ? string : string | null;
} & { readonly receivedAt: string | null; readonly text: string | null } {
  const header = (name: keyof typeof rejectedHeaders) => headers[rejectedHeaders[name]] ?? null;
  return {
    key,
    code: header('code'),
    path: header('path'),
    message: header('message'),
    receivedAt: header('receivedAt'),
    origin: header('origin'),
    keyId: header('keyId'),
    text: value?.toString('utf8') ?? null,
  };
}
