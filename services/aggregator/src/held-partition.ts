import type { RunMeta } from '@runlog/records/meta-record';
import { cutRejected, encodeRejected, encodeUnreadableBatch } from '@runlog/records/rejected-record';
import { restore } from '@runlog/run-feed/restore';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { LEFT_OUT, RunTable, type UnfoldableRecord } from '@runlog/run-feed/run-table';
import { figuresTopicOf, snapshotWriterId, type TopicNames } from '@runlog/schema/log/topics';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import type {
  FencedWriter,
  LogRecord,
  RecordToAppend,
  TopicIo,
  UnreadableBatch,
} from '@runlog/topic-io/topic-io';
import { batchBoundOf } from '@runlog/topic-io/topic-settings';
import { areFiguresDue, buildFlush, FLUSH_BYTES_MAX } from './build-flush.ts';
import { DirtyRuns } from './dirty-runs.ts';
import type { SnapshotBudget } from './snapshot-budget.ts';

/**
 * The most bytes of what cannot be folded in one transaction. Of anything further only the beginning is kept, so that a flood
 * of it is held and written in a bounded time.
 */
const REJECTED_BYTES_OF_FLUSH_MAX = 4 * 1024 * 1024;
const BATCH_HEADER_BYTES = 61;
const RECORD_BEGINNING_BYTES = 256;
const RECORDS_PASSED = 'records cannot be folded; they go to the topic of rejected events';
const BATCH_PASSED = 'a batch of events cannot be read; it goes to the topic of rejected events';

export interface HoldOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly meta: RunMeta;
  readonly partition: number;
  /** Asks whether the partition is still ours according to the group. Is called after fencing and before restoring. */
  readonly confirm: () => Promise<boolean>;
  readonly budget: SnapshotBudget;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Is set if a topic is filled that nobody reads yet. Then no group offsets are written. */
  readonly rebuild?: {
    /**
     * Unfoldable records and unreadable batches below this offset are already in the rejected topic, because the former holder's checkpoint
     * has passed them.
     */
    readonly rejectedBelow: number;
  };
}

/**
 * Holds one partition's snapshots until somebody fences it. The order of the steps of `claim` matters. Opening the
 * writer fences the former one. The heartbeat confirms that nobody can take the partition after us without fencing us.
 * Only a read after both is certain to see the former holder's last writes.
 */
export class HeldPartition implements AsyncDisposable {
  readonly partition: number;
  readonly #options: HoldOptions;
  readonly #writer: FencedWriter;
  readonly #table: RunTable;
  readonly #dirty = new DirtyRuns();
  readonly #dirtyFigures = new DirtyRuns();
  #rejected: RecordToAppend[] = [];
  #rejectedBytes = 0;
  /** The records since the last flush that cannot be folded. They get one line together, because there may be very many. */
  #unfoldable: { records: number; readonly origin: string; readonly reason: string } | null = null;
  /** What cannot be folded below it is already in the rejected topic. */
  readonly #rejectedBelow: number;
  /** The offset of the next record to fold. */
  #folded: number;
  /** The checkpoint that is stored. It is -1 if that is unknown; then the next flush writes it. */
  #stored = -1;

  private constructor(
    options: HoldOptions,
    held: { writer: FencedWriter; table: RunTable; next: number; rejectedBelow: number },
  ) {
    this.partition = options.partition;
    this.#rejectedBelow = held.rejectedBelow;
    this.#options = options;
    this.#writer = held.writer;
    this.#table = held.table;
    this.#folded = held.next;
    // What is stored of them is broken. It is written again, and holds nothing back.
    const lack = { since: held.next, through: held.next, sinceMs: 0 };
    for (const key of held.table.refolded) {
      this.#dirty.mark(key, lack);
      this.#dirtyFigures.mark(key, lack);
    }
  }

  /** Resolves to null if the group has moved on; then the next assignment decides. */
  static async claim(options: HoldOptions): Promise<HeldPartition | null> {
    const { io, topics, meta, partition, clock, logger, signal } = options;
    const writer = await io.fencedWriter(snapshotWriterId(meta.snapshots, partition));
    try {
      if (!(await options.confirm())) {
        await writer[Symbol.asyncDispose]();
        return null;
      }
      const table = new RunTable(meta, (key) => logger.error({ partition, run: key }, LEFT_OUT));
      let rejectedBelow = options.rebuild?.rejectedBelow ?? 0;
      const next = await restore(table, {
        ...{ io, topics, meta, logger, signal },
        partitions: [partition],
        ...{ sleep: clock.sleep, now: clock.now },
        onCheckpoint: (checkpoint) => {
          rejectedBelow = Math.max(rejectedBelow, checkpoint.rejected_below ?? 0);
        },
      });
      return new HeldPartition(options, { writer, table, next: next.get(partition)!, rejectedBelow });
    } catch (error) {
      await writer[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nextOffset(): number {
    return this.#folded;
  }

  get states(): ReadonlyRunStates {
    return this.#table.states;
  }

  get runs(): number {
    return this.#table.states.size;
  }

  get dirtyRuns(): number {
    return this.#dirty.size;
  }

  fold(batch: {
    records: readonly LogRecord[];
    unreadable?: readonly UnreadableBatch[];
    nextOffset: number;
  }): { unfoldable: number } {
    const from = this.#folded;
    const { changed, figures, unfoldable } = this.#table.foldInPlace(batch.records, this.partition);
    const lack = { since: from, through: batch.nextOffset, sinceMs: this.#options.clock.now() };
    for (const key of changed) this.#dirty.mark(key, lack);
    for (const key of figures) this.#dirtyFigures.mark(key, lack);
    const toKeep = unfoldable.filter(({ record }) => record.offset >= this.#rejectedBelow);
    for (const passed of toKeep) this.#rejected.push(this.#rejectedRecord(passed));
    for (const passed of batch.unreadable ?? []) {
      if (passed.firstOffset >= this.#rejectedBelow) this.#rejected.push(this.#rejectedBatch(passed));
    }
    this.#folded = batch.nextOffset;
    return { unfoldable: unfoldable.length };
  }

  /** Puts figures to sleep that no event continued since the last call. */
  rest(): void {
    this.#table.figures.putIdleToSleep();
  }

  /** Says whether a flush would change anything. Figures of less than ten seconds count only with `all`. */
  hasNews({ all = false }: { all?: boolean } = {}): boolean {
    if (this.#dirty.size > 0 || this.#rejected.length > 0) return true;
    const next = Math.min(this.#dirty.checkpoint(this.#folded), this.#dirtyFigures.checkpoint(this.#folded));
    if (next !== this.#stored) return true;
    const nowMs = this.#options.clock.now();
    for (const [, lack] of this.#dirtyFigures.entries()) return all || areFiguresDue(lack, nowMs);
    return false;
  }

  /**
   * Writes one transaction: snapshots, figures, checkpoint, rejected records, and the group's offset for lag tools. With
   * `all`, it does not wait for figures to be due. Rejects if the partition was taken over or the log cannot be reached.
   * Then this object is spent, and the partition must be claimed anew.
   */
  async flush({ all = false }: { all?: boolean } = {}): Promise<{ runs: number; bytes: number }> {
    const { topics, meta, budget, clock, logger, rebuild } = this.#options;
    const rejectedBytesMax = await this.#rejectedBytesMax();
    const nowMs = clock.now();
    const flush = buildFlush({
      dirty: this.#dirty,
      dirtyFigures: this.#dirtyFigures,
      states: this.#table.states,
      figures: this.#table.figures,
      folded: this.#folded,
      epoch: meta.epoch,
      bytesMax: Math.min(FLUSH_BYTES_MAX, budget.available(nowMs)),
      nowMs,
      all,
    });
    const rejected = this.#rejected.map((record) => cutRejected(record, rejectedBytesMax));
    if (this.#unfoldable !== null) {
      logger.warn({ partition: this.partition, ...this.#unfoldable }, RECORDS_PASSED);
    }
    this.#rejected = [];
    this.#rejectedBytes = 0;
    this.#unfoldable = null;
    budget.spend(flush.bytes);
    await this.#writer.commit({
      records: [
        // The reason why a record was skipped must become durable no later than the position that passes it.
        { topic: topics.rejected, partition: this.partition, records: rejected },
        { topic: figuresTopicOf(meta.snapshots), partition: this.partition, records: flush.figures },
        { topic: meta.snapshots, partition: this.partition, records: flush.snapshots },
      ].filter(({ records }) => records.length > 0),
      offsets:
        rebuild === undefined
          ? [
              {
                group: topics.group,
                topic: topics.events,
                partition: this.partition,
                offset: flush.checkpoint,
              },
            ]
          : [],
    });
    this.#stored = flush.checkpoint;
    logger.debug(
      { partition: this.partition, runs: flush.runs, bytes: flush.bytes, next: flush.checkpoint },
      'snapshots committed',
    );
    return { runs: flush.runs, bytes: flush.bytes };
  }

  /**
   * Writes everything that is folded, young figures included. Figures that are still behind their snapshot are left: after a
   * restart they are folded again.
   */
  async flushAll(): Promise<void> {
    while (this.hasNews({ all: true })) {
      const { runs } = await this.flush({ all: true });
      if (runs === 0) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  /** Resolves to what the topic of rejected events takes: no record may hold up the flush. It is asked for only if needed. */
  async #rejectedBytesMax(): Promise<number> {
    if (this.#rejected.length === 0) return Number.POSITIVE_INFINITY;
    const found = await this.#options.io.describeTopic(this.#options.topics.rejected);
    return batchBoundOf(found?.settings ?? {}).bytesMax;
  }

  #rejectedBatch(batch: UnreadableBatch): RecordToAppend {
    const { topics, clock, logger } = this.#options;
    const { partition } = this;
    const { firstOffset, lastOffset, reason } = batch;
    logger.warn({ topic: topics.events, partition, firstOffset, lastOffset, reason }, BATCH_PASSED);
    const bytes = this.#keptOf(batch.bytes, BATCH_HEADER_BYTES);
    const place = { topic: topics.events, partition, receivedAtMs: clock.now() };
    return encodeUnreadableBatch({ ...batch, bytes }, place);
  }

  #rejectedRecord({ record, reason }: UnfoldableRecord): RecordToAppend {
    const { topics, clock } = this.#options;
    const origin = `${topics.events}:${this.partition}:${record.offset}`;
    this.#unfoldable ??= { records: 0, origin, reason };
    this.#unfoldable.records += 1;
    const value = record.value === null ? null : this.#keptOf(record.value, RECORD_BEGINNING_BYTES);
    return encodeRejected(
      { key: record.key, code: 'unfoldable', path: '', message: reason, origin, keyId: null },
      { value, receivedAtMs: clock.now() },
    );
  }

  #keptOf(bytes: Buffer, beginningBytes: number): Buffer {
    const isFlood = this.#rejectedBytes + bytes.length > REJECTED_BYTES_OF_FLUSH_MAX;
    const kept = isFlood ? bytes.subarray(0, beginningBytes) : bytes;
    this.#rejectedBytes += kept.length;
    return kept;
  }
}
