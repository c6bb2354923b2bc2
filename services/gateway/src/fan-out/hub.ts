import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { RunChange } from '@runlog/run-feed/run-change';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import {
  changesBetween,
  deliverEntry,
  deliverSnapshot,
  emptySnapshot,
  entriesSince,
  wholeSet,
} from '@runlog/run-state/delivery';
import { conditionHoldsUntilMs, conditionOf } from '@runlog/run-state/run-condition';
import { skippedSince } from '@runlog/run-state/skipped';
import { ACTIVITY_BUCKET_SECONDS } from '@runlog/schema/limits';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredSnapshot, EventLogEntry, Position, RunSnapshot } from '@runlog/schema/run/snapshot';
import { runChannel } from '@runlog/schema/stream/channels';
import type { RunDelta, RunResume, SnapshotChanges } from '@runlog/schema/stream/server-frames';
import type { Clock } from '@runlog/service-kit/clock';
import { type EncodedFrame, encode, SharedEnd } from './encoded-frame.ts';
import { FigureChannels } from './figure-channels.ts';
import { IndexViews } from './index-views.ts';
import { type RunLens, wholeRun } from './run-lens.ts';
import { SharedAnswers } from './shared-answers.ts';

/** The least time between two flushes, on average. Changes of a run within it are merged into one delta. */
const FLUSH_INTERVAL_MS = 10;
/**
 * A flush may come so much sooner. Without it, the lateness of one flush would pass to all that follow, while the changes
 * themselves come as often as flushes may.
 */
const FLUSH_EARLY_MS_MAX = 8;
/** The newest answers, which are kept until others take their place. One takes up to a megabyte, in most cases a tenth of that. */
const SHARED_ANSWERS_MAX = 64;
const ACTIVITY_BUCKET_MS = ACTIVITY_BUCKET_SECONDS * 1_000;
/** How often it is looked which runs have fallen silent. */
const SILENCE_LOOK_MS = 1_000;

/** A subscriber of a run, as the hub sees it. */
export interface RunListener {
  /**
   * Returns false if there is no room. The hub then skips the subscription until it asks to catch up. It must not call
   * the hub.
   */
  deliver(frames: readonly EncodedFrame[]): boolean;
  /**
   * Is called when the fold has reached the position that a waiting subscription is at. The subscription may join now.
   */
  reached(): void;
}

/** One client's interest in one run. `live` means that it has every delta so far and gets the next. */
export interface RunSubscription {
  readonly channel: RunChannel;
  readonly listener: RunListener;
  standing: 'idle' | 'live' | 'behind' | 'ahead';
  /** While behind: the client's position. */
  seq: number | null;
  /** While behind: the channel's counters when it fell behind. */
  life: number;
  entriesTotal: number;
  /** While ahead: the position to wait for. */
  awaitedSeq: number;
}

/** What a subscription is answered. The answers to several may end in the same. */
export type JoinReply = { readonly kind: 'answer'; readonly answer: SharedEnd } | { readonly kind: 'ahead' };

/** A run with subscribers who see it in the same way. Deltas go from `flushed` to `current`. */
interface RunChannel {
  readonly key: string;
  readonly ch: string;
  readonly lens: RunLens;
  /** Cancels the flush that waits for `lens.minIntervalMs`. */
  cancelFlush: (() => void) | null;
  readonly live: Set<RunSubscription>;
  readonly ahead: Set<RunSubscription>;
  subscriptions: number;
  current: RunSnapshot | null;
  flushed: RunSnapshot | null;
  pending: EventLogEntry[];
  /** The entries since the last flush that the filter left out. */
  pendingFiltered: number;
  flushedAtMs: number;
  /** Counts retirements and rebuilds: a delta cannot bring a client of an earlier life to this one. */
  life: number;
  /** The number of entries that passed the filter since the channel exists. */
  entriesTotal: number;
  /** The last millisecond for which the state of the run that subscribers know is right, if nothing comes. */
  stateUntilMs: number;
  /** Whether time has changed the state of the run since. */
  stateOwed: boolean;
  activitySent: RunSnapshot['activity'] | null;
  activityBucket: number;
}

/** Runs, folded as far as the log has been read. */
export interface FoldedRuns {
  readonly epoch: string;
  readonly states: ReadonlyRunStates;
  readonly figures: ReadonlyFigureStates;
  /**
   * Every record below the returned offset, in the partition of the run with this key, is folded. Without it, nobody knows
   * whether a position is still to come.
   */
  readonly readUpTo?: (key: string) => number;
  /** Whether all that the log has, in the partition of the run with this key, is folded, as of an answer just now. */
  readonly isAtEnd?: (key: string) => boolean;
}

/**
 * Fans the changes of runs out to subscriptions, without I/O. One delta is made and encoded per changed run and flush,
 * whatever the number of its subscribers. A subscription is answered with the channel's newest state, after the delta
 * to that state was sent to the earlier subscriptions. This happens in one synchronous step, so nothing is lost or
 * doubled in between.
 */
export class Hub {
  readonly index: IndexViews;
  readonly figures: FigureChannels;
  #epoch: string;
  #states: ReadonlyRunStates;
  readonly #clock: Clock;
  /** By run, then by the name of the lens. */
  readonly #channels = new Map<string, Map<string, RunChannel>>();
  readonly #answers = new SharedAnswers({ max: SHARED_ANSWERS_MAX });
  readonly #changed = new Set<RunChannel>();
  readonly #activityOwed = new Set<RunChannel>();
  /** The channels with subscriptions that are ahead. */
  readonly #awaited = new Set<RunChannel>();
  #readUpTo: (key: string) => number;
  #isAtEnd: (key: string) => boolean;
  #cancelFlush: (() => void) | null = null;
  #cancelActivity: (() => void) | null = null;
  #cancelSilence: (() => void) | null = null;
  /** When the next flush is due. It may come `FLUSH_EARLY_MS_MAX` sooner. */
  #flushDueMs = Number.NEGATIVE_INFINITY;

  /** `states` and `figures` may be ahead of the changes that are handed to `apply`, but never behind them. */
  constructor(options: FoldedRuns & { clock: Clock }) {
    this.#epoch = options.epoch;
    this.#readUpTo = options.readUpTo ?? nothingRead;
    this.#isAtEnd = options.isAtEnd ?? notKnown;
    this.#states = options.states;
    this.#clock = options.clock;
    this.index = new IndexViews(options);
    this.figures = new FigureChannels(options);
  }

  get epoch(): string {
    return this.#epoch;
  }

  /**
   * Switches to all runs folded anew, after a rebuild that changed something. Positions of the former epoch are
   * meaningless here, so every subscription starts over, on its existing stream.
   */
  switchTo(rebuilt: FoldedRuns): void {
    this.flush();
    this.#epoch = rebuilt.epoch;
    this.#readUpTo = rebuilt.readUpTo ?? nothingRead;
    this.#isAtEnd = rebuilt.isAtEnd ?? notKnown;
    this.#awaited.clear();
    this.#states = rebuilt.states;
    for (const channel of this.#everyChannel()) {
      const state = rebuilt.states.get(channel.key) ?? null;
      channel.current = state;
      channel.flushed = state;
      channel.pending = [];
      channel.pendingFiltered = 0;
      channel.activitySent = state?.activity ?? null;
      channel.stateUntilMs = this.#stateUntilMs(state);
      channel.stateOwed = false;
      channel.flushedAtMs = this.#clock.now();
      channel.life += 1;
      this.#activityOwed.delete(channel);
      const waiting = [...channel.ahead];
      const before = { seq: null, life: channel.life - 1 };
      this.#send(channel, [this.#reset(channel, 'the snapshots were rebuilt')], before);
      for (const subscription of waiting) {
        channel.ahead.delete(subscription);
        subscription.standing = 'idle';
        subscription.listener.reached();
      }
    }
    this.index.switchTo(rebuilt);
    this.figures.switchTo(rebuilt);
  }

  /**
   * Takes the changes of a batch of records, of which there may be none. Flushes at once if the last flushes were long
   * enough ago, or else soon.
   */
  apply(changes: readonly RunChange[]): void {
    this.index.touch(changes);
    this.figures.touch(changes);
    for (const change of changes) {
      const channels = this.#channels.get(change.key);
      if (channels === undefined) continue;
      for (const channel of channels.values()) {
        if (change.after === null) this.#retire(channel);
        else this.#advance(channel, change.after, change.entries);
      }
    }
    this.#releasePassed();
    if (this.#changed.size === 0 || this.#cancelFlush !== null) return;
    const inMs = this.#flushDueMs - FLUSH_EARLY_MS_MAX - this.#clock.now();
    if (inMs <= 0) this.flush();
    else this.#cancelFlush = this.#clock.after(Math.min(inMs, FLUSH_INTERVAL_MS), () => this.flush());
  }

  /** Sends every pending change now. */
  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const nowMs = this.#clock.now();
    const dueMs = Math.min(Math.max(nowMs, this.#flushDueMs), nowMs + FLUSH_EARLY_MS_MAX);
    this.#flushDueMs = dueMs + FLUSH_INTERVAL_MS;
    for (const channel of this.#changed) this.#flushChannel(channel);
  }

  /** Registers an interest. Nothing is delivered before `join`. */
  attach(key: string, listener: RunListener, lens: RunLens = wholeRun): RunSubscription {
    let channels = this.#channels.get(key);
    if (channels === undefined) {
      channels = new Map();
      this.#channels.set(key, channels);
    }
    let channel = channels.get(lens.name);
    if (channel === undefined) {
      const state = this.#states.get(key) ?? null;
      channel = {
        key,
        ch: runChannel(key),
        lens,
        cancelFlush: null,
        live: new Set(),
        ahead: new Set(),
        subscriptions: 0,
        current: state,
        flushed: state,
        pending: [],
        pendingFiltered: 0,
        flushedAtMs: this.#clock.now(),
        life: 0,
        entriesTotal: 0,
        stateUntilMs: this.#stateUntilMs(state),
        stateOwed: false,
        activitySent: state?.activity ?? null,
        activityBucket: this.#bucket(),
      };
      channels.set(lens.name, channel);
    }
    channel.subscriptions += 1;
    return { channel, listener, standing: 'idle', seq: null, life: 0, entriesTotal: 0, awaitedSeq: 0 };
  }

  detach(subscription: RunSubscription): void {
    const { channel } = subscription;
    channel.live.delete(subscription);
    channel.ahead.delete(subscription);
    subscription.standing = 'idle';
    channel.subscriptions -= 1;
    if (channel.subscriptions > 0) return;
    const channels = this.#channels.get(channel.key);
    channels?.delete(channel.lens.name);
    if (channels?.size === 0) this.#channels.delete(channel.key);
    channel.cancelFlush?.();
    this.#changed.delete(channel);
    this.#awaited.delete(channel);
    this.#activityOwed.delete(channel);
  }

  /**
   * Puts the subscription into the live stream and returns what brings its client up to date. `ahead` means that the
   * client has seen more than the fold. `reached` is called when the fold has caught up, or has read past that position
   * without finding it; then call `join` again (or, to give up, `stopWaiting`).
   */
  join(subscription: RunSubscription, since: Position | null): JoinReply {
    const { channel } = subscription;
    this.#flushChannel(channel);
    const state = channel.current;
    if (since !== null && since.epoch === this.#epoch) {
      const isAhead = state === null || since.seq > state.position.seq;
      if (isAhead && !this.#hasPassed(channel, since.seq)) {
        channel.live.delete(subscription);
        channel.ahead.add(subscription);
        this.#awaited.add(channel);
        subscription.standing = 'ahead';
        subscription.awaitedSeq = since.seq;
        return { kind: 'ahead' };
      }
      // Below it, the position is of an earlier life of the run, which no step leads out of.
      if (!isAhead && since.seq >= state.first_seq) {
        this.#goLive(subscription);
        return { kind: 'answer', answer: this.#resume(channel, state, since.seq) };
      }
    }
    this.#goLive(subscription);
    return { kind: 'answer', answer: this.#whole(channel) };
  }

  /**
   * Whether a subscription that is ahead, and has waited for some time, may still be reached by the fold. A client that has
   * seen a run has seen it in the log: if the log has been read to its end since then, there is no such run.
   */
  mayStillCome({ channel }: RunSubscription): boolean {
    return channel.current !== null || !this.#isAtEnd(channel.key);
  }

  /** Ends the waiting of a subscription that is ahead. Its client starts over from the present state. */
  stopWaiting(subscription: RunSubscription): EncodedFrame {
    this.#flushChannel(subscription.channel);
    this.#goLive(subscription);
    return this.#reset(subscription.channel, 'this position has not been reached here');
  }

  /** Brings a subscription that had no room back into the live stream, with one merged step. */
  catchUp(subscription: RunSubscription): EncodedFrame[] {
    const { channel } = subscription;
    this.#flushChannel(channel);
    const state = channel.current;
    const { seq, life, entriesTotal } = subscription;
    this.#goLive(subscription);
    if (state === null || life !== channel.life) return [this.#reset(channel, 'the run began anew')];
    const delta = this.#merged(channel, state, seq);
    const frames: EncodedFrame[] = [];
    const skipped = skippedSince(state, seq ?? -1);
    if (skipped !== null) {
      const passed = delta.entries.filter((entry) => entry.seq >= skipped.before).length;
      const count = Math.max(0, channel.entriesTotal - entriesTotal - passed);
      if (count > 0) frames.push(encode({ ch: channel.ch, lag: { skipped: { ...skipped, count } } }));
    }
    frames.push(encode({ ch: channel.ch, ...delta }, delta.seq));
    if (state.status !== 'running') frames.push(encode({ ch: channel.ch, end: { status: state.status } }));
    return frames;
  }

  /**
   * Returns the client's position if the run has been quiet since that time and the subscription is live, else
   * undefined.
   */
  tipOf(subscription: RunSubscription, quietSinceMs: number): number | null | undefined {
    const { channel } = subscription;
    if (subscription.standing !== 'live' || channel.flushedAtMs > quietSinceMs) return undefined;
    return channel.flushed?.position.seq ?? null;
  }

  /** The number of runs with subscribers, and of their subscriptions. */
  get load(): { channels: number; subscriptions: number } {
    let subscriptions = 0;
    for (const channel of this.#everyChannel()) subscriptions += channel.subscriptions;
    return { channels: this.#channels.size, subscriptions };
  }

  dispose(): void {
    this.#cancelFlush?.();
    this.#cancelActivity?.();
    this.#cancelSilence?.();
    for (const channel of this.#everyChannel()) channel.cancelFlush?.();
    this.index.dispose();
    this.figures.dispose();
  }

  #advance(channel: RunChannel, after: RunSnapshot, entries: readonly EventLogEntry[]): void {
    // The channel began with a state that already includes this change.
    if (channel.current !== null && after.position.seq <= channel.current.position.seq) return;
    // The run was retired and began anew within one batch.
    if (channel.current !== null && after.first_seq > channel.current.position.seq) this.#retire(channel);
    const from = channel.current?.position.seq ?? -1;
    channel.current = after;
    const { test, minIntervalMs } = channel.lens;
    for (const entry of entries) {
      if (entry.seq <= from) continue;
      if (test === null || test(entry)) channel.pending.push(entry);
      else channel.pendingFiltered += 1;
    }
    if (minIntervalMs <= FLUSH_INTERVAL_MS) {
      this.#changed.add(channel);
      return;
    }
    this.#flushLater(channel, channel.flushedAtMs + minIntervalMs - this.#clock.now());
  }

  #flushLater(channel: RunChannel, dueInMs: number): void {
    // A clock that was set back must not make the wait longer.
    const inMs = Math.min(Math.max(0, dueInMs), channel.lens.minIntervalMs);
    channel.cancelFlush ??= this.#clock.after(inMs, () => this.#flushChannel(channel));
  }

  *#everyChannel(): Generator<RunChannel> {
    for (const channels of this.#channels.values()) yield* channels.values();
  }

  #retire(channel: RunChannel): void {
    this.#flushChannel(channel);
    if (channel.current === null) return;
    channel.current = null;
    channel.flushed = null;
    channel.pending = [];
    channel.pendingFiltered = 0;
    channel.activitySent = null;
    channel.stateUntilMs = Number.POSITIVE_INFINITY;
    channel.stateOwed = false;
    channel.life += 1;
    channel.flushedAtMs = this.#clock.now();
    this.#activityOwed.delete(channel);
    const lifeBefore = channel.life - 1;
    this.#send(channel, [this.#reset(channel, 'retired')], { seq: null, life: lifeBefore });
  }

  #flushChannel(channel: RunChannel): void {
    this.#changed.delete(channel);
    channel.cancelFlush?.();
    channel.cancelFlush = null;
    const { current, flushed, pending } = channel;
    if (current === null) return;
    const { stateOwed } = channel;
    if (current === flushed && !stateOwed && !this.#activityOwed.has(channel)) return;
    const nowMs = this.#clock.now();
    const changes = changesBetween(flushed, current, nowMs);
    const { activity: _, ...set } = changes.set;
    const delta: RunDelta = {
      prev: flushed?.position.seq ?? null,
      seq: current.position.seq,
      entries: channel.live.size === 0 ? [] : pending.map((entry) => deliverEntry(entry, nowMs)),
      ...changes,
      set: {
        ...set,
        ...(stateOwed ? conditionOf(current, nowMs) : {}),
        ...this.#activityDue(channel, current),
      },
      ...(flushed === null ? { epoch: this.#epoch } : {}),
      ...(channel.lens.test === null ? {} : { filtered: channel.pendingFiltered }),
    };
    if (current === flushed && !stateOwed && delta.set.activity === undefined) return;
    channel.stateOwed = false;
    channel.stateUntilMs = this.#stateUntilMs(current);
    const entriesBefore = channel.entriesTotal;
    channel.flushed = current;
    channel.pending = [];
    channel.pendingFiltered = 0;
    channel.entriesTotal += pending.length;
    channel.flushedAtMs = nowMs;
    if (channel.live.size > 0) {
      const frames = [encode({ ch: channel.ch, ...delta }, delta.seq)];
      if (current.status !== 'running' && flushed?.status !== current.status) {
        frames.push(encode({ ch: channel.ch, end: { status: current.status } }));
      }
      this.#send(channel, frames, { seq: delta.prev, entriesTotal: entriesBefore });
    }
    for (const subscription of channel.ahead) {
      if (current.position.seq < subscription.awaitedSeq) continue;
      channel.ahead.delete(subscription);
      subscription.standing = 'idle';
      subscription.listener.reached();
    }
  }

  /** Tells the subscribers of runs whose silence has come to mean something. Nothing else would. */
  #tellSilence(): void {
    this.#cancelSilence = null;
    const nowMs = this.#clock.now();
    let mayChange = false;
    for (const channel of this.#everyChannel()) {
      if (nowMs > channel.stateUntilMs) {
        channel.stateUntilMs = Number.POSITIVE_INFINITY;
        channel.stateOwed = true;
        // A flush that waits for its interval says it too.
        if (channel.cancelFlush === null) this.#flushChannel(channel);
      }
      if (channel.stateUntilMs !== Number.POSITIVE_INFINITY) mayChange = true;
    }
    if (mayChange) this.#lookForSilence();
  }

  #lookForSilence(): void {
    this.#cancelSilence ??= this.#clock.after(SILENCE_LOOK_MS, () => this.#tellSilence());
  }

  #stateUntilMs(state: RunSnapshot | null): number {
    if (state === null) return Number.POSITIVE_INFINITY;
    const untilMs = conditionHoldsUntilMs(state, this.#clock.now());
    if (untilMs !== Number.POSITIVE_INFINITY) this.#lookForSilence();
    return untilMs;
  }

  /** Whether the position will not come any more: the log was read past it, and every change until there is known here. */
  #hasPassed({ key, current }: RunChannel, seq: number): boolean {
    const folded = this.#states.head(key)?.position.seq ?? -1;
    return this.#readUpTo(key) > seq && folded <= (current?.position.seq ?? -1);
  }

  /** Lets subscriptions join whose position was passed. */
  #releasePassed(): void {
    for (const channel of this.#awaited) {
      for (const subscription of [...channel.ahead]) {
        if (!this.#hasPassed(channel, subscription.awaitedSeq)) continue;
        channel.ahead.delete(subscription);
        subscription.standing = 'idle';
        subscription.listener.reached();
      }
      if (channel.ahead.size === 0) this.#awaited.delete(channel);
    }
  }

  /** Hands frames to every live subscription. One without room is marked as behind, at `standing`. */
  #send(
    channel: RunChannel,
    frames: readonly EncodedFrame[],
    standing: { seq: number | null; entriesTotal?: number; life?: number },
  ): void {
    for (const subscription of channel.live) {
      if (subscription.listener.deliver(frames)) continue;
      channel.live.delete(subscription);
      subscription.standing = 'behind';
      subscription.seq = standing.seq;
      subscription.entriesTotal = standing.entriesTotal ?? channel.entriesTotal;
      subscription.life = standing.life ?? channel.life;
    }
  }

  /**
   * Returns the `activity` to send, if any. It changes with every event, but consists of the same few numbers for 10 s.
   * So it is sent once per bucket, and once more after the last event, so that clients of a quiet run hold the same as
   * the snapshot.
   */
  #activityDue(channel: RunChannel, current: RunSnapshot): SnapshotChanges {
    if (sameActivity(channel.activitySent, current.activity)) {
      this.#activityOwed.delete(channel);
      return {};
    }
    const bucket = this.#bucket();
    if (channel.activitySent !== null && bucket === channel.activityBucket) {
      this.#activityOwed.add(channel);
      this.#cancelActivity ??= this.#clock.after(
        (bucket + 1) * ACTIVITY_BUCKET_MS - this.#clock.now() + 1,
        () => this.#flushActivity(),
      );
      return {};
    }
    this.#activityOwed.delete(channel);
    channel.activitySent = current.activity;
    channel.activityBucket = bucket;
    return { activity: current.activity };
  }

  #flushActivity(): void {
    this.#cancelActivity = null;
    for (const channel of [...this.#activityOwed]) {
      const dueInMs = channel.flushedAtMs + channel.lens.minIntervalMs - this.#clock.now();
      if (dueInMs <= 0) this.#flushChannel(channel);
      else this.#flushLater(channel, dueInMs);
    }
  }

  #goLive(subscription: RunSubscription): void {
    subscription.channel.ahead.delete(subscription);
    subscription.channel.live.add(subscription);
    subscription.standing = 'live';
  }

  /**
   * Makes a step over everything that the client may have missed. It holds all fields, because the client's state is
   * not known here.
   */
  #merged(channel: RunChannel, state: RunSnapshot, since: number | null): RunDelta {
    const nowMs = this.#clock.now();
    const { test } = channel.lens;
    const missed = entriesSince(state, since ?? -1);
    const entries = test === null ? missed : missed.filter(test);
    return {
      prev: since,
      seq: state.position.seq,
      entries: entries.map((entry) => deliverEntry(entry, nowMs)),
      ...wholeSet(state, nowMs),
      ...(since === null ? { epoch: this.#epoch } : {}),
      ...(test === null ? {} : { filtered: missed.length - entries.length }),
    };
  }

  #resume(channel: RunChannel, state: RunSnapshot, since: number): SharedEnd {
    return this.#answers.get(`${channel.ch} ${since} ${channel.lens.name}`, {
      state,
      nowMs: this.#clock.now(),
      make: () => {
        const skipped = skippedSince(state, since);
        const delta = this.#merged(channel, state, since);
        if (skipped === null) return { body: { ch: channel.ch, resume: delta }, seq: delta.seq };
        const count = channel.lens.test === null ? skipped.count : null;
        const resume: RunResume = { ...delta, skipped: { ...skipped, count } };
        return { body: { ch: channel.ch, resume }, seq: delta.seq };
      },
    });
  }

  #whole(channel: RunChannel): SharedEnd {
    const { ch, current, lens } = channel;
    if (current === null) {
      return new SharedEnd(JSON.stringify({ ch, ...this.#shown(channel) }), { ch, seq: null });
    }
    return this.#answers.get(`${ch} * ${lens.name}`, {
      state: current,
      nowMs: this.#clock.now(),
      make: () => ({ body: { ch, ...this.#shown(channel) }, seq: current.position.seq }),
    });
  }

  /** Returns the newest state as the subscribers of the channel see it. */
  #shown(channel: RunChannel): { snapshot: DeliveredSnapshot; filtered?: number } {
    const { current, lens } = channel;
    if (current === null) {
      const key = parseRunKey(channel.key);
      if (key === null) throw new Error(`a channel without a run: ${channel.key}`);
      return { snapshot: emptySnapshot(key) };
    }
    const nowMs = this.#clock.now();
    if (lens.test === null) return { snapshot: deliverSnapshot(current, nowMs) };
    const event_log = current.event_log.filter(lens.test);
    const milestones = current.milestones.filter(lens.test);
    return {
      snapshot: deliverSnapshot({ ...current, event_log, milestones }, nowMs),
      filtered: current.event_log.length - event_log.length,
    };
  }

  #reset(channel: RunChannel, reason: string): EncodedFrame {
    const { snapshot } = this.#shown(channel);
    return encode({ ch: channel.ch, reset: { reason, snapshot } }, snapshot.position?.seq ?? null);
  }

  #bucket(): number {
    return Math.floor(this.#clock.now() / ACTIVITY_BUCKET_MS);
  }
}

function nothingRead(): number {
  return 0;
}

function notKnown(): boolean {
  return false;
}

function sameActivity(left: RunSnapshot['activity'] | null, right: RunSnapshot['activity']): boolean {
  if (left === right) return true;
  if (left === null || left.length !== right.length) return false;
  return left.every(([second, count], at) => right[at]?.[0] === second && right[at]?.[1] === count);
}
