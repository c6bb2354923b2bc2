/** The allowance of a publisher for one quantity: its average rate, and one second's worth at once. */
export interface Rate {
  readonly perSecond: number;
}

/** At this number of buckets the full ones are dropped, because a bucket that is full again needs no memory. */
const BUCKETS_MAX = 1_024;

/**
 * Token buckets by name. If a bucket holds one token, any amount may be spent. The bucket may then be in debt, and
 * everybody waits until it holds one token again. So the wait is known before the amount is, and is right whatever is
 * sent next. The total that passes is bounded by the rate, one second's worth, and one amount.
 *
 * A bucket is stored as the time at which it will be full, so that two keys of one cluster with different rates can
 * share it. What one key spends is gone for the other too, at the spender's rate.
 */
export class Quota {
  readonly #fullAtMs = new Map<string, number>();
  readonly #now: () => number;

  readonly #onSpent: (name: string, amount: number, rate: Rate) => void;

  /** `now` returns milliseconds; only differences count. `onSpent` is told of every amount, negative for a refund. */
  constructor(options: {
    now: () => number;
    onSpent?: (name: string, amount: number, rate: Rate) => void;
  }) {
    this.#now = options.now;
    this.#onSpent = options.onSpent ?? (() => undefined);
  }

  /** The number of buckets in memory. */
  get buckets(): number {
    return this.#fullAtMs.size;
  }

  /** Returns the milliseconds until anything may be spent; 0 means now. */
  waitMs(name: string, { perSecond }: Rate): number {
    const nowMs = this.#now();
    const fullAtMs = this.#fullAtMs.get(name) ?? nowMs;
    return Math.max(0, fullAtMs - ((perSecond - 1) / perSecond) * 1_000 - nowMs);
  }

  /** Spends an amount. Call it only when `waitMs` is 0. */
  spend(name: string, amount: number, rate: Rate): void {
    if (amount === 0) return;
    this.#take(name, amount, rate);
    this.#onSpent(name, amount, rate);
  }

  /** Takes in what another process has spent, or refunded, of the same quota. Its own wait was 0, ours need not be. */
  spentElsewhere(name: string, amount: number, rate: Rate): void {
    if (amount < 0) this.#giveBack(name, -amount, rate);
    else this.#take(name, amount, rate);
  }

  /** Gives back an amount that was spent for nothing. */
  refund(name: string, amount: number, rate: Rate): void {
    if (amount === 0) return;
    this.#giveBack(name, amount, rate);
    this.#onSpent(name, -amount, rate);
  }

  #take(name: string, amount: number, { perSecond }: Rate): void {
    const nowMs = this.#now();
    if (this.#fullAtMs.size >= BUCKETS_MAX && !this.#fullAtMs.has(name)) this.#forget(nowMs);
    const fromMs = Math.max(nowMs, this.#fullAtMs.get(name) ?? nowMs);
    this.#fullAtMs.set(name, fromMs + (amount / perSecond) * 1_000);
  }

  #giveBack(name: string, amount: number, { perSecond }: Rate): void {
    const fullAtMs = this.#fullAtMs.get(name);
    if (fullAtMs !== undefined) this.#fullAtMs.set(name, fullAtMs - (amount / perSecond) * 1_000);
  }

  #forget(nowMs: number): void {
    for (const [name, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(name);
  }
}
