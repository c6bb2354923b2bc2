import { KnownEpisodes } from '@runlog/run-state/known-episodes';
import { EVENTS_PAGE_LOG_BYTES_MAX } from '@runlog/schema/limits';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { type OffsetRange, PartitionReader } from './partition-reader.ts';
import { type PastEvent, pastEvent } from './past-event.ts';
import { ownTurn } from './turns.ts';

/** The most records of a window before the size of records here is known. If it turns out too large, it was read in vain. */
const RECORDS_MAX_AT_FIRST = 1_000;
/** A window is so much larger than what it is expected to need. */
const RESERVE = 1.25;
const RESERVE_RECORDS = 16;
/** An engine of the log answers with about so many bytes at once, whatever is needed of them. */
const ANSWER_BYTES = 1024 * 1024;
/** A window that turns out to be too large is made anew to take this part of what is left. */
const FITTING = 0.75;
/** Others are served after so many events, which take some milliseconds. */
const DECODED_AT_ONCE = 100;

/** The events of a run in a range of offsets. */
export interface Window {
  readonly events: readonly PastEvent[];
  readonly from: number;
  /** The records, of all runs, from there to the window's end. */
  readonly records: number;
}

/** Reads the log for one page of a run's events, within the bounds of a page. */
export class PageReading implements AsyncDisposable {
  readonly known: KnownEpisodes;
  /** The run's first record that the log still has, or an offset below it. */
  readonly oldest: number;
  /** Where the run ends, as far as it is folded. */
  readonly end: number;
  readonly #state: RunSnapshot;
  readonly #reader: PartitionReader;
  readonly #isLate: () => boolean;
  readonly #signal: AbortSignal;
  #reservedBytes = ANSWER_BYTES;

  constructor(
    io: TopicIo,
    options: {
      state: RunSnapshot;
      topic: string;
      partition: number;
      oldest: number;
      end: number;
      isLate: () => boolean;
      signal: AbortSignal;
    },
  ) {
    this.#state = options.state;
    this.#reader = new PartitionReader(io, { ...options, key: formatRunKey(options.state) });
    this.#isLate = options.isLate;
    this.#signal = options.signal;
    this.known = new KnownEpisodes(options.state);
    this.oldest = options.oldest;
    this.end = options.end;
  }

  /** The bytes of the log that were read so far. */
  get bytes(): number {
    return this.#reader.bytes;
  }

  /** Whether the page may not read any more, apart from what it reserves. */
  get isSpent(): boolean {
    return this.#left() < ANSWER_BYTES || this.#isLate() || this.#signal.aborted;
  }

  /** Lets the page read what it has reserved for the way to a place where the episode is known. */
  release(): void {
    this.#reservedBytes = 0;
  }

  /** Yields the run's events of a range as they are read. */
  async *read(range: OffsetRange): AsyncGenerator<{ events: readonly PastEvent[]; nextOffset: number }> {
    for await (const { records, nextOffset } of this.#reader.read(range)) {
      const events: PastEvent[] = [];
      for (const [index, record] of records.entries()) {
        if (index > 0 && index % DECODED_AT_ONCE === 0) await ownTurn();
        const event = pastEvent(record, this.#state);
        if (event !== null) events.push(event);
      }
      yield { events, nextOffset };
    }
  }

  /**
   * Reads the window of so many records that ends at `to`. It is smaller if the page may not read so much. Returns null if
   * the page may not read it at all, or on abort. With `isFirst` it reads one record at least, because every page must get
   * on.
   */
  async window(wanted: { to: number; records: number; isFirst?: boolean }): Promise<Window | null> {
    const { to, isFirst = false } = wanted;
    let records = Math.max(1, Math.min(wanted.records, this.#recordsThatFit() ?? RECORDS_MAX_AT_FIRST));
    for (;;) {
      const from = Math.max(this.oldest, to - records);
      const window = await this.#readWindow({ from, to });
      if (window !== 'too_large') return window;
      if (this.isSpent && !isFirst) return null;
      records = Math.max(1, Math.min(this.#recordsThatFit() ?? 1, Math.floor((to - from) / 2)));
    }
  }

  /** Estimates how many records below an offset hold so many events of the run. */
  recordsHolding(events: number, { before }: { before: number }): number {
    const { landmarks, first_seq, position, total_events_received, duplicates } = this.#state;
    const index = landmarks.findLastIndex(([seq]) => seq < before);
    const distinct = total_events_received - duplicates;
    const [fromSeq, fromOrdinal] = landmarks[index] ?? [first_seq, 1];
    const [toSeq, toOrdinal] = landmarks[index + 1] ?? [position.seq + 1, distinct + 1];
    const recordsAnEvent = Math.max(1, (toSeq - fromSeq) / Math.max(1, toOrdinal - fromOrdinal));
    return Math.ceil(events * recordsAnEvent * RESERVE) + RESERVE_RECORDS;
  }

  async #readWindow({ from, to }: OffsetRange): Promise<Window | 'too_large' | null> {
    const events: PastEvent[] = [];
    let nextOffset = from;
    for await (const part of this.read({ from, to })) {
      events.push(...part.events);
      nextOffset = part.nextOffset;
      if (nextOffset < to && to - nextOffset > (this.#recordsThatFit() ?? 0) && to - from > 1)
        return 'too_large';
    }
    if (this.#signal.aborted) return null;
    return { events, from, records: to - from };
  }

  /** The records that can still be read, by the size of those that were. Null if none was. */
  #recordsThatFit(): number | null {
    const { bytes, offsets } = this.#reader;
    if (bytes === 0) return null;
    // The last answer holds more than is needed of it.
    const left = Math.max(0, this.#left() - ANSWER_BYTES);
    return Math.floor((left * FITTING * offsets) / bytes);
  }

  #left(): number {
    return EVENTS_PAGE_LOG_BYTES_MAX - this.#reservedBytes - this.bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }
}
