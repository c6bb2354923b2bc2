/**
 * Runs of one partition that changed since their snapshot was written, oldest first, each with the offset of the
 * first record its stored snapshot lacks. The lowest of them bounds the checkpoint.
 */
export class DirtyRuns {
  readonly #since = new Map<string, number>();

  /** `since`: an offset at or below the first record that changed the run. Known runs keep their place and offset. */
  mark(key: string, since: number): void {
    if (!this.#since.has(key)) this.#since.set(key, since);
  }

  take(key: string): void {
    this.#since.delete(key);
  }

  /** Oldest first. */
  keys(): IterableIterator<string> {
    return this.#since.keys();
  }

  get size(): number {
    return this.#since.size;
  }

  /** Everything below it is in the stored snapshots, given that the partition is folded up to `folded`. */
  checkpoint(folded: number): number {
    // Marked in order of folding, so the first is the lowest.
    for (const since of this.#since.values()) return Math.min(since, folded);
    return folded;
  }
}
