import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { RunChange } from '@runlog/run-feed/run-change';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { deliverFigures, noFigures } from '@runlog/run-state/figures/deliver-figures';
import { type FiguresMark, markOf, NO_FIGURES, stepSince } from '@runlog/run-state/figures/figures-step';
import { parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import type { Position } from '@runlog/schema/run/snapshot';
import { figuresChannel } from '@runlog/schema/stream/channels';
import type { Clock } from '@runlog/service-kit/clock';
import { type EncodedFrame, encode, encoded, SharedEnd } from './encoded-frame.ts';

/** The least time between two frames of one run. */
const FIGURES_INTERVAL_MS = 1_000;

/** The runs that the channels read. */
interface RunsWithFigures {
  readonly states: Pick<ReadonlyRunStates, 'head'>;
  readonly figures: Pick<ReadonlyFigureStates, 'get'>;
}

/** A subscriber of a run's figures. It must not call the channels from its method. */
export interface FiguresListener {
  /** Returns false if there is no room; the subscription then asks with `catchUp`. */
  deliver(frame: EncodedFrame): boolean;
}

/** One client's interest in the figures of one run. `live` means that it gets the next frame. */
export interface FiguresSubscription {
  readonly channel: FiguresChannel;
  readonly listener: FiguresListener;
  isLive: boolean;
}

interface FiguresChannel {
  readonly key: string;
  readonly run: RunKey;
  readonly ch: string;
  readonly subscriptions: Set<FiguresSubscription>;
  /** The run's first record, which tells its lives apart. Null while there is no run. */
  life: number | null;
  /** What every live client holds. Clients that joined later hold more. */
  mark: FiguresMark;
  flushedAtMs: number;
  cancel: (() => void) | null;
}

/**
 * The figures of runs that have subscribers of them. A subscriber gets the whole figures, then what changes in them, at most
 * once a second. A frame is made and encoded once for all subscribers of a run. One that has no room is skipped, and gets the
 * whole again.
 */
export class FigureChannels {
  #runs: RunsWithFigures;
  readonly #clock: Clock;
  readonly #channels = new Map<string, FiguresChannel>();
  /** The whole that was asked for last. After a reconnect many clients ask for the same one, and it may be 800 KB. */
  #asked: {
    readonly position: Position;
    readonly key: string;
    readonly text: string;
    readonly answer: SharedEnd;
  } | null = null;

  constructor(options: RunsWithFigures & { clock: Clock }) {
    this.#runs = options;
    this.#clock = options.clock;
  }

  touch(changes: readonly Pick<RunChange, 'key'>[]): void {
    if (this.#channels.size === 0) return;
    for (const { key } of changes) {
      const channel = this.#channels.get(key);
      if (channel !== undefined && channel.cancel === null) this.#schedule(channel);
    }
  }

  /** Switches to all runs folded anew. */
  switchTo(runs: RunsWithFigures): void {
    this.#runs = runs;
    for (const channel of this.#channels.values()) {
      channel.cancel?.();
      channel.cancel = null;
      this.#restart(channel, 'the snapshots were rebuilt');
    }
  }

  /** Registers an interest. Nothing is delivered before `join`. */
  attach(key: string, listener: FiguresListener): FiguresSubscription {
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      const run = parseRunKey(key);
      if (run === null) throw new Error(`a channel without a run: ${key}`);
      channel = {
        ...{ key, run, ch: figuresChannel(key), subscriptions: new Set() },
        life: this.#lifeOf(key),
        mark: this.#markOf(key),
        flushedAtMs: Number.NEGATIVE_INFINITY,
        cancel: null,
      };
      this.#channels.set(key, channel);
    }
    const subscription: FiguresSubscription = { channel, listener, isLive: false };
    channel.subscriptions.add(subscription);
    return subscription;
  }

  detach(subscription: FiguresSubscription): void {
    const { channel } = subscription;
    channel.subscriptions.delete(subscription);
    if (channel.subscriptions.size > 0) return;
    channel.cancel?.();
    this.#channels.delete(channel.key);
  }

  /** Returns the answer to the subscription: the whole figures. From now on it is live. */
  join(subscription: FiguresSubscription): SharedEnd {
    subscription.isLive = true;
    return this.#wholeOf(subscription.channel).answer;
  }

  /** Returns the frame that makes a subscription live again that had no room. */
  catchUp(subscription: FiguresSubscription): EncodedFrame {
    subscription.isLive = true;
    return this.#reset(subscription.channel, 'this client was too slow');
  }

  dispose(): void {
    for (const channel of this.#channels.values()) channel.cancel?.();
  }

  #schedule(channel: FiguresChannel): void {
    const dueInMs = channel.flushedAtMs + FIGURES_INTERVAL_MS - this.#clock.now();
    channel.cancel = this.#clock.after(Math.min(Math.max(0, dueInMs), FIGURES_INTERVAL_MS), () =>
      this.#flush(channel),
    );
  }

  #flush(channel: FiguresChannel): void {
    channel.cancel = null;
    channel.flushedAtMs = this.#clock.now();
    const life = this.#lifeOf(channel.key);
    if (channel.life !== null && life !== channel.life) {
      this.#restart(channel, life === null ? 'retired' : 'the run began anew');
      return;
    }
    channel.life = life;
    const state = this.#runs.figures.get(channel.key);
    const step = state === undefined ? null : stepSince(channel.mark, state);
    if (step === null) return;
    channel.mark = this.#markOf(channel.key);
    this.#send(channel, encode({ ch: channel.ch, ...step }));
  }

  /** Begins anew with the figures as they are now. */
  #restart(channel: FiguresChannel, reason: string): void {
    channel.flushedAtMs = this.#clock.now();
    channel.life = this.#lifeOf(channel.key);
    channel.mark = this.#markOf(channel.key);
    this.#send(channel, this.#reset(channel, reason));
  }

  #send({ subscriptions }: FiguresChannel, frame: EncodedFrame): void {
    for (const subscription of subscriptions) {
      if (subscription.isLive) subscription.isLive = subscription.listener.deliver(frame);
    }
  }

  #lifeOf(key: string): number | null {
    return this.#runs.states.head(key)?.first_seq ?? null;
  }

  #markOf(key: string): FiguresMark {
    const state = this.#runs.figures.get(key);
    return state === undefined ? NO_FIGURES : markOf(state);
  }

  #reset(channel: FiguresChannel, reason: string): EncodedFrame {
    const { text } = this.#wholeOf(channel);
    return encoded(
      `{"ch":${JSON.stringify(channel.ch)},"reset":{"reason":${JSON.stringify(reason)},"figures":${text}}}`,
    );
  }

  /** Returns the figures as JSON, and the answer to those who ask for them. */
  #wholeOf(channel: FiguresChannel): { text: string; answer: SharedEnd } {
    const { key, run, ch } = channel;
    // A client that comes before the first step holds figures of this life. If the life ends, it must be told.
    channel.life ??= this.#lifeOf(key);
    const state = this.#runs.figures.get(key);
    const answerOf = (text: string) => new SharedEnd(`{"ch":${JSON.stringify(ch)},"figures":${text}}`);
    if (state === undefined) {
      const text = JSON.stringify(noFigures(run));
      return { text, answer: answerOf(text) };
    }
    const { epoch, seq } = state.position;
    const asked = this.#asked;
    if (asked?.key === key && asked.position.epoch === epoch && asked.position.seq === seq) return asked;
    const text = JSON.stringify(deliverFigures(state));
    this.#asked = { position: { epoch, seq }, key, text, answer: answerOf(text) };
    return this.#asked;
  }
}
