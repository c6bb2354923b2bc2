import { decodeRunRecord } from '@runlog/records/run-record';
import { evolve } from '@runlog/run-state/evolve';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import {
  type AppendResult,
  type LogRecord,
  type RecordToAppend,
  TopicIoError,
  type TopicWriter,
} from '@runlog/topic-io/topic-io';
import type { OpenLog } from '../../services/ingest/src/open-log.ts';
import { createOutage } from '../../services/ingest/src/outage.ts';
import { createRejectedTopic } from '../../services/ingest/src/rejected-topic.ts';
import { silentLogger } from './silent-logger.ts';

const PARTITIONS = 2;

/**
 * A log in memory whose appends fail as Kafka's do: a batch ends after some of its records, and of the rest none, some or
 * all are stored although nobody says so. `random` returns a number from 0 to below 1.
 */
export class FaultyLog implements TopicWriter {
  readonly pendingBytes = 0;
  readonly rejected: RecordToAppend[] = [];
  readonly #partitions: RecordToAppend[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly #random: () => number;
  readonly #faultShare: number;

  constructor(options: { random: () => number; faultShare: number }) {
    this.#random = options.random;
    this.#faultShare = options.faultShare;
  }

  async append(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult> {
    const { records } = batch;
    const baseOffset = 0;
    const isFaulty = this.#random() < this.#faultShare;
    const acknowledged = isFaulty ? Math.floor(this.#random() * records.length) : records.length;
    const stored = isFaulty
      ? acknowledged + Math.floor(this.#random() * (records.length - acknowledged + 1))
      : records.length;
    const kept = records.slice(0, stored);
    if (batch.topic === 'rejected') this.rejected.push(...kept);
    else this.#partitions[batch.partition]!.push(...kept);
    if (acknowledged === records.length) return { acknowledged, baseOffset };
    return { acknowledged, baseOffset, fault: new TopicIoError('unavailable', 'no answer') };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  openLog(): OpenLog {
    const { now } = Date;
    const logger = silentLogger;
    return {
      writer: this,
      topic: 'events',
      partitions: PARTITIONS,
      meta: { epoch: 'e', fold: 2, partitions: PARTITIONS, snapshots: 'snapshots' } as OpenLog['meta'],
      keepsJson: false,
      throttledMs: () => 0,
      outage: createOutage({ logger, now }),
      rejectedTopic: createRejectedTopic({ writer: this, topic: 'rejected', partitions: 1, logger, now }),
    };
  }

  /** Folds everything that is stored, by run. */
  runs(): ReadonlyMap<string, RunSnapshot> {
    return this.#folded().runs;
  }

  /** The ids of the events that the fold counts, which are all but the repeats, in the order of the log. */
  countedIds(): readonly string[] {
    return this.#folded().countedIds;
  }

  /** What is stored, partition by partition. */
  values(): readonly string[] {
    return this.#partitions.flat().map(({ value }) => value!.toString('utf8'));
  }

  #folded(): { runs: ReadonlyMap<string, RunSnapshot>; countedIds: readonly string[] } {
    const runs = new Map<string, RunSnapshot>();
    const countedIds: string[] = [];
    for (const records of this.#partitions) {
      for (const [offset, { key, value, headers, timestampMs }] of records.entries()) {
        const stored: LogRecord = { offset, key, value, headers, timestampMs };
        const record = decodeRunRecord(stored, 'e');
        if (record.kind === 'unfoldable') throw new Error(record.reason);
        const before = runs.get(record.key) ?? null;
        const duplicates = before?.duplicates ?? 0;
        const run = evolve(before, record)!;
        runs.set(record.key, run);
        if (run.duplicates === duplicates) countedIds.push(headers.event_id!);
      }
    }
    return { runs, countedIds };
  }
}
