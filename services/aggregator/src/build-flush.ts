import type { Checkpoint } from '@runlog/records/checkpoint-record';
import { encodeCheckpoint } from '@runlog/records/checkpoint-record';
import { encodeSnapshot } from '@runlog/records/snapshot-record';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import type { DirtyRuns } from './dirty-runs.ts';

/** The most bytes of one transaction. It is small enough to commit well within the timeout. */
export const FLUSH_BYTES_MAX = 8 * 1024 * 1024;

/** The content of one transaction of a partition: snapshots of dirty runs, then the checkpoint that they allow. */
export interface Flush {
  readonly records: readonly RecordToAppend[];
  readonly checkpoint: number;
  readonly runs: number;
  readonly bytes: number;
}

/**
 * Takes dirty runs, oldest first, while their snapshots fit into the bytes. The first is always taken, so that every
 * run is written in the end. Runs that do not fit stay dirty, and hold the checkpoint back to the first record that
 * they lack. A retired run's tombstone waits until the checkpoint passes its control record, because a restart in
 * between must not bring the run back.
 */
export function buildFlush(input: {
  dirty: DirtyRuns;
  states: ReadonlyMap<string, RunSnapshot>;
  /** The offset up to which the partition is folded. */
  folded: number;
  epoch: string;
  bytesMax: number;
  nowMs: number;
}): Flush {
  const { dirty, states, folded, epoch, bytesMax, nowMs } = input;
  const records: RecordToAppend[] = [];
  const retired: [key: string, through: number][] = [];
  let bytes = 0;
  let passable = folded;
  for (const [key, { since, through }] of dirty.entries()) {
    const state = states.get(key);
    if (state === undefined) {
      retired.push([key, through]);
      continue;
    }
    if (records.length > 0 && bytes >= bytesMax) {
      passable = since;
      break;
    }
    const record = encodeSnapshot(state, { key, nowMs });
    records.push(record);
    bytes += record.value.length;
    dirty.take(key);
  }
  for (const [key, through] of retired) {
    if (through > passable) continue;
    records.push({ key, value: null, headers: {}, timestampMs: nowMs });
    dirty.take(key);
  }
  const runs = records.length;
  const checkpoint: Checkpoint = { epoch, fold: FOLD_VERSION, next: dirty.checkpoint(folded) };
  records.push(encodeCheckpoint(checkpoint, nowMs));
  return { records, checkpoint: checkpoint.next, runs, bytes };
}
