/**
 * Lets one of all that wait go on in each turn of the event loop. What several readers of the log do in pieces would
 * otherwise be done in the same turn, one piece of each, before anybody else is served.
 */
class Turns {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#step);
    });
  }

  readonly #step = (): void => {
    const resolve = this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#step);
    resolve?.();
  };
}

/** There is one event loop, and so one queue for it. */
const turns = new Turns();

/** Resolves in a later turn of the event loop, which nobody else who asked here shares. */
export function ownTurn(): Promise<void> {
  return turns.next();
}
