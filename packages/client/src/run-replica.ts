import { applyDelta } from '@runlog/run-state/delivery';
import type { DeliveredEntry, DeliveredSnapshot, Position } from '@runlog/schema/run/snapshot';
import type { RunDelta, ServerFrameFields, Skipped } from '@runlog/schema/stream/server-frames';

/** What a frame did to the state. */
export type ReplicaUpdate =
  /** Start over from this snapshot. `reason` says why, if the server sent it without being asked. */
  | {
      readonly kind: 'snapshot';
      readonly snapshot: DeliveredSnapshot;
      readonly reason: string | null;
      readonly filtered: number | null;
    }
  /**
   * One step. If `skipped` is not null, entries were left out, and `entries` holds only some of those in that range: the
   * milestones that the state needs.
   */
  | {
      readonly kind: 'step';
      readonly snapshot: DeliveredSnapshot;
      readonly entries: readonly DeliveredEntry[];
      readonly skipped: Skipped | null;
      /** The entries that the filter left out, as the server counts them. Null if it says nothing: there is no filter. */
      readonly filtered: number | null;
    };

/**
 * If `ask` is true, the replica cannot continue from what it holds: subscribe to the channel again from
 * `RunReplica.since`.
 */
export type RunReaction = { readonly updates: readonly ReplicaUpdate[]; readonly ask: boolean };

/**
 * The state of one run as a client holds it: frames go in, updates come out. It never shows a state that the server did
 * not have.
 */
export class RunReplica {
  #snapshot: DeliveredSnapshot | null = null;
  #awaited: number | null = null;
  #skipped: Skipped | null = null;
  /** Is true if a delta did not fit and none has fitted since. */
  #mismatched = false;
  /** Is true if subscribing from the held position did not help: the next subscription asks for a whole snapshot. */
  #startOver = false;

  get snapshot(): DeliveredSnapshot | null {
    return this.#snapshot;
  }

  /** The position for the next subscription; null asks for a snapshot. */
  get since(): Position | null {
    return this.#startOver ? null : (this.#snapshot?.position ?? null);
  }

  /**
   * Notes that a frame with this id subscribed to the channel. Frames before its answer belong to an earlier
   * subscription.
   */
  asked(id: number): void {
    this.#awaited = id;
    this.#skipped = null;
  }

  /** Notes that the connection is gone, and with it any pending subscription. */
  disconnected(): void {
    this.#awaited = null;
    this.#skipped = null;
  }

  receive(frame: ServerFrameFields): RunReaction {
    const { reset } = frame;
    if (reset !== undefined && 'snapshot' in reset)
      return this.#replace(reset.snapshot, { reason: reset.reason });
    if (this.#awaited !== null && frame.id !== this.#awaited) return nothing;
    const { filtered } = frame;
    if (frame.snapshot !== undefined) return this.#replace(frame.snapshot, { filtered });
    if (frame.resume !== undefined) {
      this.#awaited = null;
      return this.#step(frame.resume, frame.resume.skipped ?? null);
    }
    if (frame.lag !== undefined) {
      this.#skipped = joined(this.#skipped, frame.lag.skipped);
      return nothing;
    }
    const { prev, seq, entries, set, epoch, replaces } = frame;
    if (prev === undefined || seq === undefined || entries === undefined || set === undefined) return nothing;
    const skipped = this.#skipped;
    this.#skipped = null;
    const delta = {
      ...{ prev, seq, entries, set },
      ...(epoch === undefined ? {} : { epoch }),
      ...(replaces === undefined ? {} : { replaces }),
      ...(filtered === undefined ? {} : { filtered }),
    };
    return this.#step(delta, skipped);
  }

  /** Compares the server's position of a quiet run with the held one. Returns true if something was lost on the way. */
  isBehind(tip: number | null): boolean {
    return this.#awaited === null && this.#snapshot !== null && tip !== this.#seq();
  }

  #replace(
    snapshot: DeliveredSnapshot,
    said: { reason?: string; filtered?: number | undefined },
  ): RunReaction {
    const { reason = null, filtered = null } = said;
    this.#awaited = null;
    this.#startOver = false;
    this.#mismatched = false;
    this.#skipped = null;
    this.#snapshot = snapshot;
    return { updates: [{ kind: 'snapshot', snapshot, reason, filtered }], ask: false };
  }

  #step(delta: RunDelta, skipped: Skipped | null): RunReaction {
    const held = this.#snapshot;
    const epoch = held?.position?.epoch ?? delta.epoch;
    if (held === null || epoch === undefined || delta.prev !== this.#seq()) {
      this.#startOver = this.#mismatched || held === null || epoch === undefined;
      this.#mismatched = true;
      return { updates: [], ask: true };
    }
    this.#mismatched = false;
    this.#snapshot = applyDelta(held, { delta, epoch });
    const { entries, filtered = null } = delta;
    return {
      updates: [{ kind: 'step', snapshot: this.#snapshot, entries, skipped, filtered }],
      ask: false,
    };
  }

  #seq(): number | null {
    return this.#snapshot?.position?.seq ?? null;
  }
}

/** Two ranges with nothing sent between them are one. */
function joined(before: Skipped | null, skipped: Skipped): Skipped {
  if (before === null) return skipped;
  const count = before.count === null || skipped.count === null ? null : before.count + skipped.count;
  return {
    after: Math.min(before.after, skipped.after),
    before: Math.max(before.before, skipped.before),
    count,
  };
}

const nothing: RunReaction = { updates: [], ask: false };
