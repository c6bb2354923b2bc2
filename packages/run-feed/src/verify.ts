import type { RunMeta } from '@runlog/records/meta-record';
import { decodeSnapshot } from '@runlog/records/snapshot-record';
import { figuresTopicOf, type TopicNames } from '@runlog/schema/log/topics';
import { FIGURES_SINCE_FOLD } from '@runlog/schema/run/figures';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { PartitionBounds, TopicIo, UnreadableBatch } from '@runlog/topic-io/topic-io';
import { firstDifference } from './first-difference.ts';
import { refuseHidden } from './hidden-snapshots.ts';
import { readNewestFigures } from './read-figures.ts';
import { readToEnd } from './read-to-end.ts';
import { RunTable } from './run-table.ts';
import { readStoredPartition, type StoredPartition } from './stored-snapshots.ts';
import { FigureExpectations } from './verify-figures.ts';

/** A run whose stored snapshot differs from a fold of the topic. */
export interface Difference {
  readonly key: string;
  readonly partition: number;
  /** The position of the stored snapshot; null if there is none that can be read. */
  readonly seq: number | null;
  /** The dotted path of the first field that differs; empty if the whole snapshot is missing or should not exist. */
  readonly field: string;
  readonly stored: unknown;
  readonly folded: unknown;
  readonly message: string;
}

/**
 * Records that were deleted before they were in a snapshot. A reader that was fast enough holds them, and nothing that is
 * stored proves them.
 */
export interface LostRecords {
  readonly partition: number;
  /** Where the snapshots end. */
  readonly from: number;
  /** Where the topic begins. */
  readonly to: number;
}

export interface VerifyReport {
  /** The number of distinct runs that have records in the events topic. */
  readonly runsInTopic: number;
  /** The number of snapshots that were compared, byte for byte. */
  readonly compared: number;
  /** The number of runs whose figures were compared, byte for byte. */
  readonly figuresCompared: number;
  /**
   * The number of snapshots of runs that began before the oldest event in the topic. There is nothing to compare them
   * with.
   */
  readonly truncated: number;
  /** The number of records that no fold can read. */
  readonly unfoldable: number;
  /**
   * The batches of events that nobody can read. Everybody passes them alike, so snapshots can be right although they are
   * there; the numbers of their events are missing. Those of other topics are differences.
   */
  readonly unreadable: readonly PlacedBatch[];
  readonly events: number;
  readonly differences: readonly Difference[];
  /** Empty if the snapshots of every partition reach to the topic's beginning. */
  readonly lost: readonly LostRecords[];
}

export interface PlacedBatch extends Omit<UnreadableBatch, 'bytes'> {
  readonly topic: string;
  readonly partition: number;
}

export interface VerifyProgress {
  /** The number of events folded so far, over all partitions; `eventsTotal` is the number to fold. */
  readonly events: number;
  readonly eventsTotal: number;
}

/**
 * Folds the events topic from its start with the same `evolve` that writes the snapshots, and compares every stored
 * snapshot at its own position. This also works while the system runs: the snapshots are read first, so the topic holds
 * every event in them. Every run with a record below its partition's checkpoint must have a snapshot or have been
 * retired.
 */
export async function verify(options: {
  io: TopicIo;
  topics: TopicNames;
  meta: RunMeta;
  signal: AbortSignal;
  /** Resolves after the time or on abort. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  onProgress?: (progress: VerifyProgress) => void;
}): Promise<VerifyReport> {
  const { io, topics, meta, signal } = options;
  const bounds = await io.bounds(topics.events);
  const progress = {
    events: 0,
    eventsTotal: bounds.reduce((sum, { startOffset, stableEnd }) => sum + stableEnd - startOffset, 0),
  };
  const total = { runsInTopic: 0, compared: 0, figuresCompared: 0, truncated: 0, unfoldable: 0, events: 0 };
  const differences: Difference[] = [];
  const lost: LostRecords[] = [];
  const unreadable: PlacedBatch[] = [];
  for (let partition = 0; partition < meta.partitions; partition += 1) {
    const stored = await readStoredPartition(io, { topic: meta.snapshots, partition, signal });
    const onUnreadable = (batches: readonly UnreadableBatch[], topic: string) => {
      differences.push(...batches.map((batch) => unreadableStored(batch, { topic, partition })));
    };
    onUnreadable(stored.unreadable, meta.snapshots);
    const figures =
      meta.fold < FIGURES_SINCE_FOLD
        ? new Map<string, Buffer>()
        : await readNewestFigures({
            ...{ io, topic: figuresTopicOf(meta.snapshots), partition, signal, sleep: options.sleep },
            checkpoint: stored.checkpoint?.next ?? null,
            onUnreadable: (batches) => onUnreadable(batches, figuresTopicOf(meta.snapshots)),
          });
    // The bounds are read anew, because the topic may meanwhile have grown to the positions of the snapshots.
    const now = (await io.bounds(topics.events))[partition]!;
    const from = stored.checkpoint?.next ?? meta.starts?.[partition] ?? 0;
    if (from < now.startOffset) {
      const { sleep } = options;
      await refuseHidden({ topic: meta.snapshots, partitions: [partition] }, { io, sleep, signal });
      lost.push({ partition, from, to: now.startOffset });
    }
    const verified = await verifyPartition({
      ...{ io, topics, meta, signal, partition, stored, figures },
      bounds: now,
      onEvents: (count) => {
        progress.events += count;
        options.onProgress?.(progress);
      },
    });
    total.runsInTopic += verified.runsInTopic;
    total.compared += verified.compared;
    total.figuresCompared += verified.figuresCompared;
    total.truncated += verified.truncated;
    total.unfoldable += verified.unfoldable;
    total.events += verified.events;
    unreadable.push(...verified.unreadable);
    differences.push(...verified.differences);
  }
  return { ...total, unreadable, differences, lost };
}

function unreadableStored(batch: UnreadableBatch, at: { topic: string; partition: number }): Difference {
  const { firstOffset, lastOffset, reason } = batch;
  return {
    ...{ key: `${at.topic}:${at.partition}`, partition: at.partition, seq: null, field: '' },
    ...{ stored: null, folded: null },
    message: `the batch at offsets ${firstOffset} to ${lastOffset} ${reason}: "runlog rebuild" writes everything anew`,
  };
}

async function verifyPartition(options: {
  io: TopicIo;
  topics: TopicNames;
  meta: RunMeta;
  partition: number;
  stored: StoredPartition;
  figures: ReadonlyMap<string, Buffer>;
  bounds: PartitionBounds;
  signal: AbortSignal;
  onEvents: (count: number) => void;
}): Promise<Omit<VerifyReport, 'lost'>> {
  const { io, topics, meta, partition, stored, bounds, signal } = options;
  const table = new RunTable(meta);
  const { startOffset } = bounds;
  const checkpoint = stored.checkpoint?.next ?? startOffset;
  const expectations = new Expectations(stored, { partition, startOffset });
  const figures = new FigureExpectations(options.figures, {
    ...{ partition, checkpoint, runs: expectations.runs(), truncated: expectations.truncatedRuns() },
  });
  const seen = new Set<string>();
  const unreadable: PlacedBatch[] = [];
  let unfoldable = 0;
  let events = 0;
  await readToEnd(io, {
    topic: topics.events,
    partitions: [partition],
    from: () => bounds.startOffset,
    signal,
    onUnreadable: (batches) => {
      const place = { topic: topics.events, partition };
      unreadable.push(...batches.map(({ bytes: _, ...batch }) => ({ ...place, ...batch })));
    },
    onRecords: (records) => {
      for (const record of records) {
        if (record.offset === checkpoint || (record.offset > checkpoint && !expectations.reached)) {
          expectations.reachCheckpoint(table.states);
        }
        const folded = table.foldInPlace([record], partition);
        unfoldable += folded.unfoldable.length;
        if (folded.unfoldable.length > 0) continue;
        seen.add(record.key);
        const after = table.states.get(record.key) ?? null;
        if (after === null) {
          expectations.retired(record.key);
          figures.retired(record.key);
        } else {
          expectations.compare(record.key, after);
        }
        if (figures.awaits(record)) figures.compare(record.key, table.figures.get(record.key));
      }
      events += records.length;
      options.onEvents(records.length);
    },
  });
  if (!expectations.reached) expectations.reachCheckpoint(table.states);
  const { compared, truncated, differences } = expectations.finish();
  const ofFigures = figures.finish();
  return {
    runsInTopic: seen.size,
    ...{ compared, truncated, unfoldable, unreadable, events },
    figuresCompared: ofFigures.compared,
    differences: [...differences, ...ofFigures.differences],
  };
}

/** What a partition's stored snapshots claim, and which of these claims the fold has confirmed. */
class Expectations {
  /** Whether the fold has reached the checkpoint. */
  reached = false;
  readonly #partition: number;
  readonly #open = new Map<string, { bytes: Buffer; state: RunSnapshot }>();
  readonly #stored: StoredPartition;
  /** Runs below the checkpoint that have no snapshot. Only a later retirement explains them. */
  readonly #unexplained = new Map<string, number>();
  readonly #differences: Difference[] = [];
  /** The runs whose first record the topic no longer holds. */
  readonly #truncated = new Map<string, number>();
  #compared = 0;

  constructor(stored: StoredPartition, at: { partition: number; startOffset: number }) {
    this.#stored = stored;
    this.#partition = at.partition;
    for (const [key, bytes] of stored.snapshots) {
      const state = decodeSnapshot(bytes);
      if (state === null) {
        this.#differ({ key, seq: null, field: '', message: 'the stored snapshot cannot be read' });
      } else if (state.first_seq < at.startOffset) {
        this.#truncated.set(key, state.first_seq);
        // Its events are gone. Nothing else shows that it is not what was written.
        if (stored.damaged.has(key)) {
          const message = 'the stored snapshot does not have the checksum that it was stored with';
          this.#differ({ key, seq: state.position.seq, field: '', message });
        }
      } else {
        this.#open.set(key, { bytes, state });
      }
    }
  }

  /** Yields the runs that are still to be compared, with their first record. */
  *runs(): Generator<[key: string, firstSeq: number]> {
    for (const [key, { state }] of this.#open) yield [key, state.first_seq];
  }

  truncatedRuns(): ReadonlyMap<string, number> {
    return this.#truncated;
  }

  compare(key: string, folded: RunSnapshot): void {
    const expected = this.#open.get(key);
    if (expected === undefined || folded.position.seq < expected.state.position.seq) return;
    this.#open.delete(key);
    this.#compared += 1;
    const { bytes, state } = expected;
    if (folded.position.seq === state.position.seq && bytes.equals(Buffer.from(JSON.stringify(folded))))
      return;
    const { field, left, right } = firstDifference(state, folded);
    this.#differ({
      // The value is cloned, because the fold continues to change this state.
      ...{ key, field, seq: state.position.seq, stored: left, folded: structuredClone(right) },
      message: field === '' ? 'the bytes differ, but the values do not' : `${field} differs`,
    });
  }

  retired(key: string): void {
    this.#unexplained.delete(key);
  }

  reachCheckpoint(states: ReadonlyMap<string, RunSnapshot>): void {
    this.reached = true;
    for (const [key, state] of states) {
      if (!this.#stored.snapshots.has(key)) this.#unexplained.set(key, state.position.seq);
    }
  }

  finish(): { compared: number; truncated: number; differences: readonly Difference[] } {
    for (const [key, { state }] of this.#open) {
      this.#differ({
        ...{ key, seq: state.position.seq, field: '' },
        message: 'the topic holds no record at the position of the stored snapshot',
      });
    }
    for (const [key, seq] of this.#unexplained) {
      this.#differ({ key, seq, field: '', message: 'events below the checkpoint, but no snapshot' });
    }
    return { compared: this.#compared, truncated: this.#truncated.size, differences: this.#differences };
  }

  #differ(difference: {
    key: string;
    seq: number | null;
    field: string;
    stored?: unknown;
    folded?: unknown;
    message: string;
  }): void {
    this.#differences.push({ stored: null, folded: null, partition: this.#partition, ...difference });
  }
}
