import type { Checkpoint } from '@runlog/records/checkpoint-record';
import { encodeCheckpoint } from '@runlog/records/checkpoint-record';
import { decodeFigures, encodeFigures } from '@runlog/records/figures-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { decodeSnapshotOfFold, encodeSnapshot } from '@runlog/records/snapshot-record';
import { readNewestFigures } from '@runlog/run-feed/read-figures';
import { readStoredPartition, type StoredPartition } from '@runlog/run-feed/stored-snapshots';
import { refuseMissedTombstones } from '@runlog/run-feed/tombstones';
import { figuresFrom, type RunFiguresState } from '@runlog/run-state/figures/run-figures';
import { figuresTopicOf, snapshotWriterId, type TopicNames } from '@runlog/schema/log/topics';
import { FIGURES_SINCE_FOLD } from '@runlog/schema/run/figures';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import {
  type FencedWriter,
  type RecordToAppend,
  type TopicIo,
  TopicIoError,
} from '@runlog/topic-io/topic-io';
import { FLUSH_BYTES_MAX } from './build-flush.ts';
import { isOfOthers, refuseForeign } from './foreign-partitions.ts';

const UNREADABLE =
  'the former snapshot of this run cannot be read; the run begins with its oldest event in the topic';

const NOTHING_STORED: StoredPartition = {
  ...{ checkpoint: null, snapshots: new Map(), damaged: new Set(), unreadable: [] },
};
const UNREADABLE_BATCH =
  'a batch of the former snapshots cannot be read; runs that began before the topic go on from the newest that can be';

interface BeginOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes sure that the partition has a checkpoint that lies within the events, and that everything below it is written.
 * This includes the runs whose beginning the topic no longer holds. They are seeded from their former snapshots before
 * the first checkpoint, and never again: the holder of a run that was retired since may not have written the tombstone
 * yet, and a second seeding would bring the run back. The output of an earlier attempt is replaced if it has no
 * checkpoint, or one that retention has passed. `isForeign` means that the former snapshots include events that were
 * deleted; then they are not used. `keepsEpoch` means that readers keep what they hold, so all of it must be proved:
 * rejects with `unavailable` if events were deleted meanwhile that no former snapshot includes.
 */
export async function beginOrGoOn(
  options: BeginOptions,
  at: { former: RunMeta; meta: RunMeta; partition: number; isForeign: boolean; keepsEpoch: boolean },
): Promise<{ startOffset: number; rejectedBelow: number }> {
  const { io, topics, signal, clock, logger } = options;
  const { former, meta, partition, isForeign, keepsEpoch } = at;
  const past = {
    partition,
    options: {
      ...{ io, topics, meta: former, partitions: [partition], logger, signal },
      ...{ sleep: clock.sleep, now: clock.now },
    },
  };
  for (;;) {
    signal.throwIfAborted();
    // The writer is opened anew each time, because then everything that was committed before can be read.
    await using writer = await io.fencedWriter(snapshotWriterId(meta.snapshots, partition));
    // The start is taken before the former snapshots are read, so that these hold everything below it. If retention
    // moves it after that, the next round shows it.
    const { startOffset } = (await io.bounds(topics.events))[partition]!;
    const begunMs = clock.now();
    const written = await readStoredPartition(io, { topic: meta.snapshots, partition, signal });
    const found = await readStoredPartition(io, { topic: former.snapshots, partition, signal });
    refuseMissedTombstones({ topic: former.snapshots, begunMs, endedMs: clock.now() });
    if (!isForeign) await refuseForeign(found, past);
    const proven = found.checkpoint?.next ?? former.starts?.[partition] ?? 0;
    if (keepsEpoch && proven < startOffset) {
      throw new TopicIoError(
        'unavailable',
        `${topics.events} partition ${partition} begins at ${startOffset} now, but the snapshots end at ` +
          `${proven}: records were deleted before they were folded; start again`,
      );
    }
    const stored = isForeign ? NOTHING_STORED : found;
    refuseUnreadable(written, { topic: meta.snapshots, partition });
    for (const { firstOffset, lastOffset, reason } of stored.unreadable) {
      logger.error({ topic: former.snapshots, partition, firstOffset, lastOffset, reason }, UNREADABLE_BATCH);
    }
    const { checkpoint } = written;
    const goesOn = checkpoint !== null && checkpoint.next >= startOffset;
    const own = { ...past, options: { ...past.options, meta } };
    if (goesOn && !(isForeign && (await isOfOthers(written, own)))) {
      const { rejected_below, next = 0 } = stored.checkpoint ?? {};
      return { startOffset, rejectedBelow: rejected_below ?? next };
    }
    const figures = isForeign
      ? new Map<string, Buffer>()
      : await formerFigures(options, { former, partition, checkpoint: found.checkpoint });
    await begin(options, { writer, written, stored, figures, former, meta, partition, startOffset });
  }
}

/** What a killed rebuild has written can be written again; what it holds must be known before it is gone on with. */
function refuseUnreadable({ unreadable }: StoredPartition, at: { topic: string; partition: number }): void {
  const [batch] = unreadable;
  if (batch === undefined) return;
  throw new TopicIoError(
    'unusable',
    `${at.topic} partition ${at.partition}: the batch at offset ${batch.firstOffset} ${batch.reason}. An earlier rebuild ` +
      'wrote it: delete that topic and start again',
  );
}

/** Figures exist since version 2 of the fold. */
async function formerFigures(
  { io, signal, clock }: BeginOptions,
  at: { former: RunMeta; partition: number; checkpoint: Checkpoint | null },
): Promise<Map<string, Buffer>> {
  const { former, partition, checkpoint } = at;
  if (former.fold < FIGURES_SINCE_FOLD) return new Map();
  return readNewestFigures({
    ...{ io, topic: figuresTopicOf(former.snapshots), partition, signal, sleep: clock.sleep },
    checkpoint: checkpoint?.next ?? null,
    // The comparison has named them. Figures that are behind their snapshot go on from it.
    onUnreadable: () => undefined,
  });
}

async function begin(
  options: BeginOptions,
  at: {
    writer: FencedWriter;
    written: StoredPartition;
    stored: StoredPartition;
    figures: ReadonlyMap<string, Buffer>;
    former: RunMeta;
    meta: RunMeta;
    partition: number;
    startOffset: number;
  },
): Promise<void> {
  const { signal, clock } = options;
  const { writer, written, stored, former, meta, partition, startOffset } = at;
  const seeds = seedsOf(stored, { former, meta, partition, startOffset, logger: options.logger });
  const nowMs = clock.now();
  let snapshots: RecordToAppend[] = [];
  let figures: RecordToAppend[] = [];
  let bytes = 0;
  const commit = async () => {
    signal.throwIfAborted();
    await writer.commit({
      records: [
        { topic: figuresTopicOf(meta.snapshots), partition, records: figures },
        { topic: meta.snapshots, partition, records: snapshots },
      ].filter(({ records }) => records.length > 0),
    });
    snapshots = [];
    figures = [];
    bytes = 0;
  };
  for (const key of written.snapshots.keys()) {
    if (seeds.has(key)) continue;
    const tombstone = { key, value: null, headers: {}, timestampMs: nowMs };
    snapshots.push(tombstone);
    figures.push(tombstone);
  }
  for (const [key, seed] of seeds) {
    const seeded = encodeSnapshot(seed, { key, nowMs });
    const stale = { bytes: at.figures.get(key) ?? null, next: stored.checkpoint?.next ?? 0, startOffset };
    const seededFigures = encodeFigures(figureSeedOf(seed, stale), { key, nowMs });
    snapshots.push(seeded);
    figures.push(seededFigures);
    bytes += seeded.value.length + seededFigures.value.length;
    if (bytes >= FLUSH_BYTES_MAX) await commit();
  }
  const checkpoint: Checkpoint = { epoch: meta.epoch, fold: meta.fold, next: startOffset };
  for (const records of [figures, snapshots]) records.push(encodeCheckpoint(checkpoint, nowMs));
  await commit();
}

/**
 * Returns the figures of a run that is seeded from its former snapshot. Former figures that lack events which the topic no
 * longer holds go on from the snapshot; without any, they begin there.
 */
function figureSeedOf(
  seed: RunSnapshot,
  former: { bytes: Buffer | null; next: number; startOffset: number },
): RunFiguresState {
  const begun = figuresFrom(seed);
  const figures = decodeFigures(former.bytes);
  if (figures === null || figures.position.seq < seed.first_seq) return begun;
  const { epoch } = seed.position;
  if (former.next >= former.startOffset || figures.position.seq >= seed.position.seq) {
    return { ...figures, position: { epoch, seq: figures.position.seq } };
  }
  return { ...begun, refused: figures.refused, series: figures.series };
}

/**
 * Returns the former snapshots of runs whose beginning the topic no longer holds, brought up to this version of the fold.
 * Nothing else remembers it.
 */
function seedsOf(
  stored: StoredPartition,
  at: { former: RunMeta; meta: RunMeta; partition: number; startOffset: number; logger: Logger },
): Map<string, RunSnapshot> {
  const { former, meta, partition, startOffset, logger } = at;
  const seeds = new Map<string, RunSnapshot>();
  for (const [key, bytes] of stored.snapshots) {
    const state = decodeSnapshotOfFold(bytes, former.fold);
    if (state === null || formatRunKey(state) !== key) {
      logger.warn({ run: key, partition, topic: former.snapshots }, UNREADABLE);
      continue;
    }
    if (state.first_seq >= startOffset) continue;
    seeds.set(key, { ...state, position: { epoch: meta.epoch, seq: state.position.seq } });
  }
  return seeds;
}
