/** Time as the gateway's parts see it: a wall clock in milliseconds and timers that can be cancelled. */
export interface Clock {
  now(): number;
  /** Calls `run` once after the delay; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Node's timers; `now` is handed in so that a service has one source of time. */
export function systemClock(now: () => number): Clock {
  return {
    now,
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  };
}
