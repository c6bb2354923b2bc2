import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { ownTurn } from './turns.ts';

const PART_RECORDS_MAX = 1_000;

/** Offsets of one partition: `from` is inclusive, `to` exclusive. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/** A part of a range, as far as it has been read. */
export interface RangeRead {
  /** The records of the key. */
  readonly records: readonly LogRecord[];
  /** Is above the offset that was to come next if retention has deleted what was there. */
  readonly from: number;
  /** Every offset of the range below it has been read. */
  readonly nextOffset: number;
}

/** Reads the records of one key in ranges of its partition, one after the other, and counts what it has read of the log. */
export class PartitionReader implements AsyncDisposable {
  readonly #reader: ReturnType<TopicIo['reader']>;
  readonly #partition: number;
  /** The size of all records that were read, also of other keys and of those behind the range that was asked for. */
  bytes = 0;
  /** The offsets that they take. */
  offsets = 0;

  constructor(io: TopicIo, options: { topic: string; partition: number; key: string; signal: AbortSignal }) {
    const { topic, partition, key, signal } = options;
    this.#reader = io.reader({ topic, key, signal, passesUnreadable: true });
    this.#partition = partition;
  }

  /**
   * Yields the range until it is read or the caller has enough. Where retention has deleted the beginning of the range, it
   * continues with what is left. It ends early on abort.
   */
  async *read({ from, to }: OffsetRange): AsyncGenerator<RangeRead> {
    if (from >= to) return;
    const partition = this.#partition;
    let offset = from;
    this.#reader.add({ partition, offset, to });
    try {
      for await (const fetched of this.#reader) {
        if (fetched.kind === 'out_of_range') {
          if (fetched.startOffset >= to || fetched.startOffset <= offset) return;
          offset = fetched.startOffset;
          this.#reader.add({ partition, offset, to });
          continue;
        }
        const bytesAnOffset = fetched.bytes / Math.max(1, fetched.nextOffset - offset);
        for (const { records, nextOffset } of partsOf(fetched)) {
          if (offset > from) await ownTurn();
          this.bytes += bytesAnOffset * (nextOffset - offset);
          this.offsets += nextOffset - offset;
          const wanted = records.filter((record) => record.offset < to);
          yield { records: wanted, from: offset, nextOffset: Math.min(nextOffset, to) };
          offset = nextOffset;
          if (offset >= to) return;
        }
        if (offset >= fetched.stableEnd) return;
      }
    } finally {
      this.#reader.remove(partition);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }
}

/** A compressed answer may hold very many records. Working on all of them at once would keep others waiting. */
function partsOf(answer: {
  records: readonly LogRecord[];
  nextOffset: number;
}): { records: readonly LogRecord[]; nextOffset: number }[] {
  const { records, nextOffset } = answer;
  if (records.length <= PART_RECORDS_MAX) return [answer];
  const parts: { records: readonly LogRecord[]; nextOffset: number }[] = [];
  for (let index = 0; index < records.length; index += PART_RECORDS_MAX) {
    const following = records[index + PART_RECORDS_MAX];
    parts.push({
      records: records.slice(index, index + PART_RECORDS_MAX),
      nextOffset: following?.offset ?? nextOffset,
    });
  }
  return parts;
}
