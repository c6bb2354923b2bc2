/** The allowance of a publisher in one thing: its rate on average, and one second's worth at once. */
export interface Rate {
  readonly perSecond: number;
}

/** A bucket that is full again needs no memory. At this many buckets the full ones are dropped. */
const BUCKETS_MAX = 1_024;

/**
 * Token buckets by name. Whoever finds one token may spend any number: the bucket then owes, and everybody waits until
 * it holds one again. So the wait is known before the amount is, and holds for whatever is sent next; what goes through
 * is bounded by the rate, one second's worth, and one amount.
 *
 * A bucket is kept as the time at which it will be full, so that two keys of one cluster with different rates share it:
 * what one of them spends, the other finds gone, at the spender's rate.
 */
export class Quota {
  readonly #fullAtMs = new Map<string, number>();
  readonly #now: () => number;

  /** `now`: milliseconds; only differences count. */
  constructor(options: { now: () => number }) {
    this.#now = options.now;
  }

  /** Buckets in memory. */
  get buckets(): number {
    return this.#fullAtMs.size;
  }

  /** Milliseconds until anything may be spent; 0: now. */
  waitMs(name: string, { perSecond }: Rate): number {
    const nowMs = this.#now();
    const fullAtMs = this.#fullAtMs.get(name) ?? nowMs;
    return Math.max(0, fullAtMs - ((perSecond - 1) / perSecond) * 1_000 - nowMs);
  }

  /** Spends, when `waitMs` is 0. */
  spend(name: string, amount: number, { perSecond }: Rate): void {
    if (amount === 0) return;
    const nowMs = this.#now();
    if (this.#fullAtMs.size >= BUCKETS_MAX && !this.#fullAtMs.has(name)) this.#forget(nowMs);
    const fromMs = Math.max(nowMs, this.#fullAtMs.get(name) ?? nowMs);
    this.#fullAtMs.set(name, fromMs + (amount / perSecond) * 1_000);
  }

  /** Gives back what was spent for nothing. */
  refund(name: string, amount: number, { perSecond }: Rate): void {
    const fullAtMs = this.#fullAtMs.get(name);
    if (fullAtMs !== undefined) this.#fullAtMs.set(name, fullAtMs - (amount / perSecond) * 1_000);
  }

  #forget(nowMs: number): void {
    for (const [name, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(name);
  }
}
