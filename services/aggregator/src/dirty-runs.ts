/** The range of a run's records that its stored snapshot lacks. */
export interface Lack {
  /** An offset at or below the first record it lacks. */
  readonly since: number;
  /** An offset above the last record it lacks. */
  readonly through: number;
}

/**
 * Runs of one partition that changed since their snapshot was written, oldest first. What the oldest lacks bounds the
 * checkpoint.
 */
export class DirtyRuns {
  readonly #lacks = new Map<string, Lack>();

  /** A run that is dirty already keeps its place and where its lack begins. */
  mark(key: string, lack: Lack): void {
    const since = this.#lacks.get(key)?.since ?? lack.since;
    this.#lacks.set(key, { since, through: lack.through });
  }

  take(key: string): void {
    this.#lacks.delete(key);
  }

  /** Oldest first. */
  entries(): IterableIterator<[key: string, lack: Lack]> {
    return this.#lacks.entries();
  }

  get size(): number {
    return this.#lacks.size;
  }

  /** Everything below it is in the stored snapshots, given that the partition is folded up to `folded`. */
  checkpoint(folded: number): number {
    // Marked in order of folding, so the first lacks the lowest.
    for (const { since } of this.#lacks.values()) return Math.min(since, folded);
    return folded;
  }
}
