import type { RunMeta } from '@runlog/records/meta-record';
import type { TopicNames } from '@runlog/schema/log/topics';
import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import type { ReadonlyFigureStates } from './figure-states.ts';
import { type HeldBack, HeldBackWatch } from './held-back-watch.ts';
import { restore } from './restore.ts';
import type { RunChange } from './run-change.ts';
import type { ReadonlyRunStates } from './run-states.ts';
import { LEFT_OUT, RunTable } from './run-table.ts';
import { truncated } from './truncated.ts';

const PASSED = 'a batch of events cannot be read: it is passed, and its numbers are missing from its runs';
/** Figures that nobody used for so long, or twice as long at most, go back to sleep. */
const FIGURES_AWAKE_MS = 60_000;

export interface LiveRunsOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly meta: RunMeta;
  readonly logger: Logger;
  /** Resolves after the time or on abort. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Is called once, when every partition has been read to its end. */
  readonly onCaughtUp?: () => void;
}

/**
 * Keeps every run up to date: it reads the snapshots, then the tail of the events, and folds these as they arrive. It
 * never waits for an aggregator.
 */
export interface LiveRuns {
  readonly meta: RunMeta;
  /** The states by `cluster/run/group`. */
  readonly states: ReadonlyRunStates;
  /** The figures by `cluster/run/group`, as new as `states`. */
  readonly figures: ReadonlyFigureStates;
  /** Whether every partition has been read to its end once. */
  readonly caughtUp: boolean;
  /** Every record of the partition below the returned offset is folded. 0 until the restore is done. */
  readUpTo(partition: number): number;
  /** Whether every record of the partition is folded, as of the newest answer of the log. */
  isAtEnd(partition: number): boolean;
  /** Whether the restore is done. From then on, reading can go on from where it was. */
  readonly restored: boolean;
  /**
   * The records that the log has and that are not folded, as of its newest answers, with those that an open transaction
   * holds back. Null while a partition has not been answered for.
   */
  readonly behindRecords: number | null;
  /** What an open transaction of another producer has held back for a while. */
  readonly heldBack: HeldBack | null;
  /** The batches of events that nobody can read and that were passed. */
  readonly unreadableBatches: number;
  /** When the newest record that is folded was received, in milliseconds since the epoch. Null if there is none. */
  readonly lastRecordMs: number | null;
  /**
   * Restores, then yields the changes of each batch, which `states` already includes. A batch may have none, and has none
   * until it has caught up: until then states change in place, and nobody may hold one. It ends on abort. After that, or
   * after a passing fault, it may be iterated again if the restore was done, and goes on from there.
   */
  changes(signal: AbortSignal): AsyncIterable<readonly RunChange[]>;
}

export function openLiveRuns(options: LiveRunsOptions): LiveRuns {
  const { io, topics, meta, logger, sleep, now } = options;
  const table = new RunTable(meta, (key) => logger.error({ run: key }, LEFT_OUT));
  const partitions = Array.from({ length: meta.partitions }, (_, partition) => partition);
  const behind = new Set(partitions);

  /** For each partition, the offset of the next record to fold. */
  const next = new Map<number, number>();
  /** For each partition, the stable end as of its newest answer. */
  const ends = new Map<number, number>();
  /** For each partition, the high watermark as of its newest answer. */
  const watermarks = new Map<number, number>();
  const heldBackWatch = new HeldBackWatch({
    ...{ topic: topics.events, now, logger },
    openTransactions: (at) => io.openTransactions(at),
  });
  let lastRecordMs: number | null = null;
  let unreadableBatches = 0;

  async function restoreOnce(signal: AbortSignal): Promise<void> {
    if (next.size > 0) return;
    const read = await restore(table, { io, topics, meta, partitions, logger, signal, sleep, now });
    for (const [partition, offset] of read) next.set(partition, offset);
    for (const [, { last_received_at }] of table.states.heads()) received(Date.parse(last_received_at));
  }

  function received(timestampMs: number): void {
    lastRecordMs = Math.max(lastRecordMs ?? timestampMs, timestampMs);
  }

  async function* changes(signal: AbortSignal): AsyncGenerator<readonly RunChange[]> {
    await restoreOnce(signal);
    await using reader = io.reader({
      topic: topics.events,
      passesUnreadable: true,
      signal,
      outlastsDenial: true,
      onFault: (fault) => {
        if (fault === null) logger.info({}, 'reading events again');
        else logger.warn({ err: fault }, 'events cannot be read; retrying');
      },
      onAnswer: (answer) => {
        ends.set(answer.partition, answer.stableEnd);
        watermarks.set(answer.partition, answer.highWatermark);
        heldBackWatch.answered(answer);
      },
    });
    for (const [partition, offset] of next) reader.add({ partition, offset });
    const over = new AbortController();
    const resting = putFiguresToSleep(AbortSignal.any([signal, over.signal]));
    try {
      for await (const fetched of reader) {
        if (fetched.kind === 'out_of_range') throw truncated(topics.events, fetched);
        // Nobody holds a state before the end is reached, so that none needs to be copied.
        for (const { firstOffset, lastOffset, reason } of fetched.unreadable ?? []) {
          unreadableBatches += 1;
          logger.warn(
            { topic: topics.events, partition: fetched.partition, firstOffset, lastOffset, reason },
            PASSED,
          );
        }
        const isFollowed = behind.size === 0;
        const folded = isFollowed ? table.fold(fetched.records, fetched.partition).changes : [];
        if (!isFollowed) table.foldInPlace(fetched.records, fetched.partition);
        next.set(fetched.partition, fetched.nextOffset);
        const newest = fetched.records.at(-1);
        if (newest !== undefined) received(newest.timestampMs);
        if (fetched.nextOffset >= fetched.stableEnd) behind.delete(fetched.partition);
        if (!isFollowed && behind.size === 0) options.onCaughtUp?.();
        yield folded;
      }
    } finally {
      over.abort();
      await resting;
    }
  }

  async function putFiguresToSleep(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await sleep(FIGURES_AWAKE_MS, until);
      if (!until.aborted) table.figures.putIdleToSleep();
    }
  }

  return {
    meta,
    states: table.states,
    figures: table.figures,
    get caughtUp() {
      return behind.size === 0;
    },
    get restored() {
      return next.size > 0;
    },
    get behindRecords() {
      let records = 0;
      for (const partition of partitions) {
        const end = watermarks.get(partition);
        if (end === undefined) return null;
        records += Math.max(0, end - (next.get(partition) ?? 0));
      }
      return records;
    },
    get heldBack() {
      return heldBackWatch.heldBack;
    },
    get lastRecordMs() {
      return lastRecordMs;
    },
    get unreadableBatches() {
      return unreadableBatches;
    },
    readUpTo: (partition) => next.get(partition) ?? 0,
    isAtEnd: (partition) => (next.get(partition) ?? 0) >= (ends.get(partition) ?? Number.POSITIVE_INFINITY),
    changes,
  };
}
