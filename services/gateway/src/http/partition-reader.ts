import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';

/** Offsets of one partition: `from` is inclusive, `to` exclusive. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/** A part of a range, as far as it has been read. */
export interface RangeRead {
  readonly records: readonly LogRecord[];
  /** Is above the offset that was to come next if retention has deleted what was there. */
  readonly from: number;
  /** Every offset of the range below it has been read. */
  readonly nextOffset: number;
}

/** Reads ranges of one partition, one after the other, and counts what it has read of the log. */
export class PartitionReader implements AsyncDisposable {
  readonly #reader: ReturnType<TopicIo['reader']>;
  readonly #partition: number;
  /** Keys and values of all records that were read, also of those behind the range that was asked for. */
  bytes = 0;
  /** The offsets that they take. */
  offsets = 0;

  constructor(io: TopicIo, options: { topic: string; partition: number; signal: AbortSignal }) {
    this.#reader = io.reader({ topic: options.topic, signal: options.signal });
    this.#partition = options.partition;
  }

  /**
   * Yields the range until it is read or the caller has enough. Where retention has deleted the beginning of the range, it
   * continues with what is left. It ends early on abort.
   */
  async *read({ from, to }: OffsetRange): AsyncGenerator<RangeRead> {
    if (from >= to) return;
    const partition = this.#partition;
    let offset = from;
    this.#reader.add({ partition, offset });
    try {
      for await (const fetched of this.#reader) {
        if (fetched.kind === 'out_of_range') {
          if (fetched.startOffset >= to || fetched.startOffset <= offset) return;
          offset = fetched.startOffset;
          this.#reader.add({ partition, offset });
          continue;
        }
        for (const { key, value } of fetched.records) this.bytes += key.length + (value?.length ?? 0);
        this.offsets += fetched.nextOffset - offset;
        const nextOffset = Math.min(fetched.nextOffset, to);
        yield { records: fetched.records.filter((record) => record.offset < to), from: offset, nextOffset };
        offset = fetched.nextOffset;
        if (offset >= to || offset >= fetched.stableEnd) return;
      }
    } finally {
      this.#reader.remove(partition);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }
}
