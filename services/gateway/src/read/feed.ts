import type { RunMeta } from '@runlog/records/meta-record';
import { denialLines } from '@runlog/run-feed/denial-lines';
import { feedHealthOf, feedStateOf, STALLED_AFTER_MS } from '@runlog/run-feed/feed-health';
import { metaChange } from '@runlog/run-feed/follow-meta';
import { type LiveRuns, openLiveRuns } from '@runlog/run-feed/live-runs';
import { LogWatch } from '@runlog/run-feed/log-watch';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import type { FeedHealth, FeedState } from '@runlog/schema/http/health';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { isDenial, isPassing, type TopicIo } from '@runlog/topic-io/topic-io';
import type { GatewayConfig } from '../config.ts';
import { Hub } from '../fan-out/hub.ts';
import { History } from './history.ts';
import { PastStates } from './past-states.ts';
import type { RunsAtHand } from './runs-at-hand.ts';

const RETRY_DELAY_MS_MIN = 250;
const RETRY_DELAY_MS_MAX = 5_000;

export interface FeedOptions {
  readonly config: GatewayConfig;
  readonly io: TopicIo;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly newEpoch: () => string;
  readonly signal: AbortSignal;
  /** Is called when every run has been read for the first time. */
  readonly onReady: () => void;
}

/** How the reading of the log goes, for those who show it. */
export interface FeedView {
  /** Whether the log answers. */
  readonly state: () => FeedState;
  /** Calls the listener when the log stops answering, and when it answers again. Returns a function that ends that. */
  readonly onState: (listener: (feed: FeedState) => void) => () => void;
  readonly health: () => FeedHealth;
  /** When the newest record that is folded was received, in milliseconds since the epoch. Null if there is none. */
  readonly lastRecordMs: () => number | null;
  /** The batches of events that nobody can read and that were passed. */
  readonly unreadableBatches: () => number;
}

/**
 * Reads the log for ever into one hub. When the log cannot be reached, what is held is served on, and reading goes on from
 * where it was when the log is back. After a rebuild that began a new epoch, the new state is read beside the old one until
 * it has caught up. Then the hub switches, and no stream breaks.
 */
export class Feed implements FeedView {
  readonly #options: FeedOptions;
  #current: { hub: Hub; runs: RunsAtHand } | null = null;
  #live: LiveRuns | null = null;
  /** Those that were passed before the present `#live` began to read. */
  #unreadableBefore = 0;
  readonly #watch: LogWatch;
  readonly #listeners = new Set<(feed: FeedState) => void>();
  /** The log, for what must notice when it stops answering. */
  readonly #io: TopicIo;
  #waitsFor = 'the topics are not prepared yet';
  #delayMs = RETRY_DELAY_MS_MIN;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#watch = new LogWatch({
      ...{ clock, silentMsMax: STALLED_AFTER_MS },
      onChange: (stalledSinceMs) => {
        const feed = feedStateOf(stalledSinceMs);
        if (feed.state === 'live') logger.info({}, 'the log answers again');
        else if (this.#watch.isDenied) {
          logger.error({ since: feed.since }, 'the log denies what is read; what is held is served on');
        } else logger.error({ since: feed.since }, 'the log does not answer; what is held is served on');
        for (const listener of this.#listeners) listener(feed);
      },
    });
    this.#io = this.#watch.watch(options.io);
  }

  readonly hub = (): Hub | null => this.#current?.hub ?? null;
  readonly runs = (): RunsAtHand | null => this.#current?.runs ?? null;
  readonly onState = (listener: (feed: FeedState) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly state = (): FeedState => feedStateOf(this.#watch.stalledSinceMs);
  readonly health = (): FeedHealth => {
    return feedHealthOf({
      stalledSinceMs: this.#watch.stalledSinceMs,
      behindRecords: this.#live?.behindRecords ?? null,
      heldBack: this.#live?.heldBack ?? null,
    });
  };
  readonly lastRecordMs = (): number | null => this.#live?.lastRecordMs ?? null;
  readonly unreadableBatches = (): number => this.#unreadableBefore + (this.#live?.unreadableBatches ?? 0);
  readonly notReadyBecause = (): string | null => (this.#current === null ? this.#waitsFor : null);

  /** Runs until the abort. Rejects with a fault that waiting cannot cure. */
  async run(): Promise<void> {
    const { logger, clock, signal } = this.#options;
    try {
      while (!signal.aborted) {
        try {
          while (!signal.aborted) await this.#readUnder(await this.#prepare());
        } catch (error) {
          if (signal.aborted) return;
          if (!isPassing(error, { hasWorked: this.#current !== null })) throw error;
          const waitsFor = `the log cannot be read: ${error.message}`;
          // A denial is answered at once, and may last.
          if (!isDenial(error) || waitsFor !== this.#waitsFor) {
            logger.warn({ err: error, retryInMs: this.#delayMs }, 'the log cannot be read; trying again');
          }
          this.#waitsFor = waitsFor;
        }
        await clock.sleep(this.#delayMs, signal);
        this.#delayMs = Math.min(this.#delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    } finally {
      this.#watch[Symbol.dispose]();
      this.#current?.hub.dispose();
      this.#current = null;
    }
  }

  #prepare(): Promise<RunMeta> {
    const { logger, config, newEpoch, clock } = this.#options;
    const { topics, partitions, replicationFactor, eventRetentionHours, topicConfig } = config.log;
    return prepareTopics({
      ...{ io: this.#io, topics, partitions, replicationFactor, eventRetentionHours, topicConfig, logger },
      epoch: newEpoch,
      now: clock.now,
      role: 'gateway',
    });
  }

  /** Reads until a rebuild overtakes it, or until it rejects. */
  async #readUnder(meta: RunMeta): Promise<void> {
    const { signal } = this.#options;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const live = this.#liveUnder(meta);
    const isRestored = () => live.caughtUp;
    const switched = this.#overtaken(meta, { isRestored, signal: until }).finally(() => over.abort());
    // The promise is awaited below. It may reject long before that, which must not end the process.
    switched.catch(() => undefined);
    if (this.#current === null) this.#waitsFor = 'this gateway is still reading the log';
    try {
      for await (const changes of live.changes(until)) {
        if (live.caughtUp) this.#current?.hub.apply(changes);
      }
    } catch (error) {
      // The switch aborted the reading in the middle of something.
      if (signal.aborted || !over.signal.aborted) throw error;
    } finally {
      over.abort();
      await switched.catch((error: unknown) => {
        if (!until.aborted) throw error;
      });
    }
  }

  /** Returns what has been read under this `run-meta` before, to go on from there, or begins to read anew. */
  #liveUnder(meta: RunMeta): LiveRuns {
    const { logger, config, clock } = this.#options;
    const held = this.#live;
    const isSame = held?.meta.epoch === meta.epoch && held.meta.fold === meta.fold;
    if (held?.restored && isSame) return held;
    const live = openLiveRuns({
      ...{ io: this.#io, topics: config.log.topics, meta, logger, sleep: clock.sleep, now: clock.now },
      onCaughtUp: () => this.#show(live),
    });
    this.#unreadableBefore = this.unreadableBatches();
    this.#live = live;
    return live;
  }

  #show(live: LiveRuns): void {
    const { io, config, clock, onReady } = this.#options;
    const { meta, states, figures } = live;
    const topic = { name: config.log.topics.events, partitions: meta.partitions };
    const past = { io, topic, clock };
    const runs = { states, figures, history: new History(past), pastStates: new PastStates(past) };
    const readUpTo = (key: string) => live.readUpTo(partitionOf(key, meta.partitions));
    const isAtEnd = (key: string) =>
      this.state().state === 'live' && live.isAtEnd(partitionOf(key, meta.partitions));
    const folded = { epoch: meta.epoch, states, figures, readUpTo, isAtEnd };
    this.#delayMs = RETRY_DELAY_MS_MIN;
    if (this.#current === null) {
      this.#current = { hub: new Hub({ ...folded, clock }), runs };
      onReady();
    } else {
      const { hub } = this.#current;
      this.#current = { hub, runs };
      hub.switchTo(folded);
    }
  }

  /**
   * Resolves when a rebuild makes it necessary to read anew. A rebuild that proved every byte keeps the epoch, and the
   * state that is held here equals what it wrote. But if the former snapshot topic is still being read, its records may
   * never arrive, because the topic may be deleted.
   */
  async #overtaken(meta: RunMeta, at: { isRestored: () => boolean; signal: AbortSignal }): Promise<void> {
    const { io, config, logger } = this.#options;
    let held = meta;
    const { topics } = config.log;
    const onFault = denialLines(logger, { topic: topics.meta });
    do {
      held = await metaChange(io, { topics, meta: held, signal: at.signal, onFault });
      logger.info({ ...held }, 'run-meta was switched');
    } while (at.isRestored() && held.epoch === meta.epoch && held.fold === meta.fold);
  }
}
