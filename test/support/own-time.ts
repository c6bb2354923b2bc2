const TICK_MS = 10;

/**
 * Measures the time for which this process was allowed to run. If a timer fires late, the process was not running (a
 * paused machine, or other processes on its cores), and the interval counts as at most twice the timer's period. Use it
 * for bounds that a process keeps by timers.
 */
export class OwnTime implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #ms = 0;
  #tickedAtMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** The milliseconds of own time since this was made. */
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
