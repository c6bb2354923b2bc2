import { STREAM_AHEAD_LOOK_MS, STREAM_AHEAD_MS_MAX } from '@runlog/schema/limits';
import type { Position } from '@runlog/schema/run/snapshot';
import type { RunSubscription as RunRequest, SubscriptionRequest } from '@runlog/schema/stream/subscriptions';
import type { Clock } from '@runlog/service-kit/clock';
import type { Viewer } from '../access.ts';
import { answerTo, type EncodedFrame } from './encoded-frame.ts';
import type { FiguresListener, FiguresSubscription } from './figure-channels.ts';
import type { Hub, RunListener, RunSubscription } from './hub.ts';
import type { IndexListener, IndexSubscription } from './index-views.ts';
import type { Outlet } from './outlet.ts';
import { lensOf } from './run-lens.ts';
import { Unacknowledged } from './unacknowledged.ts';

/** A channel that a client is subscribed to. */
export type Interest = RunInterest | FiguresInterest | IndexInterest;

/** The parts of a session that an interest uses. */
export interface InterestContext {
  readonly hub: Hub;
  readonly outlet: Outlet;
  readonly clock: Clock;
  /** Returns the client's viewer. Is called when an interest begins. */
  readonly viewer: () => Viewer;
  readonly owe: (interest: Interest) => void;
  readonly pump: () => void;
}

/** Hands frames to the client of an interest. Returns false if there is no room: then the interest is served later. */
function deliverOrOwe(
  { outlet, owe }: InterestContext,
  to: { interest: Interest; frames: readonly EncodedFrame[] },
): boolean {
  if (!outlet.hasRoom) {
    owe(to.interest);
    return false;
  }
  for (const frame of to.frames) outlet.push(frame);
  return true;
}

/** A subscribed run. It is answered once and then live, or behind while there is no room. */
export class RunInterest implements RunListener {
  readonly ch: string;
  readonly #context: InterestContext;
  readonly #subscription: RunSubscription;
  readonly #id: number;
  readonly #since: Position | null;
  #next: 'reply' | 'give_up' | 'catch_up' = 'reply';
  #cancelWait: (() => void) | null = null;
  /** Null until the client has acknowledged something. */
  #unacknowledged: Unacknowledged | null = null;
  /** The client takes frames and does not deal with them. Nothing more is sent until it has. */
  #waitsForAck = false;

  constructor(context: InterestContext, of: { key: string; id: number; asked: RunRequest }) {
    this.ch = of.asked.ch;
    this.#context = context;
    this.#id = of.id;
    this.#since = of.asked.since ?? null;
    this.#subscription = context.hub.attach(of.key, this, lensOf(of.asked));
  }

  deliver(frames: readonly EncodedFrame[]): boolean {
    const { clock } = this.#context;
    if (this.#unacknowledged?.isLate(clock.now()) === true) {
      this.#waitsForAck = true;
      return false;
    }
    if (!deliverOrOwe(this.#context, { interest: this, frames })) return false;
    this.#noteSent(frames);
    return true;
  }

  /** The client has dealt with everything up to this position. */
  acknowledged(seq: number | null): void {
    this.#unacknowledged ??= new Unacknowledged();
    this.#unacknowledged.acknowledge(seq ?? -1);
    if (!this.#waitsForAck || !this.#unacknowledged.isEmpty) return;
    this.#waitsForAck = false;
    this.#askToBeServed('catch_up');
  }

  reached(): void {
    this.#stopTimer();
    this.#askToBeServed('reply');
  }

  /** Sends what is owed. Is called when there is room. */
  serve(): void {
    const { hub, outlet } = this.#context;
    const next = this.#next;
    this.#next = 'catch_up';
    switch (next) {
      case 'reply':
        this.#reply();
        return;
      case 'give_up':
        outlet.push(hub.stopWaiting(this.#subscription));
        return;
      case 'catch_up': {
        const frames = hub.catchUp(this.#subscription);
        for (const frame of frames) outlet.push(frame);
        this.#noteSent(frames);
        return;
      }
      default: {
        const unreachable: never = next;
        throw new Error(`unknown thing to serve: ${String(unreachable)}`);
      }
    }
  }

  tip(quietSinceMs: number): number | null | undefined {
    return this.#context.hub.tipOf(this.#subscription, quietSinceMs);
  }

  dispose(): void {
    this.#stopTimer();
    this.#context.hub.detach(this.#subscription);
  }

  #reply(): void {
    const { hub, outlet, clock } = this.#context;
    const reply = hub.join(this.#subscription, this.#since);
    switch (reply.kind) {
      case 'answer':
        outlet.push(answerTo(this.#id, reply.answer));
        return;
      case 'ahead':
        this.#cancelWait = clock.after(STREAM_AHEAD_LOOK_MS, () => {
          const restMs = hub.mayStillCome(this.#subscription)
            ? STREAM_AHEAD_MS_MAX - STREAM_AHEAD_LOOK_MS
            : 0;
          this.#cancelWait = clock.after(restMs, () => {
            this.#cancelWait = null;
            this.#askToBeServed('give_up');
          });
        });
        return;
      default: {
        const unreachable: never = reply;
        throw new Error(`unknown reply ${String(unreachable)}`);
      }
    }
  }

  #noteSent(frames: readonly EncodedFrame[]): void {
    for (const { seq } of frames) {
      if (typeof seq === 'number') this.#unacknowledged?.sent(seq, this.#context.clock.now());
    }
  }

  #askToBeServed(next: 'reply' | 'give_up' | 'catch_up'): void {
    this.#next = next;
    this.#context.owe(this);
    this.#context.pump();
  }

  #stopTimer(): void {
    this.#cancelWait?.();
    this.#cancelWait = null;
  }
}

/** The subscribed figures of a run. They are answered once and then live, or sent whole after there was no room. */
export class FiguresInterest implements FiguresListener {
  readonly #context: InterestContext;
  readonly #subscription: FiguresSubscription;
  readonly #id: number;
  #replied = false;

  constructor(context: InterestContext, of: { key: string; id: number }) {
    this.#context = context;
    this.#id = of.id;
    this.#subscription = context.hub.figures.attach(of.key, this);
  }

  deliver(frame: EncodedFrame): boolean {
    return deliverOrOwe(this.#context, { interest: this, frames: [frame] });
  }

  serve(): void {
    const { hub, outlet } = this.#context;
    if (this.#replied) {
      outlet.push(hub.figures.catchUp(this.#subscription));
      return;
    }
    this.#replied = true;
    outlet.push(answerTo(this.#id, hub.figures.join(this.#subscription)));
  }

  dispose(): void {
    this.#context.hub.figures.detach(this.#subscription);
  }
}

/** A subscribed view of the run index. It is answered once and then live, or behind while there is no room. */
export class IndexInterest implements IndexListener {
  readonly #context: InterestContext;
  readonly #subscription: IndexSubscription;
  readonly #id: number;
  #replied = false;

  constructor(
    context: InterestContext,
    of: { glob: string; id: number; asked: Extract<SubscriptionRequest, { kind: 'runs' }>['asked'] },
  ) {
    const { glob, id, asked } = of;
    this.#context = context;
    this.#id = id;
    this.#subscription = context.hub.index.attach({ glob, asked, viewer: context.viewer() }, this);
  }

  deliver(frame: EncodedFrame): boolean {
    return deliverOrOwe(this.#context, { interest: this, frames: [frame] });
  }

  serve(): void {
    const { hub, outlet } = this.#context;
    if (!this.#replied) {
      this.#replied = true;
      outlet.push(hub.index.join(this.#subscription, this.#id));
      return;
    }
    const step = hub.index.catchUp(this.#subscription);
    if (step !== null) outlet.push(step);
  }

  dispose(): void {
    this.#context.hub.index.detach(this.#subscription);
  }
}
