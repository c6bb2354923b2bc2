import type { Compression } from '../compression.ts';
import {
  type AppendResult,
  type RecordToAppend,
  type RefusedRecord,
  TopicIoError,
  type TopicWriter,
} from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { about, isLostProducer, KafkaFault, mayHaveAppended, toKafkaFault } from './faults.ts';
import { BATCH_HEADER_BYTES, isTooLarge, type ProducerIdentity, produce, wireBytes } from './produce.ts';
import type { KafkaSession } from './session.ts';
import type { TopicLimits } from './topic-limits.ts';

const SEQUENCE_MAX = 2 ** 31 - 1;
const EPOCH_MAX = 2 ** 15 - 1;

/** Keeps lanes over Kafka's idempotent produce, with one producer id per lane. */
export class KafkaWriter implements TopicWriter {
  readonly #session: KafkaSession;
  readonly #limits: TopicLimits;
  readonly #lanes = new Map<string, Lane>();
  readonly #laneBytesMax: number;
  readonly #compression: Compression;
  #closed = false;

  constructor(options: {
    session: KafkaSession;
    limits: TopicLimits;
    laneBytesMax: number | undefined;
    compression: Compression | undefined;
  }) {
    this.#session = options.session;
    this.#limits = options.limits;
    this.#laneBytesMax = options.laneBytesMax ?? BOUNDS.laneBytes;
    this.#compression = options.compression ?? 'none';
  }

  get pendingBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes.values()) bytes += lane.pendingBytes;
    return bytes;
  }

  async append(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult> {
    if (this.#closed) return failed(new TopicIoError('closed', 'the writer is closed'));
    const { topic, partition } = batch;
    const key = `${topic}/${partition}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane({
        session: this.#session,
        limits: this.#limits,
        topic,
        partition,
        bytesMax: this.#laneBytesMax,
        compression: this.#compression,
      });
      this.#lanes.set(key, lane);
    }
    return lane.append(batch.records);
  }

  /** Accepts nothing more, waits until everything handed in is answered, then disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#lanes.values()].map((lane) => lane.idle));
    await this.#session.close({ abrupt: false });
  }
}

interface PendingAppend {
  readonly records: readonly RecordToAppend[];
  readonly sizes: readonly number[];
  readonly bytes: number;
  readonly enqueuedMs: number;
  readonly answer: (result: AppendResult) => void;
  /** The number of records that are acknowledged or refused. */
  decided: number;
  readonly refused: RefusedRecord[];
  baseOffset: number;
}

interface LaneProducer {
  readonly identity: ProducerIdentity;
  nextSequence: number;
}

interface Share {
  readonly pending: PendingAppend;
  readonly count: number;
}

interface Batch {
  readonly records: readonly RecordToAppend[];
  readonly recordBytes: number;
}

/**
 * One partition's queue. At most one request is in flight; it carries everything that waits when the one before is
 * answered. A batch that is not acknowledged ends everything queued behind it, so order holds. It also ends the lane's
 * epoch: the broker may hold the batch under the sequence number that the next one would carry, and would drop that one
 * as a repeat. The id stays, so that the broker refuses the batch if it arrives behind records of the next epoch.
 */
class Lane {
  readonly #session: KafkaSession;
  readonly #limits: TopicLimits;
  readonly #topic: string;
  readonly #partition: number;
  readonly #bytesMax: number;
  readonly #compression: Compression;
  #queue: PendingAppend[] = [];
  #producer: LaneProducer | null = null;
  #idle: Promise<void> = Promise.resolve();
  #running = false;
  pendingBytes = 0;

  constructor(options: {
    session: KafkaSession;
    limits: TopicLimits;
    topic: string;
    partition: number;
    bytesMax: number;
    compression: Compression;
  }) {
    this.#session = options.session;
    this.#limits = options.limits;
    this.#topic = options.topic;
    this.#partition = options.partition;
    this.#bytesMax = options.bytesMax;
    this.#compression = options.compression;
  }

  /** Resolves when nothing is queued or in flight. */
  get idle(): Promise<void> {
    return this.#idle;
  }

  append(records: readonly RecordToAppend[]): AppendResult | Promise<AppendResult> {
    if (records.length === 0) return { acknowledged: 0, baseOffset: -1 };
    const sizes = records.map(wireBytes);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (this.pendingBytes + bytes > this.#bytesMax) {
      const name = `${this.#topic}/${this.#partition}`;
      return failed(new TopicIoError('overloaded', `${this.#bytesMax} bytes are waiting for ${name}`));
    }
    this.pendingBytes += bytes;
    return new Promise((answer) => {
      const enqueuedMs = performance.now();
      this.#queue.push({
        ...{ records, sizes, bytes, enqueuedMs, answer },
        ...{ decided: 0, refused: [], baseOffset: -1 },
      });
      if (!this.#running) this.#idle = this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Everything that is appended in the same turn goes out together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#nextBatch(await this.#limits.batchBytesMax(this.#topic));
      if (batch === null) {
        this.#refuseFirst(new TopicIoError('too_large', `a record exceeds ${BOUNDS.messageBytes} bytes`));
        continue;
      }
      try {
        this.#acknowledge(batch.shares, await this.#send(batch));
      } catch (error) {
        const doing = `append to ${this.#topic}/${this.#partition}`;
        const fault = this.#session.explained(error, { doing });
        if (fault.code === 'too_large') await this.#makeSmaller(batch, fault);
        else this.#failAll(await this.#explained(fault, batch));
      }
    }
    this.#running = false;
  }

  /** Returns null if the first record is larger than any that is sent. */
  #nextBatch(bytesMax: number): (Batch & { shares: Share[] }) | null {
    const recordBytesMax = Math.min(BOUNDS.batchBytes, bytesMax - BATCH_HEADER_BYTES);
    const shares: Share[] = [];
    const records: RecordToAppend[] = [];
    let recordBytes = 0;
    for (const pending of this.#queue) {
      const begin = pending.decided;
      let end = begin;
      while (end < pending.records.length && records.length < BOUNDS.batchRecords) {
        const size = pending.sizes[end]!;
        // A record that may be too large is sent alone, so that nothing else is refused with it.
        if (records.length > 0 && recordBytes + size > recordBytesMax) break;
        if (isTooLarge(size)) return null;
        records.push(pending.records[end]!);
        recordBytes += size;
        end += 1;
      }
      if (end > begin) shares.push({ pending, count: end - begin });
      if (end < pending.records.length) break;
    }
    return { shares, records, recordBytes };
  }

  #explained(fault: TopicIoError, { records }: Batch): Promise<TopicIoError> {
    return this.#limits.explained(fault, { topic: this.#topic, timestampMs: records[0]!.timestampMs });
  }

  /** The batch was refused as too large and is not in the log, so the producer's sequence goes on where it was. */
  async #makeSmaller({ records, recordBytes }: Batch, { cause }: TopicIoError): Promise<void> {
    const topic = this.#topic;
    if (records.length > 1) await this.#limits.refused(topic, recordBytes + BATCH_HEADER_BYTES);
    else this.#refuseFirst(await this.#limits.fault({ topic, recordBytes, cause }));
  }

  async #send(batch: Batch): Promise<number> {
    const oldest = this.#queue[0];
    const ageMs = oldest === undefined ? 0 : performance.now() - oldest.enqueuedMs;
    const timeoutMs = BOUNDS.appendMs - ageMs;
    if (timeoutMs <= 0) throw new KafkaFault(null, `the lane is more than ${BOUNDS.appendMs} ms behind`);
    if (this.#producer !== null && this.#producer.nextSequence + batch.records.length > SEQUENCE_MAX) {
      this.#producer = null;
    }
    const sending = { over: false, maybeAppended: false };
    const doing = `append to ${this.#topic}/${this.#partition}`;
    try {
      return await this.#session.attempt({ doing, timeoutMs }, () => this.#try(batch, sending));
    } catch (error) {
      // The limit was lowered between two tries, the first of which had no answer. The broker judges the size first.
      if (!sending.maybeAppended || !(error instanceof TopicIoError) || error.code !== 'too_large')
        throw error;
      throw new KafkaFault(null, 'an earlier try had no answer', { cause: error });
    } finally {
      // A try that the attempt has given up on must not touch the lane.
      sending.over = true;
    }
  }

  async #try(
    { records, recordBytes }: Batch,
    sending: { over: boolean; maybeAppended: boolean },
  ): Promise<number> {
    for (let renewals = 0; ; renewals += 1) {
      const producer = this.#producer ?? (await this.#newProducer());
      if (sending.over) throw new KafkaFault(null, 'too late');
      this.#producer = producer;
      try {
        const baseOffset = await produce({
          session: this.#session,
          topic: this.#topic,
          partition: this.#partition,
          records,
          recordBytes,
          identity: producer.identity,
          firstSequence: producer.nextSequence,
          compression: this.#compression,
        });
        producer.nextSequence += records.length;
        return baseOffset;
      } catch (error) {
        const fault = toKafkaFault(error);
        if (sending.over) throw fault;
        if (mayHaveAppended(fault)) sending.maybeAppended = true;
        // A new id may carry the batch only if it was refused every time so far.
        if (renewals > 0 || sending.maybeAppended || !isLostProducer(fault)) throw fault;
        this.#producer = null;
      }
    }
  }

  async #newProducer(): Promise<LaneProducer> {
    const broker = await this.#session.anyBroker();
    const answer = await about(
      // Whoever may write to a topic may be an idempotent producer.
      { resource: 'topic', name: this.#topic, operation: 'Write' },
      broker.initProducerId({ transactionTimeout: BOUNDS.transactionMs }),
    );
    const { producerId, producerEpoch } = answer;
    return { identity: { producerId, producerEpoch }, nextSequence: 0 };
  }

  #acknowledge(shares: readonly Share[], baseOffset: number): void {
    let offset = baseOffset;
    for (const { pending, count } of shares) {
      if (pending.baseOffset === -1) pending.baseOffset = offset;
      pending.decided += count;
      offset += count;
      this.#answerIfDecided(pending);
    }
  }

  #refuseFirst(fault: TopicIoError): void {
    const pending = this.#queue[0]!;
    pending.refused.push({ index: pending.decided, fault });
    pending.decided += 1;
    this.#answerIfDecided(pending);
  }

  /** Appends are decided in the order of the queue. */
  #answerIfDecided(pending: PendingAppend): void {
    if (pending.decided < pending.records.length) return;
    this.#queue.shift();
    this.#answer(pending, pending.refused[0]?.fault);
  }

  #failAll(fault: TopicIoError): void {
    this.#producer = nextEpochOf(this.#producer, fault);
    const queue = this.#queue;
    this.#queue = [];
    for (const pending of queue) this.#answer(pending, fault);
  }

  #answer({ bytes, decided, refused, baseOffset, answer }: PendingAppend, fault?: TopicIoError): void {
    this.pendingBytes -= bytes;
    answer({
      acknowledged: decided - refused.length,
      baseOffset,
      ...(refused.length > 0 && { refused }),
      ...(fault !== undefined && { fault }),
    });
  }
}

/** A producer without a transactional id counts its epochs itself. Returns null if only another id can continue. */
function nextEpochOf(producer: LaneProducer | null, { cause }: TopicIoError): LaneProducer | null {
  if (producer === null || isLostProducer(toKafkaFault(cause))) return null;
  const { producerId, producerEpoch } = producer.identity;
  if (producerEpoch >= EPOCH_MAX) return null;
  return { identity: { producerId, producerEpoch: producerEpoch + 1 }, nextSequence: 0 };
}

function failed(fault: TopicIoError): AppendResult {
  return { acknowledged: 0, baseOffset: -1, fault };
}
