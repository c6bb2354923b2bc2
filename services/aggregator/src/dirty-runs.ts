/** The range of a run's records that its stored snapshot lacks. */
export interface Lack {
  /** An offset at or below the first record that it lacks. */
  readonly since: number;
  /** An offset above the last record that it lacks. */
  readonly through: number;
}

/**
 * Runs of one partition that changed since their snapshot was written, oldest first. The first record that the oldest
 * lacks bounds the checkpoint.
 */
export class DirtyRuns {
  readonly #lacks = new Map<string, Lack>();

  /** Marks a run as dirty. A run that is already dirty keeps its place and the beginning of its lack. */
  mark(key: string, lack: Lack): void {
    const since = this.#lacks.get(key)?.since ?? lack.since;
    this.#lacks.set(key, { since, through: lack.through });
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
   * Returns the checkpoint: everything below it is in the stored snapshots, given that the partition is folded up to
   * `folded`.
   */
  checkpoint(folded: number): number {
    // Runs are marked in the order of folding, so the first one lacks the lowest offset.
    for (const { since } of this.#lacks.values()) return Math.min(since, folded);
    return folded;
  }
}
