import type { Broker } from 'kafkajs/src/broker/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { askFlexible } from './ask-flexible.ts';
import { BOUNDS } from './config.ts';
import { KafkaFault } from './faults.ts';
import type { ProducerIdentity } from './produce.ts';

const INIT_PRODUCER_ID = 22;
/** The first version that tells "another holder took over" from "this epoch is over". kafkajs knows none above 1. */
const VERSION = 4;

/** Whether the broker can give a holder its next epoch. Kafka has been able to since 2.7. */
export function givesNextEpoch(coordinator: Broker): boolean {
  return (coordinator.versions?.[INIT_PRODUCER_ID]?.maxVersion ?? 0) >= VERSION;
}

/**
 * Asks the coordinator for the next epoch of a writer that we hold. It is refused if anybody took the id since, so that
 * we never fence another holder. From the answer on the coordinator refuses everything that was sent under the former
 * epoch. A transaction that is open is aborted, in each of its partitions under a higher epoch, so that their leaders
 * refuse it too; then the holder is fenced itself. It may be repeated. Use it within `attempt`.
 */
export async function askForNextEpoch(
  coordinator: Broker,
  holder: ProducerIdentity & { readonly transactionalId: string },
): Promise<ProducerIdentity> {
  const { errorCode, ...identity } = await askFlexible(coordinator, {
    ...{ apiKey: INIT_PRODUCER_ID, apiVersion: VERSION, apiName: 'InitProducerId' },
    fields: new Encoder()
      .writeUVarIntString(holder.transactionalId)
      .writeInt32(BOUNDS.transactionMs)
      .writeInt64(holder.producerId)
      .writeInt16(holder.producerEpoch),
    read: (answer) => ({
      errorCode: answer.readInt16(),
      producerId: answer.readInt64().toString(),
      producerEpoch: answer.readInt16(),
    }),
  });
  if (errorCode !== 0) throw new KafkaFault(errorCode, `the next epoch of ${holder.transactionalId}`);
  return identity;
}
