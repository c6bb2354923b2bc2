import { applyDelta } from '@runlog/run-state/delivery';
import type { DeliveredEntry, DeliveredSnapshot, Position, RunStatus } from '@runlog/schema/run/snapshot';
import type { RunDelta, ServerFrameFields } from '@runlog/schema/stream/server-frames';

/** The updates that a subscriber of a run gets, in order. */
export type RunUpdate =
  /** Start over from this snapshot. `reason` says why, if the server sent it without being asked. */
  | { readonly kind: 'snapshot'; readonly snapshot: DeliveredSnapshot; readonly reason: string | null }
  /** New entries. `skipped` entries before them were not sent, because this client read too slowly. */
  | {
      readonly kind: 'step';
      readonly snapshot: DeliveredSnapshot;
      readonly entries: readonly DeliveredEntry[];
      readonly skipped: number;
    }
  | { readonly kind: 'end'; readonly status: Exclude<RunStatus, 'running'> };

/**
 * If `ask` is true, the replica cannot continue from what it holds: subscribe to the channel again from
 * `RunReplica.since`.
 */
export type RunReaction = { readonly updates: readonly RunUpdate[]; readonly ask: boolean };

/**
 * One run as a client holds it: frames go in, updates come out. It never shows a state that the server did not have.
 */
export class RunReplica {
  #snapshot: DeliveredSnapshot | null = null;
  #awaited: number | null = null;
  #skipped = 0;
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
    this.#skipped = 0;
  }

  /** Notes that the connection is gone, and with it any pending subscription. */
  disconnected(): void {
    this.#awaited = null;
  }

  receive(frame: ServerFrameFields): RunReaction {
    const { reset } = frame;
    if (reset !== undefined && 'snapshot' in reset) return this.#replace(reset.snapshot, reset.reason);
    if (this.#awaited !== null && frame.id !== this.#awaited) return nothing;
    if (frame.snapshot !== undefined) return this.#replace(frame.snapshot, null);
    if (frame.resume !== undefined) {
      this.#awaited = null;
      return this.#step(frame.resume);
    }
    if (frame.lag !== undefined) {
      this.#skipped += frame.lag.skipped.count ?? 0;
      return nothing;
    }
    if (frame.end !== undefined) return { updates: [{ kind: 'end', status: frame.end.status }], ask: false };
    const { prev, seq, entries, set, epoch } = frame;
    if (prev === undefined || seq === undefined || entries === undefined || set === undefined) return nothing;
    return this.#step({ prev, seq, entries, set, ...(epoch === undefined ? {} : { epoch }) });
  }

  /** Compares the server's position of a quiet run with the held one. Returns true if something was lost on the way. */
  isBehind(tip: number | null): boolean {
    return this.#awaited === null && this.#snapshot !== null && tip !== this.#seq();
  }

  #replace(snapshot: DeliveredSnapshot, reason: string | null): RunReaction {
    this.#awaited = null;
    this.#startOver = false;
    this.#mismatched = false;
    this.#skipped = 0;
    this.#snapshot = snapshot;
    return { updates: [{ kind: 'snapshot', snapshot, reason }], ask: false };
  }

  #step(delta: RunDelta): RunReaction {
    const held = this.#snapshot;
    const epoch = held?.position?.epoch ?? delta.epoch;
    if (held === null || epoch === undefined || delta.prev !== this.#seq()) {
      this.#startOver = this.#mismatched || held === null || epoch === undefined;
      this.#mismatched = true;
      return { updates: [], ask: true };
    }
    const skipped = this.#skipped;
    this.#skipped = 0;
    this.#mismatched = false;
    this.#snapshot = applyDelta(held, { delta, epoch });
    return {
      updates: [{ kind: 'step', snapshot: this.#snapshot, entries: delta.entries, skipped }],
      ask: false,
    };
  }

  #seq(): number | null {
    return this.#snapshot?.position?.seq ?? null;
  }
}

const nothing: RunReaction = { updates: [], ask: false };
