import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import type { RunSubscription as AskedRun } from '@runlog/schema/stream/subscriptions';
import type { EntryFilter } from './history-request.ts';
import { RunReplica } from './run-replica.ts';
import type { RunSubscription } from './run-subscription.ts';

/** What all subscribers of a run's channel share: the server has one subscription for them. */
export interface SharedRunOptions {
  readonly filter: EntryFilter;
  readonly minIntervalMs: number;
}

/** Someone who follows a run. */
export interface RunSubscriber {
  readonly subscription: RunSubscription;
  readonly refused: (refusal: { code: string; message: string }) => void;
  /** The position that it has dealt with; undefined if it does not acknowledge. */
  acknowledged: number | null | undefined;
}

/** One run that is followed: its state, and everyone who follows it. */
export class RunChannel {
  readonly kind = 'run';
  readonly ch: string;
  readonly subscribers = new Set<RunSubscriber>();
  readonly shared: SharedRunOptions;
  readonly #replica = new RunReplica();

  constructor(ch: string, shared: SharedRunOptions) {
    this.ch = ch;
    this.shared = shared;
  }

  /** Throws if the run is followed with other options. */
  mustAgree(shared: SharedRunOptions): void {
    if (JSON.stringify(shared) === JSON.stringify(this.shared)) return;
    throw new Error(`${this.ch} is followed with another filter or interval: use a second client`);
  }

  /** Adds a subscriber, which begins with the state that is held. */
  add(subscriber: RunSubscriber): void {
    this.subscribers.add(subscriber);
    const { snapshot } = this.#replica;
    if (snapshot === null) return;
    subscriber.subscription.take({ kind: 'snapshot', snapshot, reason: null, filtered: null });
  }

  /** Returns the item of a `sub` frame with that id. */
  ask(id: number): AskedRun {
    this.#replica.asked(id);
    const { ch, shared } = this;
    const { since } = this.#replica;
    return {
      ...shared.filter,
      ...{ ch },
      ...(since === null ? {} : { since }),
      ...(shared.minIntervalMs === 0 ? {} : { min_interval_ms: shared.minIntervalMs }),
    } as AskedRun;
  }

  /** Returns true if the channel must be subscribed to again. */
  receive(frame: ServerFrameFields): boolean {
    const { updates, ask } = this.#replica.receive(frame);
    for (const update of updates) {
      for (const { subscription } of [...this.subscribers]) subscription.take(update);
    }
    return ask;
  }

  isBehind(tip: number | null): boolean {
    return this.#replica.isBehind(tip);
  }

  disconnected(): void {
    this.#replica.disconnected();
  }

  /** The position that everyone who acknowledges has dealt with, or undefined if there is none. */
  get acknowledged(): number | undefined {
    let least: number | undefined;
    for (const { acknowledged } of this.subscribers) {
      if (acknowledged === undefined) continue;
      if (acknowledged === null) return undefined;
      least = Math.min(least ?? acknowledged, acknowledged);
    }
    return least;
  }
}
