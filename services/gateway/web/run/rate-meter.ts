const WINDOW_MS = 5_000;
/** A live step holds events of the newest second at most: what came before it would have been handed over before. */
const STEP_MS_MAX = 1_000;

/** The total of a run's events at a moment of the server's clock. */
interface Sample {
  readonly total: number;
  readonly atMs: number;
}

/**
 * Measures events per second over the newest 5 s from a total that only grows. All times are the server's: those at which it
 * received the events. So what arrives at once after an outage counts for the time in which it happened.
 */
export class RateMeter {
  #samples: Sample[] = [];

  /**
   * Notes the total after a step whose newest event was received at `receivedMs`. `isLive` is false if the step tells of a
   * time in which nothing could come: an outage.
   */
  record({ total, receivedMs, isLive }: { total: number; receivedMs: number; isLive: boolean }): void {
    const last = this.#samples.at(-1);
    if (last === undefined || total < last.total) {
      this.#samples = [{ total, atMs: receivedMs }];
      return;
    }
    if (total === last.total) return;
    const atMs = Math.max(receivedMs, last.atMs);
    if (isLive && atMs - last.atMs > STEP_MS_MAX) {
      this.#samples.push({ total: last.total, atMs: atMs - STEP_MS_MAX });
    }
    const beforeLast = this.#samples.at(-2);
    // Ten samples a second are enough, whatever the number of steps.
    if (beforeLast !== undefined && atMs - beforeLast.atMs < 100) this.#samples.pop();
    this.#samples.push({ total, atMs });
    this.#trim(atMs);
  }

  /** The rate at a moment of the server's clock. */
  at(nowMs: number): number {
    const last = this.#samples.at(-1);
    const first = this.#samples[0];
    if (last === undefined || first === undefined) return 0;
    const endMs = Math.max(nowMs, last.atMs);
    this.#trim(endMs);
    const beginMs = Math.max(endMs - WINDOW_MS, first.atMs);
    const grown = last.total - this.#totalAt(beginMs);
    return grown <= 0 ? 0 : (grown * 1_000) / Math.max(1_000, endMs - beginMs);
  }

  reset(): void {
    this.#samples = [];
  }

  /** Between two samples the total grew evenly, for all that is known. */
  #totalAt(ms: number): number {
    const next = this.#samples.findIndex(({ atMs }) => atMs >= ms);
    if (next === -1) return this.#samples.at(-1)!.total;
    const after = this.#samples[next]!;
    const before = this.#samples[next - 1];
    if (before === undefined || after.atMs === before.atMs) return after.total;
    const share = (ms - before.atMs) / (after.atMs - before.atMs);
    return before.total + share * (after.total - before.total);
  }

  /** Keeps one sample from before the window, from which the growth within it is computed. */
  #trim(nowMs: number): void {
    const beginMs = nowMs - WINDOW_MS;
    while (this.#samples.length > 1 && this.#samples[1]!.atMs <= beginMs) this.#samples.shift();
  }
}
