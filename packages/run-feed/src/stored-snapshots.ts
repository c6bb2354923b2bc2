import type { Checkpoint } from '@runlog/records/checkpoint-record';
import { CHECKPOINT_KEY, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { hasItsChecksum } from '@runlog/records/snapshot-record';
import { isReservedKey } from '@runlog/schema/log/topics';
import type { TopicIo, UnreadableBatch } from '@runlog/topic-io/topic-io';
import { readToEnd } from './read-to-end.ts';

/** A partition of a snapshot topic as it is stored, not yet validated. */
export interface StoredPartition {
  /** Null if none was written yet, or if it cannot be read. */
  readonly checkpoint: Checkpoint | null;
  /** The newest stored bytes of every run that has a snapshot. */
  readonly snapshots: Map<string, Buffer>;
  /** The runs whose bytes are not those that were written, by their checksum. */
  readonly damaged: ReadonlySet<string>;
  /** Batches that nobody can read. What they hold may be newer than what is here. */
  readonly unreadable: readonly UnreadableBatch[];
}

/** Reads the newest record of every key of one partition. */
export async function readStoredPartition(
  io: TopicIo,
  at: { topic: string; partition: number; signal?: AbortSignal },
): Promise<StoredPartition> {
  let checkpoint: Checkpoint | null = null;
  const snapshots = new Map<string, Buffer>();
  const damaged = new Set<string>();
  const unreadable: UnreadableBatch[] = [];
  await readToEnd(io, {
    topic: at.topic,
    partitions: [at.partition],
    ...(at.signal ? { signal: at.signal } : {}),
    onUnreadable: (batches) => unreadable.push(...batches),
    onRecords: (records) => {
      for (const { key, value, headers } of records) {
        if (key === CHECKPOINT_KEY) checkpoint = decodeCheckpoint(value);
        if (isReservedKey(key)) continue;
        damaged.delete(key);
        if (value === null) snapshots.delete(key);
        else snapshots.set(key, value);
        if (value !== null && !hasItsChecksum(value, headers)) damaged.add(key);
      }
    },
  });
  return { checkpoint, snapshots, damaged, unreadable };
}
