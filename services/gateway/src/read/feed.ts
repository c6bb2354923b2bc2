import type { RunMeta } from '@runlog/records/meta-record';
import { metaChange } from '@runlog/run-feed/follow-meta';
import { type LiveRuns, openLiveRuns } from '@runlog/run-feed/live-runs';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { isPassing, type TopicIo } from '@runlog/topic-io/topic-io';
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
  /** Is called when the log cannot be read for now, so that the clients' streams cannot continue. */
  readonly onLost: () => void;
}

/**
 * Reads the log for ever into one hub, and starts over with back-off when the log cannot be reached. After a rebuild
 * that began a new epoch, the new state is read beside the old one until it has caught up. Then the hub switches, and
 * no stream breaks.
 */
export class Feed {
  readonly #options: FeedOptions;
  #current: { hub: Hub; runs: RunsAtHand } | null = null;
  #waitsFor = 'the topics are not prepared yet';
  #delayMs = RETRY_DELAY_MS_MIN;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  readonly hub = (): Hub | null => this.#current?.hub ?? null;
  readonly runs = (): RunsAtHand | null => this.#current?.runs ?? null;
  readonly notReadyBecause = (): string | null => (this.#current === null ? this.#waitsFor : null);

  /** Runs until the abort. Rejects with a fault that waiting cannot cure. */
  async run(): Promise<void> {
    const { logger, clock, signal, onLost } = this.#options;
    while (!signal.aborted) {
      try {
        for (;;) await this.#readUnder(await this.#prepare());
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
        this.#waitsFor = `the log cannot be read: ${error.message}`;
        logger.warn({ err: error, retryInMs: this.#delayMs }, 'the log cannot be read; trying again');
      } finally {
        this.#current?.hub.dispose();
        if (this.#current !== null && !signal.aborted) onLost();
        this.#current = null;
      }
      await clock.sleep(this.#delayMs, signal);
      this.#delayMs = Math.min(this.#delayMs * 2, RETRY_DELAY_MS_MAX);
    }
  }

  #prepare(): Promise<RunMeta> {
    const { io, logger, config, newEpoch, clock } = this.#options;
    const { topics, partitions, replicationFactor, eventRetentionHours } = config.log;
    return prepareTopics({
      ...{ io, topics, partitions, replicationFactor, eventRetentionHours, logger },
      epoch: newEpoch,
      now: clock.now,
    });
  }

  /** Reads until a rebuild overtakes it, or until it rejects. */
  async #readUnder(meta: RunMeta): Promise<void> {
    const { io, logger, config, clock, signal } = this.#options;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const { topics } = config.log;
    const isRestored = () => live.caughtUp;
    const switched = this.#overtaken(meta, { isRestored, signal: until }).finally(() => over.abort());
    // The promise is awaited below. It may reject long before that, which must not end the process.
    switched.catch(() => undefined);
    const live: LiveRuns = openLiveRuns({
      ...{ io, topics, meta, logger, signal: until, sleep: clock.sleep, now: clock.now },
      onCaughtUp: () => this.#show(live),
    });
    if (this.#current === null) this.#waitsFor = 'this gateway is still reading the log';
    try {
      for await (const changes of live.changes()) {
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

  #show(live: LiveRuns): void {
    const { io, config, clock, onReady } = this.#options;
    const { meta, states, figures } = live;
    const topic = { name: config.log.topics.events, partitions: meta.partitions };
    const past = { io, topic, clock };
    const runs = { states, figures, history: new History(past), pastStates: new PastStates(past) };
    const readUpTo = (key: string) => live.readUpTo(partitionOf(key, meta.partitions));
    const folded = { epoch: meta.epoch, states, figures, readUpTo };
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
    do {
      held = await metaChange(io, { topics: config.log.topics, meta: held, signal: at.signal });
      logger.info({ ...held }, 'run-meta was switched');
    } while (at.isRestored() && held.epoch === meta.epoch && held.fold === meta.fold);
  }
}
