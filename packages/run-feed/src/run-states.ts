import type { DormantRun } from '@runlog/records/snapshot-record';
import { decodeSnapshot } from '@runlog/records/snapshot-record';
import type { RunHead, RunSnapshot } from '@runlog/schema/run/snapshot';
import { BufferShelves } from './buffer-shelves.ts';

/** Runs by `cluster/run/group`. It reads like a Map of whole states; `head` and `heads` wake no run. */
export interface ReadonlyRunStates extends ReadonlyMap<string, RunSnapshot> {
  head(key: string): RunHead | undefined;
  heads(): IterableIterator<[key: string, head: RunHead]>;
}

/**
 * The states of runs, in the order in which the runs began. A run that was restored from its snapshot sleeps until
 * somebody asks for its whole state. Mostly that is the fold, when the run's next event comes.
 */
export class RunStates implements ReadonlyRunStates {
  readonly #runs = new Map<string, RunSnapshot | Sleeper>();
  readonly #shelves = new BufferShelves({
    bytesOf: (key) => (this.#runs.get(key) as Sleeper).bytes,
    move: (key, own) => this.#runs.set(key, new Sleeper((this.#runs.get(key) as Sleeper).head, own)),
  });
  readonly #onUnreadable: (key: string) => void;

  /**
   * `onUnreadable` is told of a dormant run that could not be woken and was removed. Its checksum was right, so it was
   * forged.
   */
  constructor(onUnreadable: (key: string) => void = () => undefined) {
    this.#onUnreadable = onUnreadable;
  }

  get size(): number {
    return this.#runs.size;
  }

  /** The size of all buffers that dormant runs keep in memory. */
  get dormantBytes(): number {
    const buffers = new Set<ArrayBufferLike>();
    for (const run of this.#runs.values()) if (run instanceof Sleeper) buffers.add(run.bytes.buffer);
    let bytes = 0;
    for (const buffer of buffers) bytes += buffer.byteLength;
    return bytes;
  }

  has(key: string): boolean {
    return this.#runs.has(key);
  }

  get(key: string): RunSnapshot | undefined {
    const run = this.#runs.get(key);
    return run instanceof Sleeper ? this.#wake(key, run) : run;
  }

  head(key: string): RunHead | undefined {
    const run = this.#runs.get(key);
    return run instanceof Sleeper ? run.head : run;
  }

  *heads(): IterableIterator<[key: string, head: RunHead]> {
    for (const [key, run] of this.#runs) yield [key, run instanceof Sleeper ? run.head : run];
  }

  keys(): MapIterator<string> {
    return this.#runs.keys();
  }

  *values(): MapIterator<RunSnapshot> {
    for (const [, state] of this) yield state;
  }

  entries(): MapIterator<[string, RunSnapshot]> {
    return this[Symbol.iterator]();
  }

  *[Symbol.iterator](): MapIterator<[string, RunSnapshot]> {
    for (const [key, run] of this.#runs) {
      const state = run instanceof Sleeper ? this.#wake(key, run) : run;
      if (state !== undefined) yield [key, state];
    }
  }

  forEach(visit: (state: RunSnapshot, key: string, states: ReadonlyMap<string, RunSnapshot>) => void): void {
    for (const [key, state] of this) visit(state, key, this);
  }

  set(key: string, state: RunSnapshot): void {
    this.#unshelve(key);
    this.#runs.set(key, state);
  }

  setDormant(key: string, { head, bytes }: DormantRun): void {
    this.#unshelve(key);
    this.#runs.set(key, new Sleeper(head, bytes));
    this.#shelves.put(key, bytes);
  }

  delete(key: string): void {
    this.#unshelve(key);
    this.#runs.delete(key);
  }

  /** Call this after the last dormant run: until then its buffer may still be filling. */
  settle(): void {
    this.#shelves.settle();
  }

  #wake(key: string, run: Sleeper): RunSnapshot | undefined {
    const state = decodeSnapshot(run.bytes);
    if (state === null) {
      this.delete(key);
      this.#onUnreadable(key);
      return undefined;
    }
    this.set(key, state);
    return state;
  }

  /** Removes a run's bytes from their shelf, because the run is deleted, woken or given other bytes. */
  #unshelve(key: string): void {
    const run = this.#runs.get(key);
    if (run instanceof Sleeper) this.#shelves.take(key, run.bytes);
  }
}

/** This is a class so that `instanceof` tells it from a state. */
class Sleeper implements DormantRun {
  readonly head: RunHead;
  readonly bytes: Buffer;

  constructor(head: RunHead, bytes: Buffer) {
    this.head = head;
    this.bytes = bytes;
  }
}
