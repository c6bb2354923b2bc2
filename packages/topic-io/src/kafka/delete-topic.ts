import type { Broker } from 'kafkajs/src/broker/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { askFlexible, NO_TAGGED_FIELDS } from './ask-flexible.ts';
import { BOUNDS } from './config.ts';
import { about, KAFKA, KafkaFault, toKafkaFault } from './faults.ts';

const DELETE_TOPICS = 20;
/** The first version that takes the ids of topics. Brokers have it since 2.8; kafkajs knows none above 1. */
const VERSION = 6;
const ID_BYTES = 16;

/**
 * Asks the controller to delete a topic. With its id, a copy of the request that arrives late cannot meet a topic that was made
 * anew under the same name. A topic that is gone already is no fault. Use it within `attempt`.
 */
export async function deleteOne(
  controller: Broker,
  topic: { name: string; id: string | undefined },
): Promise<void> {
  const { name, id } = topic;
  const takesIds = (controller.versions?.[DELETE_TOPICS]?.maxVersion ?? 0) >= VERSION;
  const deleting =
    id !== undefined && takesIds
      ? deleteById(controller, { name, id })
      : controller.deleteTopics({ topics: [name], timeout: BOUNDS.requestMs });
  try {
    await about({ resource: 'topic', name, operation: 'Delete' }, Promise.resolve(deleting));
  } catch (error) {
    // Perhaps because of a first try whose answer was lost.
    const { code } = toKafkaFault(error);
    if (code !== KAFKA.unknownTopicOrPartition && code !== KAFKA.unknownTopicId) throw error;
  }
}

async function deleteById(controller: Broker, { name, id }: { name: string; id: string }): Promise<void> {
  const topic = new Encoder()
    .writeUVarIntString(null)
    .writeBuffer(Buffer.from(id, 'hex'))
    .writeInt8(NO_TAGGED_FIELDS);
  const errorCodes = await askFlexible(controller, {
    ...{ apiKey: DELETE_TOPICS, apiVersion: VERSION, apiName: 'DeleteTopics' },
    fields: new Encoder().writeUVarIntArray([topic]).writeInt32(BOUNDS.requestMs),
    read: (answer) =>
      answer.readUVarIntArray((deleted) => {
        deleted.readUVarIntString(); // Its name.
        deleted.readBytes(ID_BYTES);
        const errorCode = deleted.readInt16();
        deleted.readUVarIntString(); // What the broker says of it.
        deleted.readTaggedFields();
        return errorCode;
      }) ?? [],
  });
  const [errorCode] = errorCodes;
  if (errorCode === undefined) throw new Error(`the answer of the broker lacks topic ${name}`);
  if (errorCode !== 0) throw new KafkaFault(errorCode, '');
}
