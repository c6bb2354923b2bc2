import type { Logger } from '../logger.ts';
import { TopicIoError } from '../topic-io.ts';
import type { Committer } from './committer.ts';
import {
  isTombstone,
  keyBytesOf,
  readRecordKey,
  recordKeyBytes,
  timestampOf,
  writeRecordKey,
} from './records.ts';
import {
  boundsKey,
  durationSetting,
  metaKey,
  metaKeys,
  newestKey,
  readBounds,
  type Stage,
  type StoredTopic,
  tombstoneKey,
} from './stage.ts';
import type { EmbeddedStore } from './store.ts';
import { after, type TopicCatalog } from './topics.ts';

const recordsPerTransactionMax = 2_000;
const transactionsPerRunMax = 50;
const intervalMs = 60_000;
/** The interval after a run that did not remove everything. */
const shortIntervalMs = 1_000;

/**
 * Removes records past their topic's `retention.ms` (from the start of a partition on, as Kafka does), tombstones past
 * `delete.retention.ms`, and records of deleted topics. It does so in small transactions between the others, a bounded
 * number in each run. Its timer does not keep a process alive.
 */
export class Housekeeping {
  readonly #store: EmbeddedStore;
  readonly #committer: Committer;
  readonly #catalog: TopicCatalog;
  readonly #logger: Logger;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: {
    store: EmbeddedStore;
    committer: Committer;
    catalog: TopicCatalog;
    logger: Logger;
    now: () => number;
  }) {
    this.#store = options.store;
    this.#committer = options.committer;
    this.#catalog = options.catalog;
    this.#logger = options.logger;
    this.#now = options.now;
  }

  /** Runs after the delay, then repeatedly. */
  start(delayMs = 0): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#runAndRepeat();
    }, delayMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  async #runAndRepeat(): Promise<void> {
    let delayMs = intervalMs;
    try {
      if (!(await this.run())) delayMs = shortIntervalMs;
    } catch (error) {
      if (!(error instanceof TopicIoError)) throw error;
      if (error.code !== 'closed')
        this.#logger.warn({ err: error }, 'old records could not be removed; will try again later');
    }
    this.start(delayMs);
  }

  /** Resolves true when nothing is left to remove now. */
  async run(): Promise<boolean> {
    let removedTotal = 0;
    for (let transaction = 0; transaction < transactionsPerRunMax && !this.#closed; transaction += 1) {
      const removed = await this.#committer.write((stage) => this.#stageRemovals(stage), { freeing: true });
      removedTotal += removed;
      if (removed > 0) continue;
      if (removedTotal > 0)
        this.#logger.debug({ records: removedTotal }, 'removed old records from the embedded log');
      return true;
    }
    return false;
  }

  /** Returns how much it removed. The order of its parts does not matter; each gets what is left of the budget. */
  #stageRemovals(stage: Stage): number {
    let left = recordsPerTransactionMax;
    left -= this.#stageTombstones(stage, left);
    for (const topic of this.#catalog.all()) {
      if (left > 0 && topic.cleanupPolicy === 'delete') left -= this.#stageRetention(stage, topic, left);
    }
    if (left > 0) left -= this.#stageTrash(stage, left);
    return recordsPerTransactionMax - left;
  }

  #stageRetention(stage: Stage, topic: StoredTopic, removeMax: number): number {
    const retentionMs = durationSetting(topic, 'retention.ms');
    if (retentionMs === null) return 0;
    const beforeMs = this.#now() - retentionMs;
    let removed = 0;
    for (let partition = 0; partition < topic.partitions && removed < removeMax; partition += 1) {
      // These are the stored bounds. An append that is staged in the same transaction moves only the end.
      const stored = readBounds(this.#store, topic.id, partition);
      const range = {
        start: writeRecordKey({ topicId: topic.id, partition, offset: stored.startOffset }),
        end: writeRecordKey({ topicId: topic.id, partition, offset: stored.stableEnd }),
        limit: removeMax - removed,
      };
      let startOffset = stored.startOffset;
      for (const { key, value } of this.#store.records.getRange(range)) {
        this.#store.checkRecord(key, value);
        if (timestampOf(value) >= beforeMs) break;
        stage.removeRecord(key);
        startOffset = readRecordKey(key).offset + 1;
        removed += 1;
      }
      if (startOffset === stored.startOffset) continue;
      stage.setBounds(topic.id, partition, { ...stage.bounds(topic.id, partition), startOffset });
      stage.touchedTopics.add(topic.name);
    }
    return removed;
  }

  #stageTombstones(stage: Stage, removeMax: number): number {
    let removed = 0;
    const end = tombstoneKey(this.#now() + 1, { topicId: 0, partition: 0, offset: 0 });
    for (const { key } of this.#store.tombstones.getRange({
      start: Buffer.from([0]),
      end,
      limit: removeMax,
    })) {
      stage.changes.push({ database: this.#store.tombstones, key, value: null });
      removed += 1;
      const recordKey = key.subarray(key.length - recordKeyBytes);
      const record = this.#store.records.get(recordKey);
      if (record === undefined || !isTombstone(record)) continue;
      const place = readRecordKey(recordKey);
      const index = newestKey(place, keyBytesOf(record));
      // A newer record of the key, stored or staged, has removed this one.
      if (stage.newest(index) !== place.offset) continue;
      stage.setNewest(index, null);
      stage.removeRecord(recordKey);
    }
    return removed;
  }

  #stageTrash(stage: Stage, removeMax: number): number {
    const start = metaKey(metaKeys.trashes);
    for (const { key, value } of this.#store.meta.getRange({ start, end: after(start), limit: 1 })) {
      const { id } = JSON.parse(value.toString()) as { id: number };
      const range = { start: boundsKey(id, 0), end: boundsKey(id + 1, 0), limit: removeMax };
      let removed = 0;
      for (const database of [this.#store.records, this.#store.newest]) {
        for (const found of database.getKeys({ ...range, limit: removeMax - removed })) {
          stage.changes.push({ database, key: found, value: null });
          removed += 1;
        }
      }
      if (removed === 0) stage.setMeta(key.toString(), null);
      return Math.max(removed, 1);
    }
    return 0;
  }
}
