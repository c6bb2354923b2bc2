import type Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { askFlexible, NO_TAGGED_FIELDS } from './ask-flexible.ts';
import { faultAbout } from './faults.ts';
import type { KafkaSession } from './session.ts';

const METADATA = 3;
/** The first version whose answer has the ids of topics. Brokers have it since 2.8; kafkajs knows none above 6. */
const VERSION = 10;
const ID_BYTES = 16;
const NO_ID = '0'.repeat(2 * ID_BYTES);

/**
 * Returns the id of a topic in hexadecimal digits; a topic that is deleted and made anew under the same name has another.
 * Undefined if the brokers know no ids, or the topic has none. Use it within `attempt`.
 */
export async function topicId(session: KafkaSession, name: string): Promise<string | undefined> {
  const broker = await session.anyBroker();
  if ((broker.versions?.[METADATA]?.maxVersion ?? 0) < VERSION) return undefined;
  // It is asked for by its name, so its id is left empty.
  const topic = new Encoder()
    .writeBuffer(Buffer.alloc(ID_BYTES))
    .writeUVarIntString(name)
    .writeInt8(NO_TAGGED_FIELDS);
  const [found] = await askFlexible(broker, {
    ...{ apiKey: METADATA, apiVersion: VERSION, apiName: 'Metadata' },
    fields: new Encoder()
      .writeUVarIntArray([topic])
      .writeBoolean(false) // Create no topic.
      .writeBoolean(false) // List no operations that we may do with the cluster,
      .writeBoolean(false), // or with the topic.
    read: readTopics,
  });
  if (found === undefined) throw new Error(`the answer of the broker lacks topic ${name}`);
  // A broker may not know yet what another has told us. To go on without the id would be to lose it.
  if (found.errorCode !== 0) {
    throw faultAbout(found.errorCode, { resource: 'topic', name, operation: 'Describe' });
  }
  return found.id === NO_ID ? undefined : found.id;
}

interface TopicWithId {
  readonly errorCode: number;
  readonly id: string;
}

/** Reads the answer as far as the id of the one topic. */
function readTopics(answer: Decoder): TopicWithId[] {
  answer.readUVarIntArray(skipBroker);
  answer.readUVarIntString(); // The cluster's id.
  answer.readInt32(); // The controller.
  return answer.readUVarIntArray(readTopic) ?? [];
}

function skipBroker(broker: Decoder): void {
  broker.readInt32(); // Its id.
  broker.readUVarIntString(); // Its host.
  broker.readInt32(); // Its port.
  broker.readUVarIntString(); // Its rack.
  broker.readTaggedFields();
}

/** There is only one, so what follows its id need not be read. */
function readTopic(topic: Decoder): TopicWithId {
  const errorCode = topic.readInt16();
  topic.readUVarIntString(); // Its name.
  return { errorCode, id: topic.readBytes(ID_BYTES).toString('hex') };
}
