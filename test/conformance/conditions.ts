import { setTimeout as delay } from 'node:timers/promises';

/** Waits for conditions that are looked at again whenever something has changed. */
export class Conditions {
  readonly #msMax: number;
  readonly #waiting = new Set<() => void>();
  #failure: string | null = null;

  constructor(msMax: number) {
    this.#msMax = msMax;
  }

  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Nothing will come true any more. */
  fail(reason: string): void {
    this.#failure ??= reason;
    this.changed();
  }

  /** Rejects if it does not come true in time. */
  until(holds: () => boolean, awaited: string | { what: string; msMax: number }): Promise<void> {
    const { what, msMax } = typeof awaited === 'string' ? { what: awaited, msMax: this.#msMax } : awaited;
    return new Promise((resolve, reject) => {
      const over = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        act();
      };
      const look = () => {
        if (holds()) over(resolve);
        else if (this.#failure !== null) over(() => reject(new Error(this.#failure!)));
      };
      const timer = setTimeout(() => over(() => reject(new Error(`waited ${msMax} ms for ${what}`))), msMax);
      this.#waiting.add(look);
      look();
    });
  }

  /** Lets time pass in which something must not happen. There is no condition for that. */
  async pause(ms: number): Promise<void> {
    await delay(ms);
    if (this.#failure !== null) throw new Error(this.#failure);
  }
}
