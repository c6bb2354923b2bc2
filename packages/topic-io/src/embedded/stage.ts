import { createHash } from 'node:crypto';
import { type CleanupPolicy, type PartitionBounds, type RecordToAppend, TopicIoError } from '../topic-io.ts';
import type { WrittenBatch } from './recent.ts';
import { bindToPlace, isTombstone, keyBytesOf, type RecordPlace, writeRecordKey } from './records.ts';
import type { Change, EmbeddedStore } from './store.ts';

/** A topic as it is stored. Ids are never reused, so a deleted topic's records cannot come back under its name. */
export interface StoredTopic {
  readonly id: number;
  readonly name: string;
  readonly partitions: number;
  readonly cleanupPolicy: CleanupPolicy;
  readonly settings: Readonly<Record<string, string>>;
}

/** LMDB's limit is 1,978 bytes. */
const keyBytesMax = 1_900;
/** Record keys longer than this are indexed by their hash, after a prefix byte with which no UTF-8 begins. */
const indexedKeyBytesMax = 1_000;
const hashedKeyPrefix = Buffer.from([0xff]);
const deleteRetentionDefaultMs = 24 * 60 * 60 * 1000;

export const metaKeys = {
  topic: (name: string): string => `topic/${name}`,
  topics: 'topic/',
  nextTopicId: 'next-topic-id',
  /** Names a deleted topic whose records are still to be removed. */
  trash: (id: number): string => `trash/${id}`,
  trashes: 'trash/',
  epoch: (writerId: string): string => `epoch/${writerId}`,
  groupOffset: (place: { group: string; topic: string; partition: number }): string =>
    `offset/${place.group}/${place.topic}/${place.partition}`,
} as const;

/**
 * The changes of one transaction while it is put together. Later changes see the ones that were staged before them. No
 * change takes effect until the store has written it, so a failed write leaves nothing to undo.
 */
export class Stage {
  readonly changes: Change[] = [];
  /** Names of topics that readers must look at again. */
  readonly touchedTopics = new Set<string>();
  /** Appends that readers in this process may get in the form in which they were handed in. */
  readonly written: WrittenBatch[] = [];
  /** Names of topics that were created or deleted. */
  readonly changedTopics = new Set<string>();
  readonly #store: EmbeddedStore;
  readonly #nowMs: number;
  readonly #bounds = new Map<string, PartitionBounds>();
  readonly #boundsBuffers = new Map<string, Buffer>();
  readonly #newest = new Map<string, number | null>();
  readonly #meta = new Map<string, Buffer | null>();

  constructor(options: { store: EmbeddedStore; nowMs: number }) {
    this.#store = options.store;
    this.#nowMs = options.nowMs;
  }

  /** Returns the offset of the first record. `records` are the records as handed in, for readers in this process. */
  append(
    topic: StoredTopic,
    partition: number,
    { encoded, records }: { encoded: readonly Buffer[]; records?: readonly RecordToAppend[] | undefined },
  ): number {
    const { startOffset, stableEnd: baseOffset } = this.bounds(topic.id, partition);
    let offset = baseOffset;
    for (const value of encoded) {
      const place: RecordPlace = { topicId: topic.id, partition, offset };
      if (topic.cleanupPolicy === 'compact') this.#replaceNewest(topic, place, value);
      const key = writeRecordKey(place);
      bindToPlace(value, key);
      this.changes.push({ database: this.#store.records, key, value });
      offset += 1;
    }
    this.setBounds(topic.id, partition, { startOffset, stableEnd: offset });
    this.touchedTopics.add(topic.name);
    if (records !== undefined && topic.cleanupPolicy === 'delete') {
      this.written.push({ topic: topic.name, topicId: topic.id, partition, baseOffset, records, encoded });
    }
    return baseOffset;
  }

  bounds(topicId: number, partition: number): PartitionBounds {
    return this.#bounds.get(`${topicId}/${partition}`) ?? readBounds(this.#store, topicId, partition);
  }

  setBounds(topicId: number, partition: number, bounds: PartitionBounds): void {
    const name = `${topicId}/${partition}`;
    const value = encodeBounds(bounds);
    // However many appends of a transaction move the end, it is one change: the first one's buffer is overwritten.
    const staged = this.#boundsBuffers.get(name);
    if (staged === undefined) {
      this.#boundsBuffers.set(name, value);
      this.changes.push({ database: this.#store.bounds, key: boundsKey(topicId, partition), value });
    } else {
      value.copy(staged);
    }
    this.#bounds.set(name, bounds);
  }

  removeRecord(key: Buffer): void {
    this.changes.push({ database: this.#store.records, key, value: null });
  }

  meta(key: string): Buffer | null {
    const staged = this.#meta.get(key);
    return staged === undefined ? readMeta(this.#store, key) : staged;
  }

  setMeta(key: string, value: Buffer | null): void {
    this.#meta.set(key, value);
    this.changes.push({ database: this.#store.meta, key: metaKey(key), value });
  }

  /** Returns the offset of the key's newest record. The key is one that `newestKey` made. */
  newest(key: Buffer): number | null {
    const name = key.toString('latin1');
    const staged = this.#newest.get(name);
    if (staged !== undefined) return staged;
    return this.#store.newest.get(key)?.readUIntBE(0, 6) ?? null;
  }

  setNewest(key: Buffer, offset: number | null): void {
    this.#newest.set(key.toString('latin1'), offset);
    let value: Buffer | null = null;
    if (offset !== null) {
      value = Buffer.allocUnsafe(6);
      value.writeUIntBE(offset, 0, 6);
    }
    this.changes.push({ database: this.#store.newest, key, value });
  }

  #replaceNewest(topic: StoredTopic, place: RecordPlace, value: Buffer): void {
    const key = newestKey(place, keyBytesOf(value));
    const replaced = this.newest(key);
    if (replaced !== null) this.removeRecord(writeRecordKey({ ...place, offset: replaced }));
    this.setNewest(key, place.offset);
    if (!isTombstone(value)) return;
    const retentionMs = durationSetting(topic, 'delete.retention.ms') ?? deleteRetentionDefaultMs;
    const due = tombstoneKey(this.#nowMs + retentionMs, place);
    this.changes.push({ database: this.#store.tombstones, key: due, value: Buffer.from([1]) });
  }
}

/** Returns a setting in milliseconds, or null if it is absent, unlimited or not a number. */
export function durationSetting(topic: StoredTopic, name: string): number | null {
  const text = topic.settings[name];
  if (text === undefined || !/^\d+$/.test(text)) return null;
  return Number(text);
}

export function newestKey(place: { topicId: number; partition: number }, key: Buffer): Buffer {
  const tail =
    key.length <= indexedKeyBytesMax
      ? key
      : Buffer.concat([hashedKeyPrefix, createHash('sha256').update(key).digest()]);
  return Buffer.concat([boundsKey(place.topicId, place.partition), tail]);
}

export function tombstoneKey(dueMs: number, place: RecordPlace): Buffer {
  const due = Buffer.allocUnsafe(6);
  due.writeUIntBE(Math.max(0, Math.min(dueMs, 2 ** 48 - 1)), 0, 6);
  return Buffer.concat([due, writeRecordKey(place)]);
}

export function boundsKey(topicId: number, partition: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUInt32BE(topicId, 0);
  key.writeUInt16BE(partition, 4);
  return key;
}

export function readBounds(store: EmbeddedStore, topicId: number, partition: number): PartitionBounds {
  const value = store.bounds.get(boundsKey(topicId, partition));
  if (value === undefined) return { startOffset: 0, stableEnd: 0 };
  return { startOffset: value.readDoubleLE(0), stableEnd: value.readDoubleLE(8) };
}

function encodeBounds(bounds: PartitionBounds): Buffer {
  const value = Buffer.allocUnsafe(16);
  value.writeDoubleLE(bounds.startOffset, 0);
  value.writeDoubleLE(bounds.stableEnd, 8);
  return value;
}

export function readMeta(store: EmbeddedStore, key: string): Buffer | null {
  return store.meta.get(metaKey(key)) ?? null;
}

export function metaKey(text: string): Buffer {
  const key = Buffer.from(text);
  if (key.length > keyBytesMax) {
    throw new TopicIoError('unusable', `a name has ${key.length} bytes; at most ${keyBytesMax} are allowed`);
  }
  return key;
}
