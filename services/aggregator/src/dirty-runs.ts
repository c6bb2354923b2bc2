/** The range of a run's records that its stored snapshot, or its stored figures, lack. */
export interface Lack {
  /** An offset at or below the first record that it lacks. */
  readonly since: number;
  /** An offset above the last record that it lacks. */
  readonly through: number;
  /** When the first of these records was folded, in milliseconds since 1970. */
  readonly sinceMs: number;
}

/**
 * Runs of one partition whose state changed since it was stored, oldest first. The state is their snapshot or their figures.
 * The first record that the oldest lacks bounds the checkpoint.
 */
export class DirtyRuns {
  readonly #lacks = new Map<string, Lack>();

  /** Marks a run as dirty. A run that is already dirty keeps its place and the beginning of its lack. */
  mark(key: string, lack: Lack): void {
    const { since, sinceMs } = this.#lacks.get(key) ?? lack;
    this.#lacks.set(key, { since, sinceMs, through: lack.through });
  }

  get(key: string): Lack | undefined {
    return this.#lacks.get(key);
  }

  take(key: string): void {
    this.#lacks.delete(key);
  }

  /** Yields the dirty runs, oldest first. */
  entries(): IterableIterator<[key: string, lack: Lack]> {
    return this.#lacks.entries();
  }

  get size(): number {
    return this.#lacks.size;
  }

  /**
   * Returns the checkpoint: everything below it is in what is stored, given that the partition is folded up to
   * `folded`.
   */
  checkpoint(folded: number): number {
    // Runs are marked in the order of folding, so the first one lacks the lowest offset.
    for (const { since } of this.#lacks.values()) return Math.min(since, folded);
    return folded;
  }
}
