const TICK_MS = 10;

/**
 * Measures the time in which this process was let run: what a late timer shows that it was not (a paused machine, other
 * processes on its cores) counts no more than the timer's own period, twice. For bounds that a process keeps by timers.
 */
export class OwnTime implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #ms = 0;
  #tickedAtMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Milliseconds since it was made. */
  get ms(): number {
    this.#tick();
    return this.#ms;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#ms += Math.min(nowMs - this.#tickedAtMs, 2 * TICK_MS);
    this.#tickedAtMs = nowMs;
  }
}
