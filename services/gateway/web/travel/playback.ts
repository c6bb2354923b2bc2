import { instantOf } from '@runlog/schema/events/instant';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

/** Nobody wants to sit through a night: a longer pause between two events takes so long. */
export const PAUSE_MS_MAX = 3_000;
/**
 * The clocks of a run's processes differ a little, so an event may be older than the one before it. One that is older by more
 * comes from a clock that was set back, and time goes on from there.
 */
const CLOCKS_DIFFER_MS_MAX = 10_000;

/**
 * Lets entries go at the pace of the times that they say. A sender's clock that goes back counts as no time, and a pause
 * counts for at most three seconds.
 */
export class Playback {
  #waiting: EventLogEntry[] = [];
  /** The time that has been reached. */
  #lastMs: number;
  /** How much of the time since the last entry has passed. */
  #passedMs = 0;

  /** `fromMs` is the time of the entry that is shown last; NaN if it has none. */
  constructor(fromMs: number) {
    this.#lastMs = fromMs;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Adds entries that come after those that wait. */
  push(entries: readonly EventLogEntry[]): void {
    this.#waiting.push(...entries);
  }

  /** Lets so much time pass. Returns the entries that it brings, in order. */
  advance(ms: number): readonly EventLogEntry[] {
    this.#passedMs += ms;
    let count = 0;
    for (const entry of this.#waiting) {
      const waitMs = this.#pauseBefore(entry).shownMs;
      if (waitMs > this.#passedMs) break;
      this.#passedMs -= waitMs;
      this.#reach(entry);
      count += 1;
    }
    // Time that passes while nothing waits does not bring what comes later at once.
    if (count === this.#waiting.length) this.#passedMs = 0;
    return this.#waiting.splice(0, count);
  }

  /** How long the pause is that is being shortened, in milliseconds; null if none is. */
  get shortenedMs(): number | null {
    const [next] = this.#waiting;
    if (next === undefined) return null;
    const { wholeMs, shownMs } = this.#pauseBefore(next);
    return wholeMs > shownMs ? wholeMs : null;
  }

  #pauseBefore(entry: EventLogEntry): { wholeMs: number; shownMs: number } {
    const sinceMs = instantOf(entry.occurred_at) - this.#lastMs;
    const wholeMs = Number.isNaN(sinceMs) ? 0 : Math.max(0, sinceMs);
    return { wholeMs, shownMs: Math.min(wholeMs, PAUSE_MS_MAX) };
  }

  #reach(entry: EventLogEntry): void {
    const ms = instantOf(entry.occurred_at);
    if (Number.isNaN(ms)) return;
    const isSetBack = ms < this.#lastMs - CLOCKS_DIFFER_MS_MAX;
    if (isSetBack || !(ms <= this.#lastMs)) this.#lastMs = ms;
  }
}
