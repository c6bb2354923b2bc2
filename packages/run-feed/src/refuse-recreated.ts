import { eventIdOf } from '@runlog/records/event-record';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunHead } from '@runlog/schema/run/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { type LogRecord, type PartitionBounds, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import type { RestoreOptions } from './restore-options.ts';
import type { RunTable } from './run-table.ts';

/** The stable end of a topic may lag behind for as long as a transaction lasts, and a little longer. */
const RECREATED_AFTER_MS = 30_000;
const RECHECK_MS = 500;

/**
 * Returns the snapshot of each partition that has folded furthest. If the topic covers it, it also covers the others.
 */
export function newestSnapshots(table: RunTable, partitions: number): Map<number, RunHead> {
  const newest = new Map<number, RunHead>();
  for (const [key, state] of table.states.heads()) {
    const partition = partitionOf(key, partitions);
    if (state.position.seq > (newest.get(partition)?.position.seq ?? -1)) newest.set(partition, state);
  }
  return newest;
}

/**
 * Waits until the bounds of the events topic cover every position of the snapshots, and returns them. A snapshot ahead
 * of the topic's end means that the topic was recreated. But the end may lag for a moment, so this is concluded only
 * after 30 s.
 */
export async function boundsCovering(
  newest: ReadonlyMap<number, RunHead>,
  options: RestoreOptions & { checkpoints: ReadonlyMap<number, number> },
): Promise<PartitionBounds[]> {
  const { io, topics, meta, partitions, checkpoints, signal } = options;
  const needed = new Map<number, { offset: number; of: string }>();
  for (const [partition, offset] of checkpoints) needed.set(partition, { offset, of: 'the checkpoint' });
  for (const [partition, state] of newest) {
    const offset = state.position.seq + 1;
    if (offset > (needed.get(partition)?.offset ?? 0)) {
      needed.set(partition, { offset, of: `the snapshot of ${formatRunKey(state)}` });
    }
  }
  for (let waitedMs = 0; ; waitedMs += RECHECK_MS) {
    const bounds = await io.bounds(topics.events);
    const ahead = partitions.find(
      (partition) => (needed.get(partition)?.offset ?? 0) > bounds[partition]!.stableEnd,
    );
    if (ahead === undefined) return bounds;
    if (waitedMs >= RECREATED_AFTER_MS) {
      const { offset, of } = needed.get(ahead)!;
      throw new TopicIoError(
        'unusable',
        `${of} is at offset ${offset} of ${topics.events} partition ${ahead}, which ends at ` +
          `${bounds[ahead]!.stableEnd}: the events topic was recreated, ${meta.snapshots} was not. ` +
          '"runlog rebuild" writes new snapshots',
      );
    }
    await options.sleep(RECHECK_MS, signal);
    signal.throwIfAborted();
  }
}

/**
 * Checks the newest snapshot of each partition: the record at its position must be the one that it folded last. Another
 * record there means that the events topic was recreated and has grown past the snapshots.
 */
export async function refuseForeignPast(
  newest: ReadonlyMap<number, RunHead>,
  options: RestoreOptions & { bounds: readonly { startOffset: number }[] },
): Promise<void> {
  const { io, topics, meta, bounds, signal } = options;
  await Promise.all(
    [...newest].map(async ([partition, state]) => {
      const { seq } = state.position;
      if (seq < bounds[partition]!.startOffset) return;
      const record = await recordAt(io, { topic: topics.events, partition, offset: seq, signal });
      // Retention may have passed the record meanwhile. The checkpoint is checked separately.
      if (record === null) return;
      if (record.key === formatRunKey(state) && eventIdOf(record) === state.last_event_id) return;
      throw new TopicIoError(
        'unusable',
        `the snapshot of ${formatRunKey(state)} says that event ${state.last_event_id} is at offset ${seq} of ` +
          `${topics.events} partition ${partition}, but another record is there: the events topic was recreated, ` +
          `${meta.snapshots} was not. "runlog rebuild" writes new snapshots`,
      );
    }),
  );
}

async function recordAt(
  io: TopicIo,
  at: { topic: string; partition: number; offset: number; signal: AbortSignal },
): Promise<LogRecord | null> {
  await using reader = io.reader({ topic: at.topic, signal: at.signal, passesUnreadable: true });
  reader.add({ partition: at.partition, offset: at.offset });
  for await (const fetched of reader) {
    // The record was asked for because the topic reached past it.
    if (fetched.stableEnd <= at.offset) {
      throw new TopicIoError(
        'unavailable',
        `${at.topic} partition ${at.partition} ends at ${fetched.stableEnd} and reached past ${at.offset} before; reading anew`,
      );
    }
    if (fetched.kind === 'out_of_range') return null;
    const record = fetched.records.find(({ offset }) => offset >= at.offset);
    if (record !== undefined) return record.offset === at.offset ? record : null;
    if (fetched.nextOffset > at.offset) return null;
  }
  at.signal.throwIfAborted();
  return null;
}
