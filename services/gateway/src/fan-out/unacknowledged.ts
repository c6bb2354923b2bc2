import { STREAM_UNACKNOWLEDGED_MS_MAX } from '@runlog/schema/limits';

/** Positions that were sent within so long of each other count as sent together, which bounds their number. */
const TOGETHER_MS = 100;

/** What one client of a run was sent and has not acknowledged yet. */
export class Unacknowledged {
  /** Oldest first. After the oldest has become late, nothing is sent, so there are few. */
  readonly #sent: { seq: number; readonly atMs: number }[] = [];

  get isEmpty(): boolean {
    return this.#sent.length === 0;
  }

  sent(seq: number, atMs: number): void {
    const newest = this.#sent.at(-1);
    if (newest !== undefined && atMs - newest.atMs < TOGETHER_MS) newest.seq = seq;
    else this.#sent.push({ seq, atMs });
  }

  /** The client has dealt with every position up to this one. */
  acknowledge(seq: number): void {
    const left = this.#sent.findIndex((each) => each.seq > seq);
    this.#sent.splice(0, left === -1 ? this.#sent.length : left);
  }

  /** Whether the client has been behind for too long. */
  isLate(nowMs: number): boolean {
    const oldest = this.#sent[0];
    return oldest !== undefined && nowMs - oldest.atMs > STREAM_UNACKNOWLEDGED_MS_MAX;
  }
}
