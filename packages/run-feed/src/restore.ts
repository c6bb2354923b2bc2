import { CHECKPOINT_KEY, type Checkpoint, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { decodeDormantFigures } from '@runlog/records/figures-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { decodeDormant, decodeSnapshot } from '@runlog/records/snapshot-record';
import { emptyFigures, figuresFrom } from '@runlog/run-state/figures/run-figures';
import { figuresTopicOf, isReservedKey } from '@runlog/schema/log/topics';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { type LogRecord, TopicIoError, type UnreadableBatch } from '@runlog/topic-io/topic-io';
import { awaitHidden } from './hidden-snapshots.ts';
import { readFigures } from './read-figures.ts';
import { readToEnd } from './read-to-end.ts';
import { boundsCovering, newestSnapshots, refuseForeignPast } from './refuse-recreated.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { RunTable } from './run-table.ts';
import { refuseMissedTombstones } from './tombstones.ts';

const FIGURES_UNREADABLE =
  'a batch of figures cannot be read: those of its partition are folded anew, at each start until "runlog rebuild"';

/**
 * Fills the table from the snapshot topic and returns, for each partition, the offset of the events topic from which to
 * continue folding. A snapshot ahead of that offset skips records by its own position. Snapshots whose checksum is
 * right are kept as bytes until somebody asks for the run. A run whose snapshot cannot be read is folded anew if the
 * events reach back to its beginning. Otherwise the run is left out, which is logged, and its stored bytes stay.
 */
export async function restore(table: RunTable, options: RestoreOptions): Promise<Map<number, number>> {
  const { io, topics, meta, partitions, signal } = options;
  const checkpoints = new Map<number, number>();
  const unreadable = new Map<string, number>();
  const begunMs = options.now();
  const begun = await io.bounds(topics.events);
  const read = await readToEnd(io, {
    topic: meta.snapshots,
    partitions,
    signal,
    onUnreadable: ([batch], partition) =>
      refuseUnreadableSnapshots(batch!, { topic: meta.snapshots, partition }),
    onRecords: (records, partition) => {
      for (const record of newestOfEach(records)) {
        if (record.key === CHECKPOINT_KEY) {
          const checkpoint = readCheckpoint(record, meta);
          checkpoints.set(partition, checkpoint.next);
          options.onCheckpoint?.(checkpoint, partition);
        } else if (!isReservedKey(record.key)) restoreRun(table, { record, partition, meta, unreadable });
      }
    },
  });
  table.states.settle();
  refuseMissedTombstones({ topic: meta.snapshots, begunMs, endedMs: options.now() });
  const lagging = await restoreFigures(table, { ...options, checkpoints });
  const newest = newestSnapshots(table, meta.partitions);
  const bounds = await boundsCovering(newest, { ...options, checkpoints });
  await refuseForeignPast(newest, { ...options, bounds });
  const next = new Map<number, number>();
  for (const partition of partitions) {
    const { startOffset } = bounds[partition]!;
    const checkpoint = checkpoints.get(partition);
    const lacksFrom = checkpoint ?? meta.starts?.[partition] ?? startOffset;
    if (lacksFrom < startOffset) {
      const readTo = read.get(partition)!.nextOffset;
      await awaitHidden({ topic: meta.snapshots, partition, readTo }, options);
    }
    if (checkpoint !== undefined && checkpoint < startOffset) {
      throw new TopicIoError(
        'unusable',
        `${topics.events} partition ${partition} begins at ${startOffset}, but the snapshots end at ${checkpoint}: ` +
          `${startOffset - checkpoint} records were deleted before they were folded. "runlog rebuild" starts anew ` +
          'from what is left',
      );
    }
    if (checkpoint === undefined && begun[partition]!.startOffset < startOffset) {
      // A first flush may have been written after we read the snapshots, and retention may have deleted records after
      // that.
      throw new TopicIoError(
        'unavailable',
        `${topics.events} partition ${partition} lost its first records while ${meta.snapshots} was read; reading anew`,
      );
    }
    const begunAt = meta.starts?.[partition] ?? startOffset;
    if (checkpoint === undefined && begunAt < startOffset) {
      throw new TopicIoError(
        'unusable',
        `${topics.events} partition ${partition} begins at ${startOffset}, but began at ${begunAt} and nothing is stored of ` +
          `it: ${startOffset - begunAt} records were deleted before they were folded. "runlog rebuild" starts anew ` +
          'from what is left',
      );
    }
    next.set(partition, checkpoint ?? startOffset);
  }
  for (const [key, partition] of runsWithoutFigures(table, { meta, next, lagging }))
    unreadable.set(key, partition);
  await refold(table, { ...options, unreadable, next, bounds });
  return next;
}

/** Within a batch, only the newest record of a key is worth parsing. */
function newestOfEach(records: readonly LogRecord[]): Iterable<LogRecord> {
  return new Map(records.map((record) => [record.key, record])).values();
}

async function restoreFigures(
  table: RunTable,
  options: RestoreOptions & { checkpoints: ReadonlyMap<number, number> },
): Promise<ReadonlySet<number>> {
  const { io, meta, partitions, checkpoints, signal, sleep, logger } = options;
  const topic = figuresTopicOf(meta.snapshots);
  const begunMs = options.now();
  // What such a batch holds may be newer than what is read of the same runs.
  const broken = new Set<number>();
  const lagging = await readFigures({
    ...{ io, topic, partitions, checkpoints, signal, sleep },
    onUnreadable: ([batch], partition) => {
      const { firstOffset, lastOffset, reason } = batch!;
      logger.error({ topic, partition, firstOffset, lastOffset, reason }, FIGURES_UNREADABLE);
      broken.add(partition);
    },
    onRecords: (records) => {
      for (const record of newestOfEach(records)) {
        const dormant = decodeDormantFigures(record);
        const isOurs =
          dormant !== null &&
          formatRunKey(dormant.head) === record.key &&
          dormant.head.position.epoch === meta.epoch;
        if (isOurs) table.figures.setDormant(record.key, dormant);
        else table.figures.delete(record.key);
      }
    },
  });
  table.figures.settle();
  refuseMissedTombstones({ topic, begunMs, endedMs: options.now() });
  if (lagging.length > 0) {
    logger.warn({ topic, partitions: lagging }, 'figures are older than their snapshots; folding them anew');
  }
  return new Set([...lagging, ...broken]);
}

/**
 * Yields the runs whose figures are gone, unreadable or older than their snapshots, and would not follow from the events
 * from `next` on. A run that was retired between the two reads is among them too; folding it anew changes nothing.
 */
function* runsWithoutFigures(
  table: RunTable,
  at: { meta: RunMeta; next: ReadonlyMap<number, number>; lagging: ReadonlySet<number> },
): Generator<[key: string, partition: number]> {
  for (const [key, { first_seq }] of table.states.heads()) {
    const partition = partitionOf(key, at.meta.partitions);
    const next = at.next.get(partition);
    if (next === undefined || first_seq >= next) continue;
    const isIncomplete = at.lagging.has(partition) || (table.figures.seqOf(key) ?? -1) < first_seq;
    if (isIncomplete) yield [key, partition];
  }
}

function readCheckpoint(record: LogRecord, meta: RunMeta): Checkpoint {
  const checkpoint = decodeCheckpoint(record.value);
  if (checkpoint === null) {
    throw new TopicIoError(
      'unusable',
      `${meta.snapshots}: the checkpoint at offset ${record.offset} is not readable`,
    );
  }
  const { epoch, fold } = checkpoint;
  if (epoch !== meta.epoch || fold !== FOLD_VERSION) {
    throw new TopicIoError(
      'unusable',
      `${meta.snapshots} was written in epoch ${epoch} by fold version ${fold}; run-meta says ${meta.epoch} and ` +
        `version ${meta.fold}. Was a topic recreated? "runlog rebuild" writes new snapshots`,
    );
  }
  return checkpoint;
}

/** A batch of snapshots replaces earlier ones. If it were passed, those would count, and events would be missing. */
function refuseUnreadableSnapshots(batch: UnreadableBatch, at: { topic: string; partition: number }): never {
  const { firstOffset, lastOffset, reason } = batch;
  throw new TopicIoError(
    'unusable',
    `${at.topic} partition ${at.partition}: the batch at offsets ${firstOffset} to ${lastOffset} ${reason}, so it is not ` +
      'known which snapshots it holds. None was overwritten. "runlog rebuild" writes all of them anew',
  );
}

function restoreRun(
  table: RunTable,
  input: { record: LogRecord; partition: number; meta: RunMeta; unreadable: Map<string, number> },
): void {
  const { record, partition, meta, unreadable } = input;
  unreadable.delete(record.key);
  if (record.value === null) {
    table.states.delete(record.key);
    return;
  }
  const dormant = decodeDormant(record);
  if (
    dormant !== null &&
    formatRunKey(dormant.head) === record.key &&
    dormant.head.position.epoch === meta.epoch
  ) {
    table.states.setDormant(record.key, dormant);
    return;
  }
  const state = decodeSnapshot(record.value);
  if (state !== null && formatRunKey(state) === record.key && state.position.epoch === meta.epoch) {
    table.states.set(record.key, state);
  } else {
    table.states.delete(record.key);
    unreadable.set(record.key, partition);
  }
}

async function refold(
  table: RunTable,
  options: RestoreOptions & {
    unreadable: ReadonlyMap<string, number>;
    next: ReadonlyMap<number, number>;
    bounds: readonly { startOffset: number }[];
  },
): Promise<void> {
  const { io, topics, unreadable, bounds, logger, signal } = options;
  for (const partition of new Set(unreadable.values())) {
    const keys = new Set([...unreadable].filter(([, at]) => at === partition).map(([key]) => key));
    const { startOffset } = bounds[partition]!;
    const isTruncated = (key: string) => (table.states.get(key)?.first_seq ?? startOffset) < startOffset;
    // Their figures would be given up, and what is given up is stored.
    if ([...keys].some(isTruncated))
      await awaitHidden({ topic: figuresTopicOf(options.meta.snapshots), partition }, options);
    for (const key of keys) {
      const state = table.states.get(key);
      if (state === undefined || state.first_seq >= startOffset) continue;
      // The events that its figures lack may be gone, so these go on from here.
      const { series, refused } = table.figures.get(key) ?? emptyFigures(state);
      table.figures.set(key, { ...figuresFrom(state), series, refused });
      table.refolded.add(key);
      logger.error(
        { partition, run: key },
        'figures of truncated history lack events: they go on from the snapshot',
      );
      keys.delete(key);
    }
    if (startOffset > 0) {
      for (const key of keys) {
        if (table.states.has(key)) continue;
        table.leftOut.add(key);
        keys.delete(key);
        logger.error(
          { partition, run: key },
          'unreadable snapshot of truncated history: the run is left out',
        );
      }
    }
    if (keys.size === 0) continue;
    logger.warn({ partition, runs: [...keys] }, 'unreadable snapshots or figures: folding these runs anew');
    for (const key of keys) {
      table.states.delete(key);
      table.figures.delete(key);
      table.refolded.add(key);
    }
    const next = options.next.get(partition)!;
    await readToEnd(io, {
      topic: topics.events,
      partitions: [partition],
      signal,
      // Whoever folds the tail tells of them.
      onUnreadable: () => undefined,
      onRecords: (records) => {
        table.fold(
          records.filter((record) => keys.has(record.key) && record.offset < next),
          partition,
        );
      },
    });
  }
}
