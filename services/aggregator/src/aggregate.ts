import { encodeRetirement } from '@runlog/records/control-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { denialLines } from '@runlog/run-feed/denial-lines';
import { type HeldBack, HeldBackWatch } from '@runlog/run-feed/held-back-watch';
import { truncated } from '@runlog/run-feed/truncated';
import type { TopicNames } from '@runlog/schema/log/topics';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import {
  type Assignment,
  type FetchAnswered,
  type GroupMember,
  isDenial,
  isPassing,
  isVerdict,
  type TopicIo,
  type TopicIoError,
  type TopicReader,
} from '@runlog/topic-io/topic-io';
import type { AggregationObserver } from './aggregator-metrics.ts';
import { HeldPartition } from './held-partition.ts';
import { silentRuns } from './retire-runs.ts';
import { SnapshotBudget } from './snapshot-budget.ts';

/**
 * How long a fenced holder that is still the assignee waits before it claims anew, so that a zombie's claim comes
 * first.
 */
const RECLAIM_MS_MIN = 200;
const RECLAIM_JITTER_MS = 800;
/** How long a partition waits after a verdict of the log that only an operator can mend. Each try reads it anew. */
const REFUSED_MS = 5_000;
const JOINING_FAILED = 'joining the group failed; trying again';
/** The time between two sweeps for silent runs and idle figures. It is far longer than a control record takes to come back. */
const RETIRE_SWEEP_MS = 60_000;

export interface AggregateOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly meta: RunMeta;
  readonly snapshotIntervalMs: number;
  readonly snapshotBytesPerSecond: number;
  /** A run that is silent for longer is retired. */
  readonly runRetentionMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly observer?: AggregationObserver;
  /** Whether this process has worked before. Then a denial is waited out: what was taken from it may be given back. */
  readonly hasWorked?: () => boolean;
}

/**
 * Works on the partitions of this process: it claims them as the group assigns them, folds them from one reader, and
 * flushes on a timer.
 */
export class Aggregation implements AsyncDisposable {
  readonly #options: AggregateOptions;
  readonly #budget: SnapshotBudget;
  readonly #held = new Map<number, HeldPartition>();
  readonly #claims = new Map<number, Promise<void>>();
  readonly #reader: TopicReader;
  readonly #heldBackWatch: HeldBackWatch;
  /** Where each held partition ended at the newest answer of the log, with what is held back. */
  readonly #highWatermarks = new Map<number, number>();
  readonly #stop = new AbortController();
  /** Why the log refuses our partitions that it refuses. */
  readonly #refusals = new Map<number, TopicIoError>();
  #member: GroupMember | null = null;
  #assignment: Assignment | null = null;
  #failure: unknown = null;
  /** Why the group refuses this process. */
  #groupRefusal: TopicIoError | null = null;
  /** The fold and flush loops; the last flush waits for them. */
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: AggregateOptions) {
    this.#options = options;
    this.#budget = new SnapshotBudget({
      bytesPerSecond: options.snapshotBytesPerSecond,
      nowMs: options.clock.now(),
    });
    const { io, topics, clock, logger } = options;
    this.#heldBackWatch = new HeldBackWatch({
      ...{ topic: topics.events, now: clock.now, logger },
      openTransactions: (at) => io.openTransactions(at),
    });
    this.#reader = io.reader({
      topic: topics.events,
      passesUnreadable: true,
      signal: this.#stop.signal,
      onAnswer: (answer) => this.#answered(answer),
      outlastsDenial: true,
      onFault: (fault) => {
        if (fault === null) logger.info({}, 'reading events again');
        else logger.warn({ err: fault }, 'events cannot be read; retrying');
      },
    });
  }

  /**
   * Whether every partition that the group assigned is restored. An aggregator without partitions is ready, as a spare.
   */
  get ready(): boolean {
    return this.#assignment?.partitions.every((partition) => this.#held.has(partition)) ?? false;
  }

  /** What an open transaction of another producer has held back for a while. */
  get heldBack(): HeldBack | null {
    return this.#heldBackWatch.heldBack;
  }

  /** Says what an operator must change so that snapshots are stored; null if the log stores them. */
  get refusal(): string | null {
    if (this.#groupRefusal !== null) return this.#groupRefusal.message;
    for (const [partition, { message }] of this.#refusals) return `partition ${partition}: ${message}`;
    return null;
  }

  #isPassing(error: unknown): error is TopicIoError {
    return isPassing(error, { hasWorked: this.#options.hasWorked?.() ?? false });
  }

  /**
   * Runs until disposed. Rejects on faults that waiting cannot cure, such as contradictions between topics and
   * snapshots.
   */
  async run(): Promise<void> {
    this.#member = await this.#join();
    if (this.#member === null) return;
    const stopOn = (error: unknown) => this.#fail(error);
    this.#loops = Promise.all([
      this.#foldEvents().catch(stopOn),
      this.#flushOnTimer().catch(stopOn),
      this.#retireOnTimer().catch(stopOn),
    ]);
    void this.#followAssignments(this.#member).catch(stopOn);
    await this.#loops;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Joins the group, and waits for the log as claiming does. Resolves to null if it was stopped meanwhile. */
  async #join(): Promise<GroupMember | null> {
    const { io, topics, logger } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const sayDenial = denialLines(logger, { group: topics.group });
        const member = await io.groupMember({
          ...{ group: topics.group, topic: topics.events },
          onRefused: (refusal) => {
            this.#groupRefusal = refusal;
            sayDenial(refusal);
            if (refusal !== null && !isDenial(refusal)) logger.warn({ err: refusal }, JOINING_FAILED);
          },
        });
        if (!this.#stop.signal.aborted) return member;
        await member[Symbol.asyncDispose]();
      } catch (error) {
        if (!this.#isPassing(error)) throw error;
        const isNews = !isDenial(error) || this.#groupRefusal === null;
        this.#groupRefusal = isDenial(error) ? error : null;
        if (isNews) logger.warn({ err: error }, JOINING_FAILED);
        await this.#pause(isDenial(error) ? REFUSED_MS : RECLAIM_MS_MIN);
      }
    }
    return null;
  }

  /**
   * Follows the assignments without ever waiting for a claim. If the group overtakes a claim, the next assignment
   * decides.
   */
  async #followAssignments(member: GroupMember): Promise<void> {
    for await (const assignment of member) {
      if (this.#stop.signal.aborted) return;
      this.#assignment = assignment;
      this.#options.logger.info({ ...assignment }, 'partitions assigned');
      for (const partition of [...this.#held.keys()]) {
        if (!this.#isMine(partition)) await this.#release(partition);
      }
      for (const partition of [...this.#refusals.keys()]) {
        if (!this.#isMine(partition)) this.#refusals.delete(partition);
      }
      for (const partition of assignment.partitions) this.#claim(partition);
    }
  }

  #isMine(partition: number): boolean {
    return !this.#stop.signal.aborted && (this.#assignment?.partitions.includes(partition) ?? false);
  }

  /** Claims partitions in parallel, so that the restore of one does not hold up another. */
  #claim(partition: number): void {
    if (this.#held.has(partition) || this.#claims.has(partition)) return;
    const claim = this.#claimUntilItHolds(partition)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#claims.delete(partition));
    this.#claims.set(partition, claim);
  }

  /** Claims until the claim holds or the partition is no longer ours. Passing faults are retried after jitter. */
  async #claimUntilItHolds(partition: number): Promise<void> {
    const { io, topics, meta, clock, logger } = this.#options;
    const member = this.#member!;
    if (this.#refusals.has(partition)) await clock.sleep(REFUSED_MS, this.#stop.signal);
    while (this.#isMine(partition)) {
      let pauseMsMin = RECLAIM_MS_MIN;
      const { generation } = this.#assignment!;
      const confirm = () => member.confirm(generation);
      try {
        const held = await HeldPartition.claim({
          ...{ io, topics, meta, partition, confirm, clock, logger },
          budget: this.#budget,
          signal: this.#stop.signal,
        });
        if (held !== null && this.#isMine(partition)) {
          this.#held.set(partition, held);
          this.#reader.add({ partition, offset: held.nextOffset });
          logger.info({ partition, next: held.nextOffset, runs: held.runs }, 'partition restored');
          return;
        }
        await held?.[Symbol.asyncDispose]();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!this.#isPassing(error)) throw error;
        if (isDenial(error)) {
          pauseMsMin = REFUSED_MS;
          this.#refused(partition, error);
        } else logger.warn({ err: error, partition }, 'claiming a partition failed; trying again');
      }
      await this.#pause(pauseMsMin);
    }
    // It is for the next holder to say.
    this.#refusals.delete(partition);
  }

  async #foldEvents(): Promise<void> {
    for await (const fetched of this.#reader) {
      const held = this.#held.get(fetched.partition);
      if (held === undefined) continue;
      if (fetched.kind === 'out_of_range') throw truncated(this.#options.topics.events, fetched);
      const { unfoldable } = held.fold(fetched);
      this.#options.observer?.folded({
        partition: fetched.partition,
        events: fetched.records.length,
        unfoldable,
        unreadable: fetched.unreadable?.length ?? 0,
        newestMs: fetched.records.at(-1)?.timestampMs ?? null,
      });
      this.#measureLag(held);
    }
  }

  #answered(answer: FetchAnswered): void {
    const held = this.#held.get(answer.partition);
    if (held === undefined) return;
    this.#heldBackWatch.answered(answer);
    this.#highWatermarks.set(answer.partition, answer.highWatermark);
    this.#measureLag(held);
  }

  #measureLag({ partition, nextOffset }: HeldPartition): void {
    const end = this.#highWatermarks.get(partition) ?? nextOffset;
    this.#options.observer?.lagging({ partition, behind: Math.max(0, end - nextOffset) });
  }

  async #flushOnTimer(): Promise<void> {
    const { snapshotIntervalMs, clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(snapshotIntervalMs, signal);
      if (signal.aborted) return;
      const withNews = [...this.#held.values()].filter((held) => held.hasNews());
      await Promise.all(withNews.map((held) => this.#flush(held)));
    }
  }

  /**
   * Retires silent runs. A retirement is a record like any other: it takes effect when it is read back and folded, here
   * as everywhere.
   */
  async #retireOnTimer(): Promise<void> {
    const { io, topics, clock, runRetentionMs, logger } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(RETIRE_SWEEP_MS, signal);
      for (const held of signal.aborted ? [] : [...this.#held.values()]) {
        held.rest();
        const nowMs = clock.now();
        const silent = silentRuns(held.states, { nowMs, retentionMs: runRetentionMs });
        if (silent.length === 0) continue;
        const records = silent.map((run) =>
          encodeRetirement({ key: formatRunKey(run), reason: 'retention', through: run.position.seq, nowMs }),
        );
        await using writer = await io.writer();
        const { partition } = held;
        const { acknowledged, fault } = await writer.append({ topic: topics.events, partition, records });
        logger.info({ partition, runs: acknowledged }, 'silent runs retired');
        if (fault !== undefined)
          logger.warn({ err: fault, partition }, 'retiring silent runs failed; will try again later');
      }
    }
  }

  async #flush(held: HeldPartition): Promise<void> {
    const { clock, observer } = this.#options;
    const begunMs = clock.now();
    try {
      const { runs, bytes } = await held.flush();
      this.#accepted(held.partition);
      const atMs = clock.now();
      observer?.flushed({ runs, bytes, atMs, seconds: (atMs - begunMs) / 1_000 });
    } catch (error) {
      observer?.flushFailed();
      const { partition } = held;
      // The partition was released while it was flushing.
      if (this.#held.get(partition) !== held) return;
      const isRefused = isVerdict(error);
      if (isRefused) this.#refused(partition, error);
      else if (!isPassing(error)) throw error;
      else this.#options.logger.warn({ err: error, partition }, 'flush failed; claiming the partition anew');
      await this.#release(partition);
      if (!isRefused) await this.#pause();
      if (this.#isMine(partition)) this.#claim(partition);
    }
  }

  /** The first of equal refusals is logged. Those of several partitions differ only in numbers. */
  #refused(partition: number, error: TopicIoError): void {
    const textOf = ({ message }: TopicIoError) => message.replaceAll(/\d+/g, '');
    const isSaid = [...this.#refusals.values()].some((other) => textOf(other) === textOf(error));
    this.#refusals.set(partition, error);
    if (isSaid) return;
    this.#options.logger.error(
      { err: error, partition },
      'the log refuses to store snapshots until an operator changes something; trying again meanwhile',
    );
  }

  #accepted(partition: number): void {
    if (!this.#refusals.delete(partition) || this.#refusals.size > 0) return;
    this.#options.logger.info({ partition }, 'snapshots are stored again');
  }

  async #release(partition: number): Promise<void> {
    this.#reader.remove(partition);
    this.#heldBackWatch.forget(partition);
    this.#highWatermarks.delete(partition);
    this.#options.observer?.released(partition);
    const held = this.#held.get(partition);
    this.#held.delete(partition);
    await held?.[Symbol.asyncDispose]();
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failure = error;
    this.#stop.abort();
  }

  async #pause(msMin = RECLAIM_MS_MIN): Promise<void> {
    const { clock, random } = this.#options;
    await clock.sleep(msMin + random() * RECLAIM_JITTER_MS, this.#stop.signal);
  }

  /**
   * Stops reading, writes what is folded, and leaves the group, in this order, so that the next holder has little to
   * fold.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reader[Symbol.asyncDispose]();
    await this.#loops;
    await Promise.all(this.#claims.values());
    for (const held of [...this.#held.values()]) {
      try {
        await held.flushAll();
      } catch (error) {
        const { partition } = held;
        this.#options.logger.warn(
          { err: error, partition },
          'the last flush failed; the next owner folds it anew',
        );
      }
      await this.#release(held.partition);
    }
    await this.#member?.[Symbol.asyncDispose]();
  }
}
