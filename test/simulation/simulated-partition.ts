import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';
import type { SeededRandom } from './seeded-random.ts';

/** `deciding` means committed, while not every partition has its marker yet. */
export interface Transaction {
  state: 'open' | 'deciding' | 'committed' | 'aborted';
  readonly partitions: Set<SimulatedPartition>;
}

interface Entry {
  readonly offset: number;
  /** Null for a transaction's marker. */
  readonly record: LogRecord | null;
  readonly transaction: Transaction | null;
  /** For a tombstone: since when no older value of its key is left. */
  aloneSinceMs?: number;
}

/** One partition as a broker keeps it: markers use offsets, and open transactions hold back the stable end. */
export class SimulatedPartition {
  startOffset = 0;
  end = 0;
  /** The offsets of the newest tombstones that compaction has removed, by key. */
  readonly buried = new Map<string, number>();
  readonly topic: string;
  readonly index: number;
  readonly #entries: Entry[] = [];
  readonly #undecided = new Map<Transaction, number>();
  readonly #listeners = new Set<() => void>();
  readonly #tombstonesMs: number;

  /** `tombstonesMs` is the least time for which a tombstone stays, once the older values of its key are gone. */
  constructor(at: { topic: string; index: number; tombstonesMs: number }) {
    this.topic = at.topic;
    this.index = at.index;
    this.#tombstonesMs = at.tombstonesMs;
  }

  get stableEnd(): number {
    let stable = this.end;
    for (const first of this.#undecided.values()) stable = Math.min(stable, first);
    return stable;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  append(records: readonly RecordToAppend[], transaction: Transaction | null): LogRecord[] {
    const appended: LogRecord[] = [];
    if (transaction !== null) {
      transaction.partitions.add(this);
      if (!this.#undecided.has(transaction)) this.#undecided.set(transaction, this.end);
    }
    for (const { key, value, headers, timestampMs } of records) {
      const record: LogRecord = {
        key,
        value: value === null ? null : Buffer.from(value),
        headers: { ...headers },
        timestampMs,
        offset: this.end,
      };
      this.#entries.push({ offset: this.end, record, transaction });
      appended.push(record);
      this.end += 1;
    }
    this.wake();
    return appended;
  }

  /** Writes the transaction's marker and returns the records that it decides. */
  mark(transaction: Transaction): LogRecord[] {
    this.#undecided.delete(transaction);
    this.#entries.push({ offset: this.end, record: null, transaction });
    this.end += 1;
    this.wake();
    return this.#entries.flatMap((entry) =>
      entry.transaction === transaction && entry.record !== null ? [entry.record] : [],
    );
  }

  /** Reads committed records from the offset on. */
  read(
    from: number,
    limits: { recordsMax: number; bytesMax: number },
  ): { records: LogRecord[]; bytes: number; nextOffset: number } {
    const { stableEnd } = this;
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let at = this.#find(from); at < this.#entries.length; at += 1) {
      const entry = this.#entries[at]!;
      if (entry.offset >= stableEnd) break;
      if (!isVisible(entry)) continue;
      if (records.length >= limits.recordsMax || bytes >= limits.bytesMax) {
        return { records, bytes, nextOffset: entry.offset };
      }
      records.push(entry.record);
      bytes += entry.record.value?.length ?? 0;
    }
    return { records, bytes, nextOffset: stableEnd };
  }

  offsetAtTime(timestampMs: number): number {
    const found = this.#entries.find(
      (entry) => isVisible(entry) && entry.offset < this.stableEnd && entry.record.timestampMs >= timestampMs,
    );
    return found?.offset ?? this.stableEnd;
  }

  /**
   * Removes what compaction may remove: any record below the stable end whose key has a newer record, and tombstones
   * that are older than `delete.retention.ms`. Returns the keys whose tombstones were removed.
   */
  compact(random: SeededRandom, options: { share: number; nowMs: number }): string[] {
    const { share, nowMs } = options;
    const { stableEnd } = this;
    const newest = new Map<string, number>();
    for (const entry of this.#entries) {
      if (entry.offset < stableEnd && isVisible(entry)) newest.set(entry.record.key, entry.offset);
    }
    const kept = this.#entries.filter((entry) => {
      if (entry.offset >= stableEnd) return true;
      if (isVisible(entry) && newest.get(entry.record.key) === entry.offset) return true;
      return !random.chance(share);
    });
    const gone: string[] = [];
    const seen = new Set<string>();
    this.#entries.length = 0;
    for (const entry of kept) {
      if (entry.offset >= stableEnd || !isVisible(entry)) this.#entries.push(entry);
      else {
        const { key, value } = entry.record;
        const isAlone = value === null && !seen.has(key) && newest.get(key) === entry.offset;
        seen.add(key);
        const isDue = isAlone && nowMs - (entry.aloneSinceMs ?? nowMs) >= this.#tombstonesMs;
        if (isAlone) entry.aloneSinceMs ??= nowMs;
        if (isDue && random.chance(share)) gone.push(key);
        else this.#entries.push(entry);
      }
    }
    for (const key of gone) this.buried.set(key, newest.get(key)!);
    return gone;
  }

  /** Deletes everything below the offset, as retention does. */
  deleteBelow(offset: number): void {
    if (offset <= this.startOffset) return;
    this.startOffset = Math.min(offset, this.stableEnd);
    this.#entries.splice(0, this.#find(this.startOffset));
  }

  /** Returns the newest committed record of every key, in the order of offsets. */
  newestByKey(): Map<string, LogRecord> {
    const newest = new Map<string, LogRecord>();
    for (const entry of this.#entries) {
      if (entry.offset < this.stableEnd && isVisible(entry)) newest.set(entry.record.key, entry.record);
    }
    return newest;
  }

  /** Wakes every reader that waits for news. */
  wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #find(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isVisible(entry: Entry): entry is Entry & { record: LogRecord } {
  if (entry.record === null) return false;
  const state = entry.transaction?.state;
  return state === undefined || state === 'deciding' || state === 'committed';
}
