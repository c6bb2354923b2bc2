import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lastingIterator } from '../lasting-iterator.ts';
import { type FetchAnswered, type Fetched, TopicIoError, type TopicReader } from '../topic-io.ts';
import type { LogView } from './view.ts';

interface Position {
  offset: number;
  /** An answer ends there. */
  readonly to: number;
  answered: boolean;
}

/** A reader that waits for commits looks so often on its own, if somebody wants to know that the log is well. */
const LOOK_INTERVAL_MS = 500;
const answerLimits = { recordsMax: 1_000, bytesMax: 1024 * 1024 };

/**
 * Reads from the memory map when asked; nothing is fetched ahead. In the owner's process it waits for the owner's
 * commits. Beside an owner in another process it polls every `pollIntervalMs`, but only while somebody waits.
 */
export class EmbeddedReader implements TopicReader {
  readonly #view: LogView;
  readonly #topic: string;
  readonly #key: string | null;
  readonly #signal: AbortSignal | undefined;
  readonly #onFault: ((fault: TopicIoError | null) => void) | undefined;
  readonly #onAnswer: ((answer: FetchAnswered) => void) | undefined;
  readonly #onDispose: (reader: EmbeddedReader) => void;
  readonly #pollIntervalMs: number | null;
  /** The positions, in the order in which they are served next. */
  readonly #positions = new Map<number, Position>();
  readonly #onAbort = (): void => this.#close();
  readonly #stopListening: () => void;
  #wake: (() => void) | null = null;
  #hasRead = false;
  #hasFault = false;
  #closed = false;
  readonly #iterator = lastingIterator<Fetched>(() => this.#next());

  constructor(options: {
    view: LogView;
    topic: string;
    /** Is null if records of all keys are read. */
    key: string | null;
    signal: AbortSignal | undefined;
    onFault: ((fault: TopicIoError | null) => void) | undefined;
    onAnswer: ((answer: FetchAnswered) => void) | undefined;
    onDispose: (reader: EmbeddedReader) => void;
    /** Is null if commits of this process wake the reader. */
    pollIntervalMs: number | null;
  }) {
    this.#view = options.view;
    this.#topic = options.topic;
    this.#key = options.key;
    this.#signal = options.signal;
    this.#onFault = options.onFault;
    this.#onAnswer = options.onAnswer;
    this.#onDispose = options.onDispose;
    this.#pollIntervalMs = options.pollIntervalMs;
    this.#stopListening = options.view.follow(options.topic, {
      changed: () => this.#wake?.(),
      positionOf: (partition) => this.#positions.get(partition)?.offset ?? null,
    });
    // One signal may stop many readers, one for each partition. Every reader removes its listener again.
    if (this.#signal !== undefined) setMaxListeners(0, this.#signal);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted === true) this.#close();
  }

  add({
    partition,
    offset,
    to = Number.POSITIVE_INFINITY,
  }: {
    partition: number;
    offset: number;
    to?: number;
  }): void {
    this.#positions.set(partition, { offset, to, answered: false });
    this.#wake?.();
  }

  remove(partition: number): void {
    this.#positions.delete(partition);
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
    this.#stopListening();
    this.#positions.clear();
    this.#onDispose(this);
    this.#wake?.();
  }

  async #next(): Promise<IteratorResult<Fetched>> {
    // A reader that is catching up must not keep others from the event loop.
    if (this.#hasRead) await nextTurn();
    this.#hasRead = false;
    while (!this.#closed) {
      const fetched = this.#fetch();
      if (fetched !== null) {
        this.#hasRead = fetched.kind === 'records' && fetched.bytes > 0;
        return { done: false, value: fetched };
      }
      await this.#change();
    }
    return { done: true, value: undefined };
  }

  async #change(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waitMs = this.#pollIntervalMs ?? (this.#onAnswer === undefined ? null : LOOK_INTERVAL_MS);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (waitMs !== null) timer = setTimeout(resolve, waitMs);
    });
    clearTimeout(timer);
    this.#wake = null;
  }

  /** Returns the records of the first partition that has news, or null. */
  #fetch(): Fetched | null {
    this.#view.refresh();
    let missing: TopicIoError | null = null;
    for (const [partition, position] of this.#positions) {
      const fetched = this.#fetchPartition(partition, position);
      if (fetched === 'missing') {
        missing = new TopicIoError(
          'unavailable',
          `there is no partition ${partition} of topic ${this.#topic}`,
        );
      } else if (fetched !== null) {
        // The partition moves to the end of the order, so that the others are served first.
        this.#positions.delete(partition);
        if (fetched.kind === 'records') this.#positions.set(partition, position);
        return fetched;
      }
    }
    if ((missing !== null) !== this.#hasFault) {
      this.#hasFault = missing !== null;
      this.#onFault?.(missing);
    }
    return null;
  }

  #fetchPartition(partition: number, position: Position): Fetched | 'missing' | null {
    const place = this.#view.find(this.#topic, partition);
    if (place === null) return 'missing';
    const { startOffset, stableEnd } = place.bounds;
    this.#onAnswer?.({ partition, stableEnd, highWatermark: stableEnd });
    if (position.offset < startOffset || position.offset > stableEnd) {
      return { kind: 'out_of_range', partition, requestedOffset: position.offset, startOffset, stableEnd };
    }
    if (position.answered && position.offset === stableEnd) return null;
    const { offset, to } = position;
    const left = offset < to ? to - offset : Number.POSITIVE_INFINITY;
    const recordsMax = Math.min(left, answerLimits.recordsMax);
    const limits = { fromOffset: offset, ...answerLimits, recordsMax };
    const read = this.#view.read(place, limits, this.#key);
    position.offset = read.nextOffset;
    position.answered = true;
    this.#view.passed(place);
    return { kind: 'records', partition, ...read, stableEnd, startOffset };
  }
}
