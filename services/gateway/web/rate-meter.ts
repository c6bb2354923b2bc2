const WINDOW_MS = 5_000;

/** Measures events per second over the newest 5 s, from a total that only grows. */
export class RateMeter {
  #samples: { total: number; atMs: number }[] = [];

  record(sample: { total: number; atMs: number }): void {
    const last = this.#samples.at(-1);
    // Ten samples a second are enough, whatever the number of updates.
    const beforeLast = this.#samples.at(-2);
    if (last !== undefined && beforeLast !== undefined && last.atMs - beforeLast.atMs < 100) {
      this.#samples[this.#samples.length - 1] = sample;
    } else {
      this.#samples.push(sample);
    }
    this.#trim(sample.atMs);
  }

  at(nowMs: number): number {
    this.#trim(nowMs);
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.total === first.total) return 0;
    return ((last.total - first.total) * 1_000) / Math.max(1_000, nowMs - first.atMs);
  }

  reset(): void {
    this.#samples = [];
  }

  /** Drops old samples, but keeps one from before the window, from which the growth within it is computed. */
  #trim(nowMs: number): void {
    const begin = nowMs - WINDOW_MS;
    while (this.#samples.length > 1 && this.#samples[1]!.atMs <= begin) this.#samples.shift();
    const [only] = this.#samples;
    if (this.#samples.length === 1 && only !== undefined && only.atMs < begin) {
      this.#samples = [{ total: only.total, atMs: begin }];
    }
  }
}
