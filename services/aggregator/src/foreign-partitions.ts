import { decodeSnapshotOfFold } from '@runlog/records/snapshot-record';
import { boundsCovering, refuseForeignPast } from '@runlog/run-feed/refuse-recreated';
import type { RestoreOptions } from '@runlog/run-feed/restore-options';
import { readStoredPartition, type StoredPartition } from '@runlog/run-feed/stored-snapshots';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { TopicIoError } from '@runlog/topic-io/topic-io';

/** How far the snapshots of one partition have been folded. */
interface Past {
  readonly partition: number;
  readonly checkpoint: number;
  /** The snapshot that is folded furthest; empty if there are no snapshots. */
  readonly newest: ReadonlyMap<number, RunSnapshot>;
}

/**
 * Finds partitions whose events were deleted and made anew, so that their snapshots are no longer right. For such a
 * partition this takes half a minute, because the end of the events may lag for a moment.
 */
export async function foreignPartitions(options: RestoreOptions): Promise<ReadonlySet<number>> {
  const { io, meta, partitions, signal } = options;
  const pasts: Past[] = [];
  for (const partition of partitions) {
    const stored = await readStoredPartition(io, { topic: meta.snapshots, partition, signal });
    pasts.push(pastOf(stored, { partition, fold: meta.fold }));
  }
  const foreign = new Set<number>();
  const judge = async ({ partition, checkpoint, newest }: Past) => {
    const checkpoints = new Map([[partition, checkpoint]]);
    try {
      const bounds = await boundsCovering(newest, { ...options, partitions: [partition], checkpoints });
      await refuseForeignPast(newest, { ...options, bounds });
    } catch (error) {
      if (!(error instanceof TopicIoError) || error.code !== 'unusable') throw error;
      foreign.add(partition);
    }
  };
  await Promise.all(pasts.map(judge));
  return foreign;
}

/**
 * Rejects if the stored snapshots no longer belong to the present events. The code is `unavailable` if this may be only
 * apparent.
 */
export async function refuseForeign(
  stored: StoredPartition,
  at: { partition: number; options: RestoreOptions },
): Promise<void> {
  const { partition, options } = at;
  const { io, topics, meta } = options;
  const { checkpoint, newest } = pastOf(stored, { partition, fold: meta.fold });
  const bounds = await io.bounds(topics.events);
  const next = Math.max(checkpoint, (newest.get(partition)?.position.seq ?? -1) + 1);
  const end = bounds[partition]!.stableEnd;
  if (next > end) {
    throw new TopicIoError(
      'unavailable',
      `${meta.snapshots} is at offset ${next} of ${topics.events} partition ${partition}, which ends at ${end} now; ` +
        'start again',
    );
  }
  await refuseForeignPast(newest, { ...options, bounds });
}

/**
 * Whether the snapshots belong to another events topic. It does not wait, because the caller knows that the events were
 * made anew.
 */
export async function isOfOthers(
  stored: StoredPartition,
  at: { partition: number; options: RestoreOptions },
): Promise<boolean> {
  try {
    await refuseForeign(stored, at);
    return false;
  } catch (error) {
    if (error instanceof TopicIoError && !at.options.signal.aborted) return true;
    throw error;
  }
}

function pastOf(stored: StoredPartition, of: { partition: number; fold: number }): Past {
  const { partition, fold } = of;
  let newest: RunSnapshot | null = null;
  for (const [key, bytes] of stored.snapshots) {
    const state = decodeSnapshotOfFold(bytes, fold);
    if (state === null || formatRunKey(state) !== key) continue;
    if (newest === null || state.position.seq > newest.position.seq) newest = state;
  }
  const checkpoint = stored.checkpoint?.next ?? 0;
  return { partition, checkpoint, newest: new Map(newest === null ? [] : [[partition, newest]]) };
}
