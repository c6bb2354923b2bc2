/** What a publisher may spend of one thing: so much a second on average, `burst` at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A bucket that is full again needs no memory; with so many kept the full ones are dropped. */
const BUCKETS_MAX = 1_024;

/**
 * Token buckets by name. A bucket is kept as the time at which it will be full, so that two keys of one cluster with
 * different rates share it: what one of them spends, the other finds gone, at the spender's rate.
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

  /** Milliseconds until `amount` fits; 0: now. An amount beyond the burst needs a full bucket. */
  waitMs(name: string, amount: number, rate: Rate): number {
    const nowMs = this.#now();
    const fullAtMs = this.#fullAtMs.get(name) ?? nowMs;
    const spare = Math.max(0, rate.burst - amount);
    return Math.max(0, fullAtMs - (spare / rate.perSecond) * 1_000 - nowMs);
  }

  /** Spends what `waitMs` said fits. */
  spend(name: string, amount: number, rate: Rate): void {
    if (amount === 0) return;
    const nowMs = this.#now();
    if (this.#fullAtMs.size >= BUCKETS_MAX && !this.#fullAtMs.has(name)) this.#forget(nowMs);
    const fromMs = Math.max(nowMs, this.#fullAtMs.get(name) ?? nowMs);
    this.#fullAtMs.set(name, fromMs + (amount / rate.perSecond) * 1_000);
  }

  /** Gives back what was spent for nothing. */
  refund(name: string, amount: number, rate: Rate): void {
    const fullAtMs = this.#fullAtMs.get(name);
    if (fullAtMs !== undefined) this.#fullAtMs.set(name, fullAtMs - (amount / rate.perSecond) * 1_000);
  }

  #forget(nowMs: number): void {
    for (const [name, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(name);
  }
}
