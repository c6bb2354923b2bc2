import { CHECKPOINT_KEY } from '@runlog/records/checkpoint-record';
import { lastingIterator } from '@runlog/topic-io/lasting-iterator';
import {
  type FetchAnswered,
  type Fetched,
  type ReaderOptions,
  TopicIoError,
  type TopicReader,
} from '@runlog/topic-io/topic-io';
import type { SimulatedPartition } from './simulated-partition.ts';
import type { Connection } from './simulated-topic-io.ts';

const RETRY_MS = 300;
/** A long poll that has nothing to tell is answered after so long, which only those notice who want to know. */
const LONG_POLL_MS = 700;

interface Position {
  offset: number;
  answered: boolean;
  /** The keys for which it has given a value, and no tombstone since. */
  readonly alive: Set<string>;
  /** The partition that it reads from; null if not known yet. The topic may be deleted and made anew. */
  source: SimulatedPartition | null;
}

/**
 * Reads when asked, a few records at a time, with one fetch in flight. Records that were fetched for a removed position
 * are dropped.
 */
export class SimulatedReader implements TopicReader {
  readonly #connection: Connection;
  readonly #topic: string;
  readonly #key: string | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onFault: ((fault: TopicIoError | null) => void) | undefined;
  readonly #onAnswer: ((answer: FetchAnswered) => void) | undefined;
  readonly #positions = new Map<number, Position>();
  readonly #watched = new Map<number, { at: SimulatedPartition; stop: () => void }>();
  readonly #onAbort = (): void => this.#close();
  #wake: (() => void) | null = null;
  #closed = false;
  #hasFault = false;
  readonly #iterator = lastingIterator<Fetched>(() => this.#next());

  constructor(connection: Connection, options: ReaderOptions) {
    this.#connection = connection;
    this.#topic = options.topic;
    this.#key = options.key;
    this.#signal = options.signal;
    this.#onFault = options.onFault;
    this.#onAnswer = options.onAnswer;
    connection.resources.add(this);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted === true) this.#close();
  }

  add({ partition, offset }: { partition: number; offset: number }): void {
    if (this.#closed) return;
    const source = this.#connection.known.get(`${this.#topic}/${partition}`) ?? null;
    this.#positions.set(partition, { offset, answered: false, alive: new Set(), source });
    this.#watch(partition);
    this.#wake?.();
  }

  remove(partition: number): void {
    this.#positions.delete(partition);
    this.#watched.get(partition)?.stop();
    this.#watched.delete(partition);
  }

  [Symbol.asyncIterator](): AsyncIterator<Fetched> {
    return this.#iterator;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
    this.#positions.clear();
    this.#connection.resources.delete(this);
    this.#wake?.();
  }

  async #next(): Promise<IteratorResult<Fetched>> {
    while (!this.#closed) {
      const due = this.#due();
      if (due === null) {
        await this.#change();
        continue;
      }
      const fetched = await this.#fetch(due);
      if (fetched === null || this.#closed) continue;
      const position = this.#positions.get(due);
      // The partition moves to the end of the order, so that the others are served first.
      this.#positions.delete(due);
      if (fetched.kind === 'records') this.#positions.set(due, position!);
      return { done: false, value: fetched };
    }
    return { done: true, value: undefined };
  }

  async #change(): Promise<void> {
    let cancel: (() => void) | null = null;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#onAnswer === undefined) return;
      cancel = this.#connection.process.clock.after(LONG_POLL_MS, () => void this.#poll().finally(resolve));
    });
    (cancel as (() => void) | null)?.();
    this.#wake = null;
  }

  /** Asks whether the log is well, and says so for every partition. */
  async #poll(): Promise<void> {
    const { network, process } = this.#connection;
    try {
      await network.ask(process, () => null);
    } catch {
      return;
    }
    this.#answered();
  }

  /** A broker answers for every partition that it was asked about. */
  #answered(): void {
    if (this.#onAnswer === undefined) return;
    for (const partition of this.#positions.keys()) {
      const stableEnd = this.#connection.log.partition(this.#topic, partition)?.stableEnd;
      if (stableEnd !== undefined) this.#onAnswer({ partition, stableEnd, highWatermark: stableEnd });
    }
  }

  /** Does the long poll: returns the first partition that has news. */
  #due(): number | null {
    const { log } = this.#connection;
    for (const [partition, { offset, answered }] of this.#positions) {
      const at = log.partition(this.#topic, partition);
      if (at === null || !answered || offset !== at.stableEnd) return partition;
      this.#watch(partition);
    }
    return null;
  }

  async #fetch(partition: number): Promise<Fetched | null> {
    const { log, network, process, limits } = this.#connection;
    const position = this.#positions.get(partition);
    if (position === undefined) return null;
    const requestedOffset = position.offset;
    let fetched: Fetched;
    const pauseMsMax = limits.pauseMsMax();
    if (pauseMsMax > 0) await this.#connection.pause(process.random.between(0, pauseMsMax));
    try {
      fetched = await network.ask(process, (): Fetched => {
        const at = log.partition(this.#topic, partition);
        if (at === null) {
          throw new TopicIoError('unavailable', `there is no partition ${partition} of topic ${this.#topic}`);
        }
        const { startOffset, stableEnd } = at;
        if (requestedOffset < startOffset || requestedOffset > stableEnd) {
          // The process now knows this partition.
          this.#connection.known.set(`${at.topic}/${at.index}`, at);
          return { kind: 'out_of_range', partition, requestedOffset, startOffset, stableEnd };
        }
        this.#notice(position, at);
        const recordsMax = process.random.integer(1, limits.recordsMax);
        const read = at.read(requestedOffset, { recordsMax, bytesMax: limits.bytesMax });
        const records = read.records.filter(({ key }) => this.#key === undefined || key === this.#key);
        return { kind: 'records', partition, ...read, records, stableEnd, startOffset };
      });
    } catch (error) {
      if (this.#closed) return null;
      this.#faulty(error as TopicIoError);
      await this.#connection.pause(RETRY_MS);
      return null;
    }
    if (this.#positions.get(partition) !== position) return null;
    this.#faulty(null);
    this.#answered();
    this.#watch(partition);
    if (fetched.kind === 'records') {
      this.#lookForBuried(partition, position);
      if (this.#topic.includes('snapshots')) this.#rememberCheckpoint(fetched, position);
      position.offset = fetched.nextOffset;
      for (const { key, value } of fetched.records) {
        if (value === null) position.alive.delete(key);
        else position.alive.add(key);
      }
    }
    position.answered = true;
    return fetched;
  }

  /**
   * Notes a tombstone that was removed before a slow reader reached it. The reader keeps the value that it read before.
   */
  #lookForBuried(partition: number, { offset, alive }: Position): void {
    const { log } = this.#connection;
    for (const [key, at] of log.partition(this.#topic, partition)?.buried ?? []) {
      if (at >= offset && alive.has(key)) log.reached('a reader misses a tombstone');
    }
  }

  #faulty(fault: TopicIoError | null): void {
    if ((fault !== null) === this.#hasFault) return;
    this.#hasFault = fault !== null;
    this.#onFault?.(fault);
  }

  #watch(partition: number): void {
    const at = this.#connection.log.partition(this.#topic, partition);
    const watched = this.#watched.get(partition);
    if (at === null || watched?.at === at) return;
    watched?.stop();
    this.#watched.set(partition, { at, stop: at.onChange(() => this.#wake?.()) });
  }

  #rememberCheckpoint(fetched: Extract<Fetched, { kind: 'records' }>, { answered }: Position): void {
    const { restored } = this.#connection;
    const { partition } = fetched;
    restored.topic = this.#topic;
    if (!answered) restored.next.set(partition, null);
    const checkpoint = fetched.records.findLast(({ key }) => key === CHECKPOINT_KEY)?.value;
    if (checkpoint)
      restored.next.set(partition, Number(/"next":(\d+)/.exec(checkpoint.toString('utf8'))?.[1]));
  }

  /**
   * Notes that the topic was made anew and has grown past the reader's position, so that it looks like the one before.
   */
  #notice(position: Position, at: SimulatedPartition): void {
    const { log, known } = this.#connection;
    if (position.source !== null && position.source !== at) log.unnoticed(at);
    else if (!position.answered) {
      const { topic, next } = this.#connection.restored;
      log.begun({ at, offset: position.offset, restored: { topic, next: next.get(at.index) ?? null } });
    }
    position.source = at;
    known.set(`${at.topic}/${at.index}`, at);
  }
}
