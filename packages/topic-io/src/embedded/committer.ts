import type { Logger } from '../logger.ts';
import { TopicIoError } from '../topic-io.ts';
import { Stage } from './stage.ts';
import type { EmbeddedStore } from './store.ts';

/** Something to write. It is staged in the order of arrival, then written together with its neighbours. */
export interface Work {
  readonly bytes: number;
  /** Is true if the work makes room, so that it may use the reserve that appends may not. */
  readonly freeing?: boolean;
  /** Throws a `TopicIoError` if this work alone is to be refused; then it must not have staged anything. */
  stage(stage: Stage): void;
  /** Is called once, with null when the work is on disk. */
  settle(fault: TopicIoError | null): void;
}

const transactionBytesMax = 16 * 1024 * 1024;

/** Commits in groups: one transaction at a time, made of everything that arrived while the one before was written. */
export class Committer {
  readonly #store: EmbeddedStore;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #onWritten: (stage: Stage) => void;
  #queue: Work[] = [];
  #running: Promise<void> | null = null;
  #isFull = false;
  #closed = false;

  constructor(options: {
    store: EmbeddedStore;
    logger: Logger;
    now: () => number;
    onWritten: (stage: Stage) => void;
  }) {
    this.#store = options.store;
    this.#logger = options.logger;
    this.#now = options.now;
    this.#onWritten = options.onWritten;
  }

  get closed(): boolean {
    return this.#closed;
  }

  submit(work: Work): void {
    if (this.#closed) {
      work.settle(closedFault());
      return;
    }
    this.#queue.push(work);
    this.#running ??= this.#run();
  }

  /** Does the same as `submit`, and resolves to the result of `stage`. */
  async write<T>(stage: (stage: Stage) => T, options: { freeing?: boolean } = {}): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      let result: { value: T } | undefined;
      this.submit({
        bytes: 1_024,
        freeing: options.freeing ?? false,
        stage: (staged) => {
          result = { value: stage(staged) };
        },
        settle: (fault) => {
          if (fault !== null || result === undefined) reject(fault);
          else resolve(result.value);
        },
      });
    });
  }

  /** Accepts nothing more, and resolves when everything accepted is settled. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Everything that arrives in this turn of the event loop goes into the first transaction.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) await this.#writeNext();
    } finally {
      this.#running = null;
    }
  }

  async #writeNext(): Promise<void> {
    this.#store.refresh();
    const stage = new Stage({ store: this.#store, nowMs: this.#now() });
    const staged = this.#stageQueue(stage);
    if (staged.length === 0) return;
    const fault = await this.#write(stage, { freeing: staged.every((work) => work.freeing === true) });
    if (fault === null) {
      this.#store.refresh();
      this.#onWritten(stage);
    }
    for (const work of staged) work.settle(fault);
  }

  #stageQueue(stage: Stage): Work[] {
    const staged: Work[] = [];
    let bytes = 0;
    let taken = 0;
    for (const work of this.#queue) {
      if (taken > 0 && bytes + work.bytes > transactionBytesMax) break;
      taken += 1;
      bytes += work.bytes;
      const stagedBefore = stage.changes.length;
      try {
        work.stage(stage);
        staged.push(work);
      } catch (error) {
        if (!(error instanceof TopicIoError)) throw error;
        work.settle(error);
        if (stage.changes.length === stagedBefore) continue;
        // It met a damaged row half-way, and a part of it must not be written.
        for (const other of staged.splice(0)) other.settle(error);
        break;
      }
    }
    this.#queue = this.#queue.slice(taken);
    return staged;
  }

  async #write(stage: Stage, options: { freeing: boolean }): Promise<TopicIoError | null> {
    if (stage.changes.length === 0) return null;
    const outcome = await this.#store.write(stage.changes, options);
    switch (outcome.kind) {
      case 'written':
        if (this.#isFull && !options.freeing) {
          this.#isFull = false;
          this.#logger.info({}, 'the embedded log has room again');
        }
        return null;
      case 'full':
        if (!this.#isFull) this.#logger.error({ reason: outcome.message }, 'the embedded log is full');
        this.#isFull = true;
        return new TopicIoError('storage_full', outcome.message);
      case 'failed':
        this.#logger.error({ err: outcome.cause }, 'writing the embedded log failed');
        return new TopicIoError('unavailable', 'writing the embedded log failed', { cause: outcome.cause });
      case 'broken':
        this.#logger.error(
          { err: outcome.cause },
          'the embedded log cannot be written any more; check the disk, restart',
        );
        return new TopicIoError(
          'unusable',
          'the embedded log cannot be written any more; check the disk, restart',
          {
            cause: outcome.cause,
          },
        );
      default:
        return outcome satisfies never;
    }
  }
}

export function closedFault(): TopicIoError {
  return new TopicIoError('closed', 'the embedded log is closed');
}
