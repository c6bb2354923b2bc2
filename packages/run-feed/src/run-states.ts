import type { DormantRun } from '@runlog/records/snapshot-record';
import { decodeSnapshot } from '@runlog/records/snapshot-record';
import type { RunHead, RunSnapshot } from '@runlog/schema/run/snapshot';
import { type KeptBytes, unpacked } from './packed-bytes.ts';
import { PackingQueue } from './packing-queue.ts';

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
  readonly #packing = new PackingQueue((key, bytes) => {
    (this.#runs.get(key) as Sleeper).bytes = bytes;
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

  /** The bytes that dormant runs keep in memory, including the buffers of those that are not packed yet. */
  get dormantBytes(): number {
    const buffers = new Set<ArrayBufferLike>();
    let bytes = 0;
    for (const run of this.#runs.values()) {
      if (!(run instanceof Sleeper)) continue;
      if (Buffer.isBuffer(run.bytes)) buffers.add(run.bytes.buffer);
      else bytes += run.bytes.size;
    }
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
    this.#packing.take(key);
    this.#runs.set(key, state);
  }

  setDormant(key: string, { head, bytes }: DormantRun): void {
    this.#packing.take(key);
    this.#runs.set(key, new Sleeper(head, bytes));
    this.#packing.put(key, bytes);
  }

  delete(key: string): void {
    this.#packing.take(key);
    this.#runs.delete(key);
  }

  /** Call this after the last dormant run: those that wait are packed then. */
  settle(): void {
    this.#packing.settle();
  }

  #wake(key: string, run: Sleeper): RunSnapshot | undefined {
    const state = decodeSnapshot(unpacked(run.bytes));
    if (state === null) {
      this.delete(key);
      this.#onUnreadable(key);
      return undefined;
    }
    this.set(key, state);
    return state;
  }
}

/** This is a class so that `instanceof` tells it from a state. */
class Sleeper {
  readonly head: RunHead;
  bytes: KeptBytes;

  constructor(head: RunHead, bytes: KeptBytes) {
    this.head = head;
    this.bytes = bytes;
  }
}
