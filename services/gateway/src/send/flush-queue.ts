/** What holds back until the end of a tick. */
export interface Flushable {
  flush(): void;
}

/** Flushes everything that was added in one tick when it is over. One callback of the event loop serves all of it. */
export class FlushQueue {
  #waiting: Flushable[] = [];
  readonly #atEndOfTick: (run: () => void) => void;

  constructor(atEndOfTick: (run: () => void) => void = setImmediate) {
    this.#atEndOfTick = atEndOfTick;
  }

  /** What is added twice is flushed twice. */
  add(flushable: Flushable): void {
    this.#waiting.push(flushable);
    if (this.#waiting.length === 1) this.#atEndOfTick(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  };
}
