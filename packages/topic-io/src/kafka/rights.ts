import type { AclOperation } from '@runlog/schema/log/rights';
import type { Broker } from 'kafkajs/src/broker/index.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { faultAbout, KAFKA, type KafkaFault } from './faults.ts';
import type { KafkaSession } from './session.ts';

const METADATA = 3;
/** The first version that says what a client may do with a topic, of Kafka 2.3. */
const VERSION = 8;
/** A broker that does not know which operations are allowed. */
const UNKNOWN = -(2 ** 31);
/** The bit of each operation. */
const BIT: Readonly<Record<AclOperation, number>> = {
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Describe: 8,
  DescribeConfigs: 10,
  IdempotentWrite: 12,
};

export interface TopicRights {
  readonly errorCode: number;
  readonly topic: string;
  readonly operations: number;
}

/**
 * Returns the fault that this process would get if it did this with the topics, about the first of them, or null if it may, or
 * if the broker does not say. Use it within `attempt`.
 */
export async function firstWithoutRight(
  session: KafkaSession,
  { topics, operation }: { topics: readonly string[]; operation: AclOperation },
): Promise<KafkaFault | null> {
  const broker = await session.anyBroker();
  if (!saysRights(broker)) return null;
  for (const { errorCode, topic, operations } of await rightsTo(broker, topics)) {
    const isDenied =
      errorCode === KAFKA.topicAuthorizationFailed ||
      (errorCode === 0 && isIn(operations, operation) === false);
    if (isDenied)
      return faultAbout(KAFKA.topicAuthorizationFailed, { resource: 'topic', name: topic, operation });
  }
  return null;
}

/** Whether the operation is among those of a broker's answer; null if the broker does not know. */
export function isIn(operations: number, operation: AclOperation): boolean | null {
  return operations === UNKNOWN ? null : (operations & (1 << BIT[operation])) !== 0;
}

/** Whether the broker says what a client may do with a topic. */
export function saysRights(broker: Broker): boolean {
  return (broker.versions?.[METADATA]?.maxVersion ?? VERSION) >= VERSION;
}

/** Asks for topics that need not exist. */
export async function rightsTo(broker: Broker, topics: readonly string[]): Promise<readonly TopicRights[]> {
  const answer = await broker.connectionPool.send<{ readonly topics: readonly TopicRights[] }>({
    request: {
      apiKey: METADATA,
      apiVersion: VERSION,
      apiName: 'Metadata',
      encode: async () =>
        new Encoder().writeArray(topics).writeBoolean(false).writeBoolean(false).writeBoolean(true),
    },
    response: { decode: async (raw) => decodeRights(raw), parse: async (data) => data },
  });
  return answer.topics;
}

function decodeRights(raw: Buffer): { topics: TopicRights[]; clientSideThrottleTime: number } {
  const decoder = new Decoder(raw);
  const clientSideThrottleTime = decoder.readInt32();
  decoder.readArray(skipBroker);
  decoder.readString(); // Cluster id.
  decoder.readInt32(); // Controller.
  const topics = decoder.readArray((topic) => {
    const errorCode = topic.readInt16();
    const name = topic.readString() ?? '';
    topic.readBoolean(); // Whether it is Kafka's own.
    topic.readArray(skipPartition);
    return { errorCode, topic: name, operations: topic.readInt32() };
  });
  return { topics, clientSideThrottleTime };
}

function skipBroker(broker: Decoder): void {
  broker.readInt32();
  broker.readString();
  broker.readInt32();
  broker.readString();
}

function skipPartition(partition: Decoder): void {
  partition.readInt16();
  for (let field = 0; field < 3; field += 1) partition.readInt32(); // Number, leader, leader's epoch.
  for (let list = 0; list < 3; list += 1) partition.readArray((replica) => replica.readInt32());
}
