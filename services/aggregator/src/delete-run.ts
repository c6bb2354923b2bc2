import { encodeRetirement } from '@runlog/records/control-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { readStoredPartition } from '@runlog/run-feed/stored-snapshots';
import type { TopicNames } from '@runlog/schema/log/topics';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { TopicIo } from '@runlog/topic-io/topic-io';

/** The outcome of deleting one run. */
export type Deletion =
  | { readonly key: string; readonly deleted: true; readonly partition: number; readonly offset: number }
  | { readonly key: string; readonly deleted: false };

/**
 * Appends the control record that every reader folds to "absent"; the tombstone follows after the checkpoint. It can be
 * repeated. `deleted: false` means that no snapshot of such a run is stored. Rejects if the record was not
 * acknowledged.
 */
export async function deleteRun(options: {
  io: TopicIo;
  topics: TopicNames;
  meta: RunMeta;
  key: string;
  nowMs: number;
}): Promise<Deletion> {
  const { io, topics, meta, key, nowMs } = options;
  const partition = partitionOf(key, meta.partitions);
  const stored = await readStoredPartition(io, { topic: meta.snapshots, partition });
  if (!stored.snapshots.has(key)) return { key, deleted: false };
  await using writer = await io.writer();
  const record = encodeRetirement({ key, reason: 'deleted', through: null, nowMs });
  const { acknowledged, baseOffset, fault } = await writer.append({
    ...{ topic: topics.events, partition },
    records: [record],
  });
  if (acknowledged === 1) return { key, deleted: true, partition, offset: baseOffset };
  throw fault ?? new Error('an append ended without an acknowledgement and without a fault');
}
