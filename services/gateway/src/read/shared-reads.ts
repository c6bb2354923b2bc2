interface Read<Result> {
  readonly result: Promise<Result>;
  readonly unneeded: AbortController;
  users: number;
}

/**
 * Reads that are done once for all who ask for the same while one is under way or waits for its turn. After a restart of the
 * gateway all clients of a run ask for the same pages at the same moment.
 */
export class SharedReads<Result> {
  readonly #reads = new Map<string, Read<Result>>();

  /**
   * Returns the result of the read called `name` that is under way, or begins it. Its signal aborts when all who wait for it
   * are gone.
   */
  async get(
    name: string,
    of: { gone: AbortSignal; read: (signal: AbortSignal) => Promise<Result> },
  ): Promise<Result> {
    const { gone, read } = of;
    let shared = this.#reads.get(name);
    if (shared === undefined) {
      const unneeded = new AbortController();
      shared = { result: read(unneeded.signal), unneeded, users: 0 };
      this.#reads.set(name, shared);
    }
    const joined = shared;
    joined.users += 1;
    let isIn = true;
    const leave = () => {
      if (!isIn) return;
      isIn = false;
      joined.users -= 1;
      if (joined.users > 0) return;
      if (this.#reads.get(name) === joined) this.#reads.delete(name);
      joined.unneeded.abort();
    };
    gone.addEventListener('abort', leave);
    if (gone.aborted) leave();
    try {
      return await joined.result;
    } finally {
      // What comes later is read anew, because the log has gone on.
      if (this.#reads.get(name) === joined) this.#reads.delete(name);
      gone.removeEventListener('abort', leave);
      leave();
    }
  }
}
