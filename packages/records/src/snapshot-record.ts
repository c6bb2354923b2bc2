import { crc32 } from '@node-rs/crc32';
import { bringUpFold1 } from '@runlog/run-state/bring-up-fold-1';
import {
  type RunHead,
  type RunSnapshot,
  runHeadSchema,
  runSnapshotSchema,
} from '@runlog/schema/run/snapshot';
import { runSnapshotFold1Schema } from '@runlog/schema/run/snapshot-fold-1';
import { parseJson } from '@runlog/topic-io/parse-json';
import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';

/** The headers of a snapshot's record. */
export const snapshotHeaders = {
  /**
   * The CRC-32 of the value in eight hexadecimal digits. It lets a reader keep the bytes unparsed until it needs them.
   */
  checksum: 'crc32',
} as const;

/**
 * A run as its snapshot is stored, with only the head parsed. Most runs of a restore are over, and parsing a full event
 * log takes six times as long as reading it.
 */
export interface DormantRun {
  readonly head: RunHead;
  readonly bytes: Buffer;
}

const compiledHead = z.compile(runHeadSchema);
const compiledSnapshot = z.compile(runSnapshotSchema);

// The fields are written in the order of `initialRun`. No text inside a JSON string can look like these markers,
// because its quotes are escaped.
const EVENT_LOG_FIELD = Buffer.from(',"event_log":[');
const ACTIVITY_FIELD = Buffer.from(',"activity":[');

/** Encodes the record of a snapshot, as aggregators write it. */
export function encodeSnapshot(state: RunSnapshot, written: { key: string; nowMs: number }): SnapshotRecord {
  const value = Buffer.from(JSON.stringify(state));
  const headers = { [snapshotHeaders.checksum]: checksumOf(value) };
  return { key: written.key, value, headers, timestampMs: written.nowMs };
}

interface SnapshotRecord extends RecordToAppend {
  readonly value: Buffer;
}

/** Returns the CRC-32 of the bytes in eight hexadecimal digits. */
export function checksumOf(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

/** Whether the bytes are those that were written. It is true of records that name no checksum. */
export function hasItsChecksum(bytes: Buffer, headers: LogRecord['headers']): boolean {
  const checksum = headers[snapshotHeaders.checksum];
  return checksum === undefined || checksum === checksumOf(bytes);
}

/**
 * Returns null if the bytes must be parsed to be validated. Otherwise the checksum proves that an aggregator wrote
 * them; the partition's checkpoint names its fold version.
 */
export function decodeDormant(record: LogRecord): DormantRun | null {
  const { value: bytes, headers } = record;
  const checksum = headers[snapshotHeaders.checksum];
  if (bytes === null || checksum === undefined || checksum !== checksumOf(bytes)) return null;
  const eventLogAt = bytes.indexOf(EVENT_LOG_FIELD);
  const activityAt = bytes.lastIndexOf(ACTIVITY_FIELD);
  if (eventLogAt === -1 || activityAt < eventLogAt) return null;
  try {
    const text = bytes.toString('utf8', 0, eventLogAt) + bytes.toString('utf8', activityAt);
    const head = compiledHead.safeParse(JSON.parse(text));
    return head.success ? { head: head.data, bytes } : null;
  } catch {
    return null;
  }
}

/** Returns null if the value is not a snapshot of this version. */
export function decodeSnapshot(value: Buffer | null): RunSnapshot | null {
  const result = compiledSnapshot.safeParse(value && parseJson(value.toString('utf8')));
  return result.success ? result.data : null;
}

/**
 * Decodes a snapshot that a version of the fold stored, this one or an earlier one, and brings it up to this version.
 * Returns null if the value is not a snapshot of that version.
 */
export function decodeSnapshotOfFold(value: Buffer | null, fold: number): RunSnapshot | null {
  if (fold !== 1) return decodeSnapshot(value);
  const result = runSnapshotFold1Schema.safeParse(value && parseJson(value.toString('utf8')));
  return result.success ? bringUpFold1(result.data) : null;
}
