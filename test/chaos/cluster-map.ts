import { Reachability } from '@runlog/topic-io/kafka/reachability';
import { KafkaSession } from '@runlog/topic-io/kafka/session';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { silentLogger } from '../support/silent-logger.ts';

const LATEST = -1;
const REQUEST_MS_MAX = 4_000;

/** Says which broker leads what, as a plain Kafka client sees it. Every question may fail while brokers are down. */
export class ClusterMap implements AsyncDisposable {
  readonly #admin: Admin;
  readonly #session: KafkaSession;
  #connected: Promise<void> | null = null;

  constructor(brokers: readonly string[]) {
    const kafka = new Kafka({
      brokers: [...brokers],
      clientId: 'chaos-map',
      logLevel: logLevel.NOTHING,
      connectionTimeout: 2_000,
      requestTimeout: REQUEST_MS_MAX,
      retry: { retries: 2, initialRetryTime: 50 },
    });
    this.#admin = kafka.admin();
    this.#session = new KafkaSession({
      kafka: { brokers, clientId: 'chaos-map', logger: silentLogger },
      reachability: new Reachability({ logger: silentLogger, brokers }),
      requestTimeoutMs: REQUEST_MS_MAX,
    });
  }

  /** Returns the index of the broker that leads the partition (modulo the topic's partition count). */
  async leader(of: { topic: string; partition: number }): Promise<number> {
    const partitions = await this.#partitions([of.topic]);
    const found = partitions[of.partition % partitions.length];
    if (found === undefined || found.leader < 0) throw new Error(`${of.topic}/${of.partition} has no leader`);
    return found.leader - 1;
  }

  /** Whether every copy of every partition is in sync, including those of Kafka's own topics. */
  async isInSync(copies: number): Promise<boolean> {
    const partitions = await this.#partitions([]);
    return (
      partitions.length > 0 && partitions.every(({ leader, isr }) => leader >= 0 && isr.length === copies)
    );
  }

  /** Returns the number of copies, and of copies in sync, of each partition of a topic. */
  async copies(topic: string): Promise<{ replicas: number; inSync: number }[]> {
    const partitions = await this.#partitions([topic]);
    return partitions.map(({ replicas, isr }) => ({ replicas: replicas.length, inSync: isr.length }));
  }

  /** Returns the partitions of the topic that hold records of an undecided transaction. */
  async openTransactions(topic: string): Promise<number[]> {
    return this.#session.once(async () => {
      const partitions = (await this.#session.partitions(topic)).map(({ partitionId }) => partitionId);
      const open = await Promise.all(
        partitions.map(async (partition) => {
          const decided = await this.#end({ topic, partition, isolationLevel: 1 });
          return (await this.#end({ topic, partition, isolationLevel: 0 })) > decided ? [partition] : [];
        }),
      );
      return open.flat();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close({ abrupt: true });
    if (this.#connected !== null) await this.#admin.disconnect().catch(() => undefined);
  }

  async #end(of: { topic: string; partition: number; isolationLevel: 0 | 1 }): Promise<number> {
    const { topic, partition, isolationLevel } = of;
    const leader = await this.#session.leader({ topic, partition });
    const answer = await leader.listOffsets({
      isolationLevel,
      topics: [{ topic, partitions: [{ partition, timestamp: LATEST }] }],
    });
    return Number(answer.responses[0]!.partitions[0]!.offset);
  }

  async #partitions(topics: string[]) {
    await this.#connect();
    const { topics: described } = await this.#admin.fetchTopicMetadata(
      topics.length === 0 ? undefined : { topics },
    );
    return described
      .flatMap(({ partitions }) => partitions)
      .sort((left, right) => left.partitionId - right.partitionId);
  }

  #connect(): Promise<void> {
    this.#connected ??= this.#admin.connect().catch((error: unknown) => {
      this.#connected = null;
      throw error;
    });
    return this.#connected;
  }
}
