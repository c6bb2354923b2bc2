import { Kafka, logLevel } from 'kafkajs';
import { uniqueName } from './unique-name.ts';

/** It must outlast a test on a slow machine, and be no longer than a broker allows. */
export const FOREIGN_TIMEOUT_MS = 600_000;

/** Another application's producer, which opens a transaction on a topic of ours and stays in it. */
export async function openForeignTransaction(at: {
  brokers: readonly string[];
  topic: string;
  partition: number;
  key: string;
}) {
  const { brokers, topic, partition, key } = at;
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const transactionalId = uniqueName('foreign');
  const producer = kafka.producer({
    ...{ transactionalId, transactionTimeout: FOREIGN_TIMEOUT_MS },
    ...{ idempotent: true, maxInFlightRequests: 1 },
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ partition, key, value: 'not ours' }] });
  return {
    ...{ transactionalId, partition },
    abort: () => transaction.abort(),
    commit: () => transaction.commit(),
    [Symbol.asyncDispose]: () => producer.disconnect(),
  };
}
