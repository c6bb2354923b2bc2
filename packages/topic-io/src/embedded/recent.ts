import type { LogRecord, RecordToAppend } from '../topic-io.ts';
import { valueWindowOf } from './records.ts';

/** The number of stored bytes that all partitions together keep for readers that are behind. */
const bytesMaxDefault = 8 * 1024 * 1024;

/** One append as it was handed in and as it was stored. */
export interface WrittenBatch {
  readonly topic: string;
  readonly topicId: number;
  readonly partition: number;
  readonly baseOffset: number;
  readonly records: readonly RecordToAppend[];
  readonly encoded: readonly Buffer[];
}

export interface RecordsRead {
  readonly records: readonly LogRecord[];
  /** The stored size of all records below `nextOffset` that were read. */
  readonly bytes: number;
  readonly nextOffset: number;
}

interface Kept {
  readonly tail: Tail;
  readonly baseOffset: number;
  readonly records: readonly LogRecord[];
  /** The stored size of each record. */
  readonly bytes: readonly number[];
  readonly bytesTotal: number;
}

/** Consecutive batches of one partition, oldest first. */
type Tail = Kept[];

/**
 * The newest records that this process wrote. A reader that keeps up gets them from here: nothing is read or decoded
 * again, and several readers share one copy. A reader that is behind reads the store.
 */
export class RecentRecords {
  readonly #bytesMax: number;
  readonly #tails = new Map<string, Tail>();
  /** The batches of all partitions, oldest first. */
  readonly #kept = new Set<Kept>();
  #bytes = 0;

  constructor({ bytesMax = bytesMaxDefault }: { bytesMax?: number } = {}) {
    this.#bytesMax = bytesMax;
  }

  /** Adds a batch that is on disk. */
  add({ topicId, partition, baseOffset, records, encoded }: WrittenBatch): void {
    const name = nameOf(topicId, partition);
    const tail = this.#tails.get(name) ?? [];
    this.#tails.set(name, tail);
    const newest = tail.at(-1);
    // Other records lie between, and a tail has no holes.
    if (newest !== undefined && endOf(newest) !== baseOffset) for (const kept of [...tail]) this.#drop(kept);
    const bytes = encoded.map(({ length }) => length);
    const kept: Kept = {
      tail,
      baseOffset,
      records: records.map((record, index) => recordOf(record, encoded[index]!, baseOffset + index)),
      bytes,
      bytesTotal: bytes.reduce((sum, length) => sum + length, 0),
    };
    tail.push(kept);
    this.#kept.add(kept);
    this.#bytes += kept.bytesTotal;
    while (this.#bytes > this.#bytesMax) this.#drop(this.#kept.values().next().value!);
  }

  /** Returns at least one record, or null if the offset is not among those that are kept. */
  read(
    place: { topicId: number; partition: number },
    limits: { fromOffset: number; recordsMax: number; bytesMax: number },
  ): RecordsRead | null {
    const tail = this.#tails.get(nameOf(place.topicId, place.partition));
    const oldest = tail?.[0];
    if (tail === undefined || oldest === undefined || limits.fromOffset < oldest.baseOffset) return null;
    const records: LogRecord[] = [];
    let bytes = 0;
    for (const kept of tail) {
      if (endOf(kept) <= limits.fromOffset) continue;
      for (let at = Math.max(0, limits.fromOffset - kept.baseOffset); at < kept.records.length; at += 1) {
        records.push(kept.records[at]!);
        bytes += kept.bytes[at]!;
        if (records.length >= limits.recordsMax || bytes >= limits.bytesMax) return answerOf(records, bytes);
      }
    }
    return records.length === 0 ? null : answerOf(records, bytes);
  }

  /**
   * Drops the records below the offset, because nobody will ask for them. Memory that lives on is expensive to collect.
   */
  dropBelow(place: { topicId: number; partition: number }, offset: number): void {
    const tail = this.#tails.get(nameOf(place.topicId, place.partition)) ?? [];
    for (let oldest = tail[0]; oldest !== undefined && endOf(oldest) <= offset; oldest = tail[0]) {
      this.#drop(oldest);
    }
  }

  /** Drops the oldest batch of its tail. */
  #drop(kept: Kept): void {
    this.#kept.delete(kept);
    this.#bytes -= kept.bytesTotal;
    kept.tail.shift();
  }
}

function answerOf(records: readonly LogRecord[], bytes: number): RecordsRead {
  return { records, bytes, nextOffset: records.at(-1)!.offset + 1 };
}

function endOf(kept: Kept): number {
  return kept.baseOffset + kept.records.length;
}

function nameOf(topicId: number, partition: number): string {
  return `${topicId}/${partition}`;
}

/** Takes the value from the stored bytes: the buffer that was handed in belongs to the appender again. */
function recordOf(record: RecordToAppend, encoded: Buffer, offset: number): LogRecord {
  const { key, headers, timestampMs, json } = record;
  const value = record.value === null ? null : valueWindowOf(encoded, record.value.length);
  return { key, value, headers, timestampMs, offset, json };
}
