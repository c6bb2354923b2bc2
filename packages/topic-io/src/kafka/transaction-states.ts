import type { Broker } from 'kafkajs/src/broker/index.js';
import type Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { askFlexible, NO_TAGGED_FIELDS } from './ask-flexible.ts';
import { faultAbout, KafkaFault } from './faults.ts';

/** The three questions about transactions that kafkajs does not know (KIP-664), each in its first version. */
const DESCRIBE_PRODUCERS = 61;
const DESCRIBE_TRANSACTIONS = 65;
const LIST_TRANSACTIONS = 66;
const VERSION = 0;

/** A producer with an open transaction on a partition, as the partition's leader knows it. */
export interface OpenProducer {
  readonly producerId: string;
  readonly startOffset: number;
}

/** A transaction as its coordinator knows it. */
export interface TransactionState {
  /** `Ongoing`, `PrepareCommit` and others; of which `Ongoing` alone has times. */
  readonly state: string;
  readonly timeoutMs: number;
  readonly startedMs: number;
}

/** Kafka has been able to say who writes to a partition since 2.8, and whose transaction that is since 3.0. */
export function knowsProducers(broker: Broker): boolean {
  return broker.versions?.[DESCRIBE_PRODUCERS] !== undefined;
}

export function knowsTransactions(broker: Broker): boolean {
  return (
    broker.versions?.[LIST_TRANSACTIONS] !== undefined && broker.versions[DESCRIBE_TRANSACTIONS] !== undefined
  );
}

/** Asks the leader of the partition. */
export async function describeProducers(
  leader: Broker,
  at: { topic: string; partition: number },
): Promise<OpenProducer[]> {
  const { topic, partition } = at;
  const topicAsked = new Encoder()
    .writeUVarIntString(topic)
    .writeUVarIntArray([new Encoder().writeInt32(partition)])
    .writeInt8(NO_TAGGED_FIELDS);
  const topics = await askFlexible(leader, {
    ...{ apiKey: DESCRIBE_PRODUCERS, apiVersion: VERSION },
    apiName: 'DescribeProducers',
    fields: new Encoder().writeUVarIntArray([topicAsked]),
    read: (answer) => list(answer, readTopicOfProducers),
  });
  const [found] = topics.flat();
  if (found === undefined) return [];
  if (found.errorCode !== 0) {
    throw faultAbout(found.errorCode, { resource: 'topic', name: topic, partition, operation: 'Read' });
  }
  return found.producers.filter(({ startOffset }) => startOffset >= 0);
}

/** Asks a broker for the transactional ids of these producers, as far as it coordinates them and we may know them. */
export async function listTransactions(broker: Broker): Promise<ReadonlyMap<string, string>> {
  const { errorCode, transactions } = await askFlexible(broker, {
    ...{ apiKey: LIST_TRANSACTIONS, apiVersion: VERSION },
    apiName: 'ListTransactions',
    // Without a filter for states or producers.
    fields: new Encoder().writeUVarIntArray([]).writeUVarIntArray([]),
    read: (answer) => ({
      errorCode: answer.readInt16(),
      unknownStates: list(answer, (state) => state.readUVarIntString()),
      transactions: list(answer, (one) => {
        const transactionalId = one.readUVarIntString() ?? '';
        const producerId = one.readInt64().toString();
        one.readUVarIntString(); // Its state.
        one.readTaggedFields();
        return [producerId, transactionalId] as const;
      }),
    }),
  });
  if (errorCode !== 0) throw new KafkaFault(errorCode, 'list transactions');
  return new Map(transactions);
}

/** Asks the coordinator of the id. Resolves to null if it does not tell. */
export async function describeTransaction(
  coordinator: Broker,
  transactionalId: string,
): Promise<TransactionState | null> {
  const [found] = await askFlexible(coordinator, {
    ...{ apiKey: DESCRIBE_TRANSACTIONS, apiVersion: VERSION },
    apiName: 'DescribeTransactions',
    fields: new Encoder().writeUVarIntArray([new Encoder().writeUVarIntString(transactionalId)]),
    read: (answer) => list(answer, readTransaction),
  });
  return found === undefined || found.errorCode !== 0 ? null : found;
}

function readTopicOfProducers(topic: Decoder) {
  topic.readUVarIntString();
  const partitions = list(topic, (partition) => {
    partition.readInt32();
    const errorCode = partition.readInt16();
    partition.readUVarIntString();
    const producers = list(partition, readProducer);
    partition.readTaggedFields();
    return { errorCode, producers };
  });
  topic.readTaggedFields();
  return partitions;
}

function readProducer(producer: Decoder): OpenProducer {
  const producerId = producer.readInt64().toString();
  producer.readInt32(); // Its epoch.
  producer.readInt32(); // Its last sequence.
  producer.readInt64(); // The time of its last batch.
  producer.readInt32(); // The epoch of its coordinator.
  const startOffset = Number(producer.readInt64().toString());
  producer.readTaggedFields();
  return { producerId, startOffset };
}

function readTransaction(transaction: Decoder): TransactionState & { errorCode: number } {
  const errorCode = transaction.readInt16();
  transaction.readUVarIntString(); // Its id.
  const state = transaction.readUVarIntString() ?? '';
  const timeoutMs = transaction.readInt32();
  const startedMs = Number(transaction.readInt64().toString());
  transaction.readInt64(); // Its producer's id.
  transaction.readInt16(); // Its producer's epoch.
  list(transaction, (topic) => {
    topic.readUVarIntString();
    list(topic, (partition) => partition.readInt32());
    topic.readTaggedFields();
  });
  transaction.readTaggedFields();
  return { errorCode, state, timeoutMs, startedMs };
}

function list<Item>(from: Decoder, read: (decoder: Decoder) => Item): Item[] {
  return from.readUVarIntArray(read) ?? [];
}
