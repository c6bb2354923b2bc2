import type { RunChange } from '@runlog/run-feed/run-change';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { rowOf } from '@runlog/run-state/delivery';
import { compileGlob } from '@runlog/schema/run/run-glob';
import type { RunHead, RunRow } from '@runlog/schema/run/snapshot';
import { indexChannel } from '@runlog/schema/stream/channels';
import type { Clock } from '@runlog/service-kit/clock';
import type { Viewer } from '../access.ts';
import { type EncodedFrame, encode } from './encoded-frame.ts';

/** The heads that rows are made from: listing runs wakes none of them. */
type RunHeads = Pick<ReadonlyRunStates, 'head' | 'heads' | 'keys'>;

/** The least time between two frames of one index channel. */
const INDEX_INTERVAL_MS = 1_000;
/** The most rows of one live frame (some 200 KiB). Further rows follow with the next frame. */
const INDEX_ROWS_PER_FRAME_MAX = 500;

/** A subscriber, as the index sees it. It must not call the index from its methods. */
export interface IndexListener {
  /** Returns false if there is no room; the subscription then asks with `catchUp`. */
  deliver(frame: EncodedFrame): boolean;
}

/** One client's interest in one glob. Rows are complete, so receiving one twice is harmless. */
export interface IndexSubscription {
  readonly channel: IndexChannel;
  readonly listener: IndexListener;
  /** The version up to which changes have been sent to a subscription that is behind; null if it is live. */
  behind: number | null;
}

interface IndexChannel {
  /** Identifies the channel: a glob as one scope of viewers sees it. */
  readonly name: string;
  readonly ch: string;
  readonly matches: (key: string) => boolean;
  readonly subscriptions: Set<IndexSubscription>;
  version: number;
  sentAtMs: number;
  cancel: (() => void) | null;
}

/**
 * The run index. A subscriber of a glob gets its rows, then the rows that change, at most once a second. Changes are
 * computed once for all subscribers of a glob. The index remembers only the keys that changed since the slowest
 * subscriber was served.
 */
export class RunIndex {
  #states: RunHeads;
  readonly #clock: Clock;
  readonly #channels = new Map<string, IndexChannel>();
  /** The version of each key's last change, oldest change first. */
  readonly #changed = new Map<string, number>();
  #version = 0;

  constructor(options: { states: RunHeads; clock: Clock }) {
    this.#states = options.states;
    this.#clock = options.clock;
  }

  touch(changes: readonly Pick<RunChange, 'key'>[]): void {
    if (this.#channels.size === 0) return;
    this.#version += 1;
    for (const { key } of changes) {
      this.#changed.delete(key);
      this.#changed.set(key, this.#version);
    }
    for (const channel of this.#channels.values()) {
      if (channel.cancel !== null) continue;
      if (changes.some((change) => channel.matches(change.key))) this.#schedule(channel);
      else channel.version = this.#version;
    }
  }

  /** Switches to all runs folded anew. Every run of either counts as changed. */
  switchTo(states: RunHeads): void {
    const keys = new Set([...this.#states.keys(), ...states.keys()]);
    this.#states = states;
    this.touch([...keys].map((key) => ({ key })));
  }

  /** Registers an interest. Nothing is delivered before `join`. */
  attach(of: { glob: string; viewer: Viewer }, listener: IndexListener): IndexSubscription {
    const { glob, viewer } = of;
    // The separator is a space, which no glob contains.
    const name = `${glob} ${viewer.scope}`;
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const matches = compileGlob(glob);
      channel = {
        name,
        ch: indexChannel(glob),
        matches: (key) => matches(key) && viewer.maySee(key),
        subscriptions: new Set(),
        version: this.#version,
        sentAtMs: Number.NEGATIVE_INFINITY,
        cancel: null,
      };
      this.#channels.set(name, channel);
    }
    const subscription: IndexSubscription = { channel, listener, behind: this.#version };
    channel.subscriptions.add(subscription);
    return subscription;
  }

  detach(subscription: IndexSubscription): void {
    const { channel } = subscription;
    channel.subscriptions.delete(subscription);
    if (channel.subscriptions.size > 0) return;
    channel.cancel?.();
    channel.cancel = null;
    this.#channels.delete(channel.name);
    this.#forget();
  }

  /** Returns the newest rows of the glob. From now on the subscription is live. */
  join(subscription: IndexSubscription, limit: number): { rows: RunRow[]; total: number } {
    const { channel } = subscription;
    subscription.behind = null;
    const found: RunHead[] = [];
    for (const [key, state] of this.#states.heads()) if (channel.matches(key)) found.push(state);
    found.sort((a, b) => compareText(b.last_received_at, a.last_received_at));
    const nowMs = this.#clock.now();
    return {
      rows: found.slice(0, limit).map((state) => rowOf(state, { nowMs, spark: [] })),
      total: found.length,
    };
  }

  /** Returns the next frame for a subscription that had no room, or null if it has everything and is live again. */
  catchUp(subscription: IndexSubscription): EncodedFrame | null {
    if (subscription.behind === null) return null;
    const { channel } = subscription;
    const step = this.#since(channel, subscription.behind);
    if (step === null) {
      subscription.behind = null;
      this.#forget();
      return null;
    }
    subscription.behind = step.version;
    return step.frame;
  }

  dispose(): void {
    for (const channel of this.#channels.values()) channel.cancel?.();
  }

  #schedule(channel: IndexChannel): void {
    const dueInMs = channel.sentAtMs + INDEX_INTERVAL_MS - this.#clock.now();
    channel.cancel = this.#clock.after(Math.min(Math.max(0, dueInMs), INDEX_INTERVAL_MS), () =>
      this.#flush(channel),
    );
  }

  #flush(channel: IndexChannel): void {
    channel.cancel = null;
    const before = channel.version;
    const step = this.#since(channel, before);
    if (step === null) return;
    channel.version = step.version;
    channel.sentAtMs = this.#clock.now();
    for (const subscription of channel.subscriptions) {
      if (subscription.behind === null && !subscription.listener.deliver(step.frame))
        subscription.behind = before;
    }
    if (step.more) this.#schedule(channel);
    this.#forget();
  }

  /** Makes one frame of the changes after `version`, oldest change first. */
  #since(
    channel: IndexChannel,
    version: number,
  ): { frame: EncodedFrame; version: number; more: boolean } | null {
    const nowMs = this.#clock.now();
    const rows: RunRow[] = [];
    const gone: string[] = [];
    let reached = version;
    let more = false;
    for (const [key, changedAt] of this.#changed) {
      if (changedAt <= version || !channel.matches(key)) continue;
      // A version is sent as a whole, because the next frame begins after it.
      if (rows.length + gone.length >= INDEX_ROWS_PER_FRAME_MAX && changedAt > reached) {
        more = true;
        break;
      }
      reached = changedAt;
      const state = this.#states.head(key);
      if (state === undefined) gone.push(key);
      else rows.push(rowOf(state, { nowMs, spark: [] }));
    }
    if (rows.length + gone.length === 0) return null;
    return {
      frame: encode({ ch: channel.ch, rows, gone }),
      version: more ? reached : this.#version,
      more,
    };
  }

  /** Drops the changes that every subscription has. */
  #forget(): void {
    let served = Number.POSITIVE_INFINITY;
    for (const channel of this.#channels.values()) {
      served = Math.min(served, channel.version);
      for (const { behind } of channel.subscriptions) if (behind !== null) served = Math.min(served, behind);
    }
    for (const [key, version] of this.#changed) {
      if (version > served) break;
      this.#changed.delete(key);
    }
  }
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
