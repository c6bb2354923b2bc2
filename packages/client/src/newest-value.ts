/** A value that replaces the one before it, for readers that may be slower than it changes. */
export class NewestValue<Value> {
  #value: Value | undefined;
  #failure: Error | null = null;
  #isOver = false;
  #wake: (() => void) | null = null;

  set(value: Value): void {
    this.#value = value;
    this.#notify();
  }

  fail(failure: Error): void {
    this.#failure = failure;
    this.#notify();
  }

  end(): void {
    this.#isOver = true;
    this.#notify();
  }

  /** Yields the newest value, whenever there is one that was not yielded. Ends with `end`, and throws after `fail`. */
  async *values(): AsyncGenerator<Value> {
    while (!this.#isOver) {
      if (this.#failure !== null) throw this.#failure;
      const value = this.#value;
      if (value === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        this.#value = undefined;
        yield value;
      }
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
