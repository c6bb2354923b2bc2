/**
 * Bounds the bytes of snapshots that a process writes per second: with 10,000 active runs, a snapshot of each every 2 s
 * would be 200 MB/s. Snapshots beyond the budget wait for a later flush. Correctness never depends on how often
 * anything is flushed.
 */
export class SnapshotBudget {
  readonly #bytesPerSecond: number;
  #available: number;
  #atMs: number;

  /** One second's worth may be spent at once. */
  constructor(options: { bytesPerSecond: number; nowMs: number }) {
    this.#bytesPerSecond = options.bytesPerSecond;
    this.#available = options.bytesPerSecond;
    this.#atMs = options.nowMs;
  }

  /** Returns the bytes that may be spent now. A spender whose last snapshot exceeds them leaves a debt. */
  available(nowMs: number): number {
    const earned = (Math.max(0, nowMs - this.#atMs) / 1_000) * this.#bytesPerSecond;
    this.#available = Math.min(this.#bytesPerSecond, this.#available + earned);
    this.#atMs = nowMs;
    return this.#available;
  }

  spend(bytes: number): void {
    this.#available -= bytes;
  }
}
