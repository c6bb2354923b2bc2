import { setTimeout as delay } from 'node:timers/promises';
import { openLiveRuns } from '@runlog/run-feed/live-runs';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import { type Clock, systemClock } from '@runlog/service-kit/clock';
import type { Running } from '@runlog/service-kit/lifecycle';
import type { Logger } from '@runlog/service-kit/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import type { GatewayConfig } from './config.ts';
import { serveGateway } from './gateway-server.ts';
import { History } from './history.ts';
import { Hub } from './hub.ts';
import type { RunsAtHand } from './rest.ts';

/** "ready" is said when the log has been read, or after so long: the gateway also starts beside a broker that is down. */
const FIRST_ATTEMPT_MS_MAX = 5_000;
const STOP_MS_MAX = 2_000;
const CAUGHT_UP_CHECK_MS = 20;
const RETRY_DELAY_MS_MIN = 250;
const RETRY_DELAY_MS_MAX = 5_000;

export interface GatewayOptions {
  readonly config: GatewayConfig;
  /** Stays the caller's. */
  readonly io: TopicIo;
  readonly log: Logger;
  readonly now: () => number;
  readonly random: () => number;
  /** Names a new incarnation of the topics, where none exists. */
  readonly newEpoch: () => string;
  /** A fault that shows after the start and that waiting cannot mend. */
  readonly fail: (error: unknown) => void;
}

/**
 * Starts the gateway over a log that is already open. Rejects when it cannot listen, or when the log refuses for good
 * within the first seconds. Disposing tells the clients, closes their streams within some 3 s and stops reading.
 */
export async function startGateway(options: GatewayOptions): Promise<Running> {
  const { config, log, now } = options;
  const stop = new AbortController();
  const clock: Clock = { ...systemClock, now };
  const feed = new Feed(options, stop.signal, () => server.endStreams());
  const server = await serveGateway({
    at: { host: config.host, port: config.port },
    allowedOrigins: config.allowedOrigins,
    view: feed,
    clock,
    random: options.random,
    log,
  });
  let started = false;
  const reading = feed.run(clock);
  reading.catch((error: unknown) => {
    if (started && !stop.signal.aborted) options.fail(error);
  });
  try {
    await Promise.race([reading, feed.caughtUpWithin(FIRST_ATTEMPT_MS_MAX)]);
  } catch (error) {
    stop.abort();
    await server[Symbol.asyncDispose]();
    throw error;
  }
  started = true;
  return {
    addresses: { gateway: server.url },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      stop.abort();
      // An operation of the log that is under way cannot be broken off; it ends when the log is closed.
      const patience = new AbortController();
      await Promise.race([reading.catch(() => undefined), pause(STOP_MS_MAX, patience.signal)]);
      patience.abort();
    },
  };
}

/** Reads the log for ever, starting over with back-off when it cannot be reached. */
class Feed {
  readonly #options: GatewayOptions;
  readonly #signal: AbortSignal;
  readonly #onLost: () => void;
  #current: { hub: Hub; runs: RunsAtHand; isCaughtUp: () => boolean } | null = null;
  #waitsFor = 'the topics are not prepared yet';

  constructor(options: GatewayOptions, signal: AbortSignal, onLost: () => void) {
    this.#options = options;
    this.#signal = signal;
    this.#onLost = onLost;
  }

  readonly hub = (): Hub | null => (this.#current?.isCaughtUp() ? this.#current.hub : null);
  readonly runs = (): RunsAtHand | null => (this.#current?.isCaughtUp() ? this.#current.runs : null);
  readonly notReadyBecause = (): string | null => (this.hub() === null ? this.#waitsFor : null);

  /** Ends on abort; rejects with what waiting cannot mend. */
  async run(clock: Clock): Promise<void> {
    const { log } = this.#options;
    let delayMs = RETRY_DELAY_MS_MIN;
    while (!this.#signal.aborted) {
      try {
        await this.#read(clock, () => {
          delayMs = RETRY_DELAY_MS_MIN;
        });
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!passes(error)) throw error;
        this.#waitsFor = `the log cannot be read: ${error.message}`;
        log.warn({ err: error, retryInMs: delayMs }, 'the log cannot be read; trying again');
      }
      await pause(delayMs, this.#signal);
      delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
    }
  }

  async caughtUpWithin(msMax: number): Promise<void> {
    const untilMs = performance.now() + msMax;
    while (this.hub() === null && performance.now() < untilMs && !this.#signal.aborted) {
      await pause(CAUGHT_UP_CHECK_MS, this.#signal);
    }
  }

  async #read(clock: Clock, onCaughtUp: () => void): Promise<void> {
    const { io, log, config, newEpoch, now } = this.#options;
    const { topics, partitions, replicationFactor, eventRetentionHours } = config.log;
    const meta = await prepareTopics({
      io,
      topics,
      partitions,
      replicationFactor,
      eventRetentionHours,
      epoch: newEpoch,
      log,
    });
    const live = openLiveRuns({ io, topics, meta, log, signal: this.#signal, sleep: clock.sleep });
    const hub = new Hub({ epoch: meta.epoch, states: live.states, clock });
    const history = new History({ io, topic: { name: topics.events, partitions: meta.partitions }, now });
    const current = { hub, runs: { states: live.states, history }, isCaughtUp: () => live.caughtUp };
    this.#current = current;
    this.#waitsFor = 'this gateway is still reading the log';
    try {
      for await (const changes of live.changes()) {
        if (live.caughtUp) onCaughtUp();
        hub.apply(changes);
      }
    } finally {
      this.#current = null;
      if (!this.#signal.aborted) this.#onLost();
      hub.dispose();
    }
  }
}

/** Resolves after the time or on abort. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Whether waiting can help: what the log refuses for good must stop the service instead. */
function passes(error: unknown): error is TopicIoError {
  if (!(error instanceof TopicIoError)) return false;
  switch (error.code) {
    case 'unavailable':
    case 'overloaded':
    case 'storage_full':
    case 'fenced':
      return true;
    case 'closed':
    case 'too_large':
    case 'unusable':
      return false;
    default: {
      const unreachable: never = error.code;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
}
