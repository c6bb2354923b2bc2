import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LogRecord, PartitionBounds } from '../topic-io.ts';
import { closedFault } from './committer.ts';
import { RecentRecords, type RecordsRead } from './recent.ts';
import { decodeRecord, hasKey, readRecordKey, timestampOf, writeRecordKey } from './records.ts';
import { readBounds, type Stage, type StoredTopic } from './stage.ts';
import type { EmbeddedStore } from './store.ts';
import { checkPlace, type TopicCatalog } from './topics.ts';

export interface PartitionPlace {
  readonly topic: StoredTopic;
  readonly partition: number;
  readonly bounds: PartitionBounds;
}

/** A reader of a topic that is told of changes. */
export interface Follower {
  readonly changed: () => void;
  /** The offset that it reads next, or null if it does not read this partition. */
  readonly positionOf: (partition: number) => number | null;
}

const scanRecordsMax = 1_000;

/** The readable side of a log, and the followers that are told when it changes. */
export class LogView {
  readonly #store: EmbeddedStore;
  readonly #catalog: TopicCatalog;
  readonly #followers = new Map<string, Set<Follower>>();
  readonly #recent = new RecentRecords();
  #closed = false;

  constructor(options: { store: EmbeddedStore; catalog: TopicCatalog }) {
    this.#store = options.store;
    this.#catalog = options.catalog;
  }

  close(): void {
    this.#closed = true;
  }

  /** From this call to the next turn of the event loop, everything is read from one state, the newest. */
  refresh(): void {
    if (this.#closed) throw closedFault();
    this.#store.refresh();
  }

  find(topicName: string, partition: number): PartitionPlace | null {
    const topic = this.#catalog.find(topicName);
    if (topic === null || !(partition >= 0 && partition < topic.partitions)) return null;
    return { topic, partition, bounds: readBounds(this.#store, topic.id, partition) };
  }

  /**
   * Reads at least one record if there is one, and more as the limits allow. Of what it reads it returns the records of
   * `key`, or all if that is null. Values are copies.
   */
  read(
    place: PartitionPlace,
    limits: { fromOffset: number; recordsMax: number; bytesMax: number },
    key: string | null,
  ): RecordsRead {
    const recent = this.#recent.read({ topicId: place.topic.id, partition: place.partition }, limits);
    if (recent !== null) {
      return key === null
        ? recent
        : { ...recent, records: recent.records.filter((record) => record.key === key) };
    }
    const wanted = key === null ? null : Buffer.from(key);
    const records: LogRecord[] = [];
    let count = 0;
    let bytes = 0;
    for (const { key: at, value } of this.#range(place, limits.fromOffset)) {
      const { offset } = readRecordKey(at);
      // Also if it seems to be of another key, which may be the damage.
      this.#store.checkRecord(at, value);
      if (wanted === null || hasKey(value, wanted)) records.push(decodeRecord(copyOf(value), offset));
      count += 1;
      bytes += value.length;
      if (count >= limits.recordsMax || bytes >= limits.bytesMax)
        return { records, bytes, nextOffset: offset + 1 };
    }
    // After the last record there may be offsets whose records were compacted away.
    return { records, bytes, nextOffset: place.bounds.stableEnd };
  }

  async offsetAtTime(position: { topic: string; partition: number; timestampMs: number }): Promise<number> {
    this.refresh();
    checkPlace(this.#catalog.find(position.topic), position);
    let fromOffset = 0;
    for (;;) {
      this.refresh();
      const place = this.find(position.topic, position.partition);
      if (place === null) return 0;
      let scanned = 0;
      for (const { key, value } of this.#range(place, fromOffset)) {
        const { offset } = readRecordKey(key);
        this.#store.checkRecord(key, value);
        if (timestampOf(value) >= position.timestampMs) return offset;
        fromOffset = offset + 1;
        scanned += 1;
        if (scanned >= scanRecordsMax) break;
      }
      if (scanned < scanRecordsMax) return place.bounds.stableEnd;
      await nextTurn();
    }
  }

  /** Adds a follower, and returns a function that removes it. */
  follow(topic: string, follower: Follower): () => void {
    const followers = this.#followers.get(topic) ?? new Set();
    this.#followers.set(topic, followers.add(follower));
    return () => {
      followers.delete(follower);
      if (followers.size === 0) this.#followers.delete(topic);
    };
  }

  /** Is called when a follower's position has moved. */
  passed({ topic, partition }: PartitionPlace): void {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { positionOf } of this.#followers.get(topic.name) ?? []) {
      lowest = Math.min(lowest, positionOf(partition) ?? lowest);
    }
    this.#recent.dropBelow({ topicId: topic.id, partition }, lowest);
  }

  /** Is called when the records that this process wrote are on disk, and tells the followers. */
  changed({ touchedTopics, written }: Pick<Stage, 'touchedTopics' | 'written'>): void {
    for (const batch of written) if (this.#followers.has(batch.topic)) this.#recent.add(batch);
    for (const topic of touchedTopics) {
      for (const { changed } of this.#followers.get(topic) ?? []) changed();
    }
  }

  /** A value holds only until the next one is read. */
  #range(place: PartitionPlace, fromOffset: number): Iterable<{ key: Buffer; value: Buffer }> {
    const { topic, partition, bounds } = place;
    const start = writeRecordKey({
      topicId: topic.id,
      partition,
      offset: Math.max(fromOffset, bounds.startOffset),
    });
    const end = writeRecordKey({ topicId: topic.id, partition, offset: bounds.stableEnd });
    return this.#store.passingRecords.getRange({ start, end });
  }
}

/** lmdb's buffer is longer than it says. */
function copyOf(passing: Buffer): Buffer {
  return Buffer.from(passing.subarray(0, passing.length));
}
