import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from 'kafkajs/src/broker/index.js';
import { type FencedWriter, type GroupOffset, type RecordToAppend, TopicIoError } from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { about, type FaultSubject, KAFKA, toKafkaFault } from './faults.ts';
import { askForNextEpoch, givesNextEpoch } from './next-epoch.ts';
import {
  BATCH_HEADER_BYTES,
  isTooLarge,
  type ProducerIdentity,
  produce,
  wireBytes,
  writerSubject,
} from './produce.ts';
import { firstWithoutRight } from './rights.ts';
import type { AttemptOptions, KafkaSession } from './session.ts';
import type { TopicLimits } from './topic-limits.ts';
import { stableEndOf } from './topics.ts';

interface PartitionRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly RecordToAppend[];
}

interface WrittenEnd {
  readonly topic: string;
  readonly partition: number;
  /** The offset after the last record. */
  readonly endOffset: number;
}

/**
 * Counts how often each id was taken from us since we last held it. Contenders that all tried again at once would fence
 * each other for ever. So one that lost an id waits a random time before it takes it again, longer each time.
 */
export class LostIds {
  readonly #losses = new Map<string, number>();

  lost(id: string): void {
    this.#losses.set(id, (this.#losses.get(id) ?? 0) + 1);
  }

  held(id: string): void {
    this.#losses.delete(id);
  }

  /** Returns the milliseconds to wait before taking the id: 0 unless it was lost since it was last held. */
  pauseMs(id: string, random: () => number): number {
    const losses = this.#losses.get(id) ?? 0;
    return losses === 0 ? 0 : random() * Math.min(25 * 2 ** losses, BOUNDS.takeAgainMaxMs);
  }
}

/**
 * Kafka's transactional producer, with one transaction per commit. Opening it asks the coordinator for a new producer
 * epoch. The coordinator then aborts a transaction that an earlier holder left open, and refuses everything that this
 * holder may still send.
 *
 * A request that got no answer may be under way still, although it was repeated and the repetition succeeded. In a later
 * transaction of the same epoch it would be taken for a part of that one: a late EndTxn would commit the half that is
 * written. So no transaction begins under an epoch of which a request may be under way. docs/decisions/transactions.md
 * says why this is enough.
 */
export class KafkaFencedWriter implements FencedWriter {
  readonly #session: KafkaSession;
  readonly #limits: TopicLimits;
  readonly #id: string;
  #identity: ProducerIdentity;
  /** Whether a request of this epoch may arrive yet. */
  #isUnderWay = false;
  readonly #lostIds: LostIds;
  readonly #nextSequences = new Map<string, number>();
  #state: 'ready' | 'committing' | 'spent' | 'closed' = 'ready';

  private constructor(options: {
    session: KafkaSession;
    limits: TopicLimits;
    id: string;
    identity: ProducerIdentity;
    lostIds: LostIds;
  }) {
    this.#session = options.session;
    this.#limits = options.limits;
    this.#id = options.id;
    this.#identity = options.identity;
    this.#lostIds = options.lostIds;
  }

  /** Resolves when every earlier holder of the id is fenced. */
  static async open(options: {
    session: KafkaSession;
    limits: TopicLimits;
    id: string;
    lostIds: LostIds;
  }): Promise<KafkaFencedWriter> {
    const { session, limits, id, lostIds } = options;
    const pauseMs = lostIds.pauseMs(id, Math.random);
    // If the session ends during the pause, the attempt below fails at once.
    if (pauseMs > 0) await delay(pauseMs, undefined, { signal: session.closing }).catch(() => undefined);
    const identity = await session.attempt(
      { doing: `take the writer id ${id}`, timeoutMs: BOUNDS.openFencedMs, transactional: true },
      async () => {
        const coordinator = await session.coordinator({ kind: 'transaction', id });
        const { producerId, producerEpoch } = await about(
          writerSubject(id),
          coordinator.initProducerId({
            transactionalId: id,
            transactionTimeout: BOUNDS.transactionMs,
          }),
        );
        return { producerId, producerEpoch };
      },
    );
    return new KafkaFencedWriter({ session, limits, id, identity, lostIds });
  }

  async commit(transaction: {
    records: readonly PartitionRecords[];
    offsets?: readonly GroupOffset[];
  }): Promise<void> {
    if (this.#state === 'closed') throw new TopicIoError('closed', `the writer ${this.#id} is closed`);
    if (this.#state === 'spent') throw new TopicIoError('unavailable', `the writer ${this.#id} is spent`);
    if (this.#state === 'committing')
      throw new Error(`the writer ${this.#id} commits one transaction at a time`);
    const offsets = transaction.offsets ?? [];
    const records = transaction.records.filter((entry) => entry.records.length > 0);
    for (const entry of records) {
      if (!entry.records.some((record) => isTooLarge(wireBytes(record)))) continue;
      this.#state = 'spent';
      throw new TopicIoError('too_large', `a record exceeds ${BOUNDS.messageBytes} bytes`);
    }
    this.#state = 'committing';
    const endsMs = performance.now() + BOUNDS.transactionMs;
    try {
      if (this.#isUnderWay) await this.#beginNextEpoch(endsMs);
      if (records.length > 0 || offsets.length > 0) await this.#transact({ records, offsets, endsMs });
      this.#lostIds.held(this.#id);
      if (this.#state === 'committing') this.#state = 'ready';
    } catch (error) {
      if (this.#state === 'committing') this.#state = 'spent';
      const fault = this.#session.explained(error, { doing: `commit as ${this.#id}`, transactional: true });
      if (fault.code === 'fenced') this.#lostIds.lost(this.#id);
      else await this.#abort();
      throw fault;
    }
  }

  /** An unfinished transaction is aborted by the next holder or by its timeout. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
  }

  async #transact(options: {
    records: readonly PartitionRecords[];
    offsets: readonly GroupOffset[];
    endsMs: number;
  }): Promise<void> {
    const { records, offsets, endsMs } = options;
    if (records.length > 0) {
      const topics = [...groupBy(records, (entry) => entry.topic)].map(([topic, entries]) => ({
        topic,
        partitions: [...new Set(entries.map((entry) => entry.partition))],
      }));
      await this.#ask({ doing: 'add partitions', endsMs }, (coordinator, producer) =>
        this.#withTheTopicNamed(topics, coordinator.addPartitionsToTxn({ ...producer, topics })),
      );
    }
    const ends: WrittenEnd[] = [];
    for (const entry of records) ends.push(await this.#send(entry, endsMs));
    for (const [group, ofGroup] of groupBy(offsets, (offset) => offset.group)) {
      await this.#sendOffsets({ group, offsets: ofGroup, endsMs });
    }
    await this.#ask({ doing: 'commit', endsMs }, (coordinator, producer) =>
      coordinator.endTxn({ ...producer, transactionResult: true }),
    );
    await this.#awaitVisible(ends);
  }

  /**
   * Waits until readers can see the commit. Kafka answers a commit when it is decided, and marks the partitions after
   * that; a reader that begins now must see it. The wait is short, because another id's open transaction may hold the
   * stable end back.
   */
  async #awaitVisible(ends: readonly WrittenEnd[]): Promise<void> {
    const endsMs = performance.now() + BOUNDS.visibleMs;
    for (const { topic, partition, endOffset } of ends) {
      let pauseMs = 1;
      while (performance.now() < endsMs) {
        try {
          const stableEnd = await this.#session.once(() => stableEndOf(this.#session, { topic, partition }));
          if (stableEnd >= endOffset) break;
        } catch {
          // The transaction is committed nevertheless.
        }
        await delay(pauseMs, undefined, { signal: this.#session.closing }).catch(() => undefined);
        if (this.#session.closing.aborted) return;
        pauseMs = Math.min(pauseMs * 2, 50);
      }
    }
  }

  async #send(entry: PartitionRecords, endsMs: number): Promise<WrittenEnd> {
    const { topic, partition } = entry;
    let endOffset = 0;
    let rest = entry.records;
    while (rest.length > 0) {
      const batch = firstBatch(rest, await this.#limits.batchBytesMax(topic));
      try {
        const baseOffset = await this.#sendBatch(batch, { topic, partition, endsMs });
        endOffset = baseOffset + batch.records.length;
        rest = rest.slice(batch.records.length);
      } catch (error) {
        if (!(error instanceof TopicIoError)) throw error;
        if (error.code !== 'too_large') {
          const { timestampMs } = batch.records[0]!;
          throw await this.#limits.explained(error, { topic, timestampMs });
        }
        const { records, recordBytes } = batch;
        if (records.length === 1) throw await this.#limits.fault({ topic, recordBytes, cause: error.cause });
        // Nothing of it is in the log, so the transaction goes on with smaller batches.
        await this.#limits.refused(topic, recordBytes + BATCH_HEADER_BYTES);
      }
    }
    return { topic, partition, endOffset };
  }

  async #sendBatch(
    { records, recordBytes }: Batch,
    at: { topic: string; partition: number; endsMs: number },
  ): Promise<number> {
    const { topic, partition, endsMs } = at;
    const key = `${topic}/${partition}`;
    const firstSequence = this.#nextSequences.get(key) ?? 0;
    const baseOffset = await this.#attempt({ doing: `write to ${key}`, endsMs }, () =>
      produce({
        session: this.#session,
        topic,
        partition,
        records,
        recordBytes,
        identity: this.#identity,
        firstSequence,
        transactionalId: this.#id,
      }),
    );
    this.#nextSequences.set(key, firstSequence + records.length);
    return baseOffset;
  }

  async #sendOffsets(options: {
    group: string;
    offsets: readonly GroupOffset[];
    endsMs: number;
  }): Promise<void> {
    const { group, endsMs } = options;
    const doing = `publish the offsets of ${group}`;
    const ofGroup: FaultSubject = { resource: 'group', name: group, operation: 'Read' };
    await this.#ask({ doing, endsMs }, (coordinator, producer) =>
      about(
        [ofGroup, ...writerSubject(this.#id)],
        coordinator.addOffsetsToTxn({ ...producer, groupId: group }),
      ),
    );
    const topics = [...groupBy(options.offsets, (entry) => entry.topic)].map(([topic, entries]) => ({
      topic,
      partitions: entries.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }));
    await this.#attempt({ doing, endsMs }, async () => {
      const coordinator = await this.#session.coordinator({ kind: 'group', id: group });
      const ofTopics = topics.map(
        ({ topic: name }): FaultSubject => ({ resource: 'topic', name, operation: 'Read' }),
      );
      await about(
        [ofGroup, ...ofTopics, ...writerSubject(this.#id)],
        coordinator.txnOffsetCommit({
          ...this.#identity,
          transactionalId: this.#id,
          groupId: group,
          topics,
        }),
      );
    });
  }

  /**
   * Kafka refuses all topics of a request if it refuses one, and kafkajs keeps only one of the answers. So it is asked again
   * which one that is.
   */
  async #withTheTopicNamed(
    topics: readonly { readonly topic: string }[],
    request: Promise<unknown>,
  ): Promise<unknown> {
    try {
      return await request;
    } catch (error) {
      const { code } = toKafkaFault(error);
      if (code !== KAFKA.topicAuthorizationFailed && code !== KAFKA.operationNotAttempted) throw error;
      const names = topics.map(({ topic }) => topic);
      throw (await firstWithoutRight(this.#session, { topics: names, operation: 'Write' })) ?? error;
    }
  }

  /** Begins an epoch under which nothing is under way, unless another holder took the id since. */
  async #beginNextEpoch(endsMs: number): Promise<void> {
    const doing = 'begin the next epoch';
    const identity = await this.#ask({ doing, endsMs }, async (coordinator, producer) =>
      givesNextEpoch(coordinator) ? askForNextEpoch(coordinator, producer) : null,
    );
    if (identity === null) {
      const reason = 'a request of its last commit may be under way still';
      throw new TopicIoError('unavailable', `the writer ${this.#id} is spent: ${reason}`);
    }
    this.#identity = identity;
    this.#nextSequences.clear();
    this.#isUnderWay = false;
  }

  /**
   * Aborts on a best-effort basis, so that readers are not held back until the transaction times out. An EndTxn would
   * leave the partitions at the same epoch, and without partition verification they would then take a late Produce.
   */
  async #abort(): Promise<void> {
    const endsMs = performance.now() + BOUNDS.abortMs;
    try {
      await this.#ask({ doing: 'abort', endsMs }, async (coordinator, producer) => {
        if (givesNextEpoch(coordinator)) await askForNextEpoch(coordinator, producer);
      });
    } catch {
      // Usually the answer is that we are fenced by ourselves. If there is none, the coordinator aborts the transaction by
      // its timeout, or when the id is taken again.
    }
  }

  #ask<Answer>(
    options: { doing: string; endsMs: number },
    question: (
      coordinator: Broker,
      producer: ProducerIdentity & { readonly transactionalId: string },
    ) => Promise<Answer>,
  ): Promise<Answer> {
    return this.#attempt(options, async () => {
      const coordinator = await this.#session.coordinator({ kind: 'transaction', id: this.#id });
      const asked = question(coordinator, { ...this.#identity, transactionalId: this.#id });
      return about(writerSubject(this.#id), asked);
    });
  }

  #attempt<T>(options: { doing: string; endsMs: number }, operation: () => Promise<T>): Promise<T> {
    const attempt: AttemptOptions = {
      doing: `${options.doing} as ${this.#id}`,
      timeoutMs: Math.max(options.endsMs - performance.now(), 1),
      transactional: true,
    };
    return this.#session.attempt(attempt, async () => {
      try {
        return await operation();
      } catch (error) {
        if (toKafkaFault(error).code === null) this.#isUnderWay = true;
        throw error;
      }
    });
  }
}

interface Batch {
  readonly records: readonly RecordToAppend[];
  readonly recordBytes: number;
}

/** Takes records from the beginning while they fit into one batch, but at least one. */
function firstBatch(records: readonly RecordToAppend[], bytesMax: number): Batch {
  const recordBytesMax = Math.min(BOUNDS.batchBytes, bytesMax - BATCH_HEADER_BYTES);
  let recordBytes = 0;
  let count = 0;
  for (const record of records.slice(0, BOUNDS.batchRecords)) {
    const size = wireBytes(record);
    if (count > 0 && recordBytes + size > recordBytesMax) break;
    recordBytes += size;
    count += 1;
  }
  return { records: records.slice(0, count), recordBytes };
}

/** Does what `Map.groupBy` does, which Node 20 does not have. */
function groupBy<T>(entries: readonly T[], keyOf: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return groups;
}
