import { CHECKPOINT_KEY, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { isReservedKey } from '@runlog/schema/log/topics';
import type { LogRecord, TopicIo, UnreadableBatch } from '@runlog/topic-io/topic-io';
import { readToEnd } from './read-to-end.ts';

/** A commit is decided before it can be read, and not in all of its topics at once. This is the longest that we wait. */
const LAG_MS_MAX = 10_000;
const RECHECK_MS = 50;

export interface ReadFiguresOptions {
  readonly io: TopicIo;
  readonly topic: string;
  readonly partitions: readonly number[];
  /** The checkpoints of the snapshots, by partition. The snapshots must have been read before. */
  readonly checkpoints: ReadonlyMap<number, number>;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onRecords: (records: readonly LogRecord[], partition: number) => void;
  readonly onUnreadable: (batches: readonly UnreadableBatch[], partition: number) => void;
}

/**
 * Reads the figures that belong to snapshots. They must be at least as new, because every event below a checkpoint is in
 * both, but a transaction can be read in one topic before it can be read in the other. So it goes on reading until the
 * checkpoint among the figures has reached that of the snapshots. Returns the partitions in which it did not do so in time.
 */
export async function readFigures(options: ReadFiguresOptions): Promise<readonly number[]> {
  const { io, topic, partitions, checkpoints, signal, sleep, onRecords, onUnreadable } = options;
  const reached = new Map<number, number>();
  const from = new Map<number, number>();
  let lagging = partitions;
  for (let waitedMs = 0; ; waitedMs += RECHECK_MS) {
    const read = await readToEnd(io, {
      ...{ topic, signal, partitions: lagging, onUnreadable },
      from: (partition) => from.get(partition) ?? 0,
      onRecords: (records, partition) => {
        for (const { key, value } of records) {
          if (key === CHECKPOINT_KEY) reached.set(partition, decodeCheckpoint(value)?.next ?? 0);
        }
        const figures = records.filter(({ key }) => !isReservedKey(key));
        if (figures.length > 0) onRecords(figures, partition);
      },
    });
    for (const [partition, { nextOffset }] of read) from.set(partition, nextOffset);
    lagging = partitions.filter(
      (partition) => (reached.get(partition) ?? 0) < (checkpoints.get(partition) ?? 0),
    );
    if (lagging.length === 0 || waitedMs >= LAG_MS_MAX) return lagging;
    // Nothing will come. A rebuild reads a topic that is gone as an empty one.
    if (waitedMs === 0 && (await io.describeTopic(topic)) === null) return lagging;
    await sleep(RECHECK_MS, signal);
    signal.throwIfAborted();
  }
}

/** Reads the newest bytes of the figures of each run in one partition. */
export async function readNewestFigures(
  options: Omit<ReadFiguresOptions, 'partitions' | 'checkpoints' | 'onRecords'> & {
    partition: number;
    checkpoint: number | null;
  },
): Promise<Map<string, Buffer>> {
  const { partition, checkpoint } = options;
  const newest = new Map<string, Buffer>();
  await readFigures({
    ...options,
    partitions: [partition],
    checkpoints: new Map(checkpoint === null ? [] : [[partition, checkpoint]]),
    onRecords: (records) => {
      for (const { key, value } of records) {
        if (value === null) newest.delete(key);
        // A copy, because the value is a part of all that was fetched with it.
        else newest.set(key, Buffer.from(value));
      }
    },
  });
  return newest;
}
