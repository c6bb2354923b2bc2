import type { RunMeta } from '@runlog/records/meta-record';
import type { TopicNames } from '@runlog/schema/log/topics';
import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import type { ReadonlyFigureStates } from './figure-states.ts';
import { restore } from './restore.ts';
import type { RunChange } from './run-change.ts';
import type { ReadonlyRunStates } from './run-states.ts';
import { LEFT_OUT, RunTable } from './run-table.ts';
import { truncated } from './truncated.ts';

/** Figures that nobody used for so long, or twice as long at most, go back to sleep. */
const FIGURES_AWAKE_MS = 60_000;

export interface LiveRunsOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly meta: RunMeta;
  readonly logger: Logger;
  readonly signal: AbortSignal;
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
  /**
   * Restores, then yields the changes of each batch, which `states` already includes. A batch may have none. It may be
   * iterated only once, and ends on abort.
   */
  changes(): AsyncIterable<readonly RunChange[]>;
}

export function openLiveRuns(options: LiveRunsOptions): LiveRuns {
  const { io, topics, meta, logger, signal, sleep, now } = options;
  const table = new RunTable(meta, (key) => logger.error({ run: key }, LEFT_OUT));
  const partitions = Array.from({ length: meta.partitions }, (_, partition) => partition);
  const behind = new Set(partitions);

  /** For each partition, the offset of the next record to fold. */
  const next = new Map<number, number>();

  async function* changes(): AsyncGenerator<readonly RunChange[]> {
    const read = await restore(table, { io, topics, meta, partitions, logger, signal, sleep, now });
    await using reader = io.reader({
      topic: topics.events,
      signal,
      onFault: (fault) => {
        if (fault === null) logger.info({}, 'reading events again');
        else logger.warn({ err: fault }, 'events cannot be read; retrying');
      },
    });
    for (const [partition, offset] of read) {
      next.set(partition, offset);
      reader.add({ partition, offset });
    }
    const over = new AbortController();
    const resting = putFiguresToSleep(AbortSignal.any([signal, over.signal]));
    try {
      for await (const fetched of reader) {
        if (fetched.kind === 'out_of_range') throw truncated(topics.events, fetched);
        const { changes: folded } = table.fold(fetched.records, fetched.partition);
        next.set(fetched.partition, fetched.nextOffset);
        const wasBehind = behind.size > 0;
        if (fetched.nextOffset >= fetched.stableEnd) behind.delete(fetched.partition);
        if (wasBehind && behind.size === 0) options.onCaughtUp?.();
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
    readUpTo: (partition) => next.get(partition) ?? 0,
    changes,
  };
}
