import { END, type ObservationOf } from './observation.ts';

/** The records of one run, in the order of the topic. */
export class RunRecords {
  readonly offsets: number[] = [];
  /** The number of distinct events up to each record, itself included. */
  readonly #distinct: number[] = [];
  /** The offset of the first record of each event. */
  readonly firstOffsets = new Map<string, number>();
  readonly copies = new Map<string, number>();
  readonly partition: number;

  constructor(partition: number) {
    this.partition = partition;
  }

  add({ offset, id }: { offset: number; id: string }): void {
    this.offsets.push(offset);
    if (!this.firstOffsets.has(id)) this.firstOffsets.set(id, offset);
    this.copies.set(id, (this.copies.get(id) ?? 0) + 1);
    this.#distinct.push(this.firstOffsets.size);
  }

  /** Returns the counts of the records at or below the offset. */
  countsAt(offset: number): { received: number; distinct: number } {
    const received = this.#recordsBelow(offset + 1);
    return { received, distinct: this.#distinct[received - 1] ?? 0 };
  }

  /** Returns the offset of the newest record below this one, or -1. */
  newestBelow(offset: number): number {
    return this.offsets[this.#recordsBelow(offset) - 1] ?? -1;
  }

  #recordsBelow(offset: number): number {
    let low = 0;
    let high = this.offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What the events topic holds in the end. Everything else is compared with it. */
export class TopicTruth {
  readonly runs = new Map<string, RunRecords>();
  /** For each partition the record at each offset. */
  readonly partitions = new Map<number, Map<number, { readonly key: string; readonly id: string }>>();

  constructor(reads: readonly ObservationOf<'read'>[]) {
    const kept = reads.filter(({ by }) => by === END).sort((a, b) => a.offset - b.offset);
    for (const { partition, offset, key, id } of kept) {
      const records = this.partitions.get(partition) ?? new Map<number, { key: string; id: string }>();
      this.partitions.set(partition, records.set(offset, { key, id }));
      const run = this.runs.get(key) ?? new RunRecords(partition);
      this.runs.set(key, run);
      run.add({ offset, id });
    }
  }
}
