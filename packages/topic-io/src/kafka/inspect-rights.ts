import type { AclOperation } from '@runlog/schema/log/rights';
import type { Broker } from 'kafkajs/src/broker/index.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { KAFKA, KafkaFault, toKafkaFault } from './faults.ts';
import { isIn, rightsTo, saysRights } from './rights.ts';
import type { KafkaSession } from './session.ts';

const DESCRIBE_GROUPS = 15;
/** The first version that says what a client may do with a group, of Kafka 2.3. */
const DESCRIBE_GROUPS_VERSION = 3;
/** No broker gives this id to a producer, so what is asked in its name changes nothing. */
const NOBODY = String(2n ** 62n);

/** Whether this process may; null if the cluster does not say. */
export type Allowed = boolean | null;

/** Says of each topic, which need not exist, whether this process may do the operation. Use it within `attempt`. */
export async function topicRights(
  session: KafkaSession,
  topics: readonly string[],
): Promise<ReadonlyMap<string, (operation: AclOperation) => Allowed>> {
  const broker = await session.anyBroker();
  const allowed = new Map<string, (operation: AclOperation) => Allowed>();
  if (!saysRights(broker)) return allowed;
  for (const { errorCode, topic, operations } of await rightsTo(broker, topics)) {
    // Whoever may do anything with a topic may know that it exists.
    const isHidden = errorCode === KAFKA.topicAuthorizationFailed;
    allowed.set(topic, (operation) => (isHidden ? false : isIn(operations, operation)));
  }
  return allowed;
}

/** Use it within `attempt`. */
export async function mayReadGroup(session: KafkaSession, group: string): Promise<Allowed> {
  try {
    const broker = await session.coordinator({ kind: 'group', id: group });
    const offered = broker.versions?.[DESCRIBE_GROUPS]?.maxVersion ?? 0;
    if (offered < DESCRIBE_GROUPS_VERSION) return null;
    const { errorCode, operations } = await describeGroup(broker, group);
    if (errorCode !== 0) throw new KafkaFault(errorCode, `describe the group ${group}`);
    return isIn(operations, 'Read');
  } catch (error) {
    if (toKafkaFault(error).code === KAFKA.groupAuthorizationFailed) return false;
    throw error;
  }
}

/**
 * Asks to abort a transaction of a producer that does not exist: who may not write under the id is told so, and anybody else
 * that there is no such producer. Use it within `attempt`.
 */
export async function mayWriteUnder(session: KafkaSession, transactionalId: string): Promise<Allowed> {
  try {
    const coordinator = await session.coordinator({ kind: 'transaction', id: transactionalId });
    await coordinator.endTxn({
      ...{ transactionalId, producerId: NOBODY, producerEpoch: 0, transactionResult: false },
    });
    return true;
  } catch (error) {
    switch (toKafkaFault(error).code) {
      case KAFKA.transactionalIdAuthorizationFailed:
        return false;
      case KAFKA.invalidProducerIdMapping:
      case KAFKA.invalidProducerEpoch:
      case KAFKA.producerFenced:
      case KAFKA.invalidTransactionState:
        return true;
      case KAFKA.unsupportedVersion:
        return null;
      default:
        throw error;
    }
  }
}

interface GroupRights {
  readonly errorCode: number;
  readonly operations: number;
}

async function describeGroup(broker: Broker, group: string): Promise<GroupRights> {
  const answer = await broker.connectionPool.send<{ readonly groups: readonly GroupRights[] }>({
    request: {
      apiKey: DESCRIBE_GROUPS,
      apiVersion: DESCRIBE_GROUPS_VERSION,
      apiName: 'DescribeGroups',
      encode: async () => new Encoder().writeArray([group]).writeBoolean(true),
    },
    response: {
      decode: async (raw) => {
        const decoder = new Decoder(raw);
        const clientSideThrottleTime = decoder.readInt32();
        return { clientSideThrottleTime, groups: decoder.readArray(readGroup) };
      },
      parse: async (data) => data,
    },
  });
  const [found] = answer.groups;
  if (found === undefined)
    throw new KafkaFault(null, `the broker's answer does not cover the group ${group}`);
  return found;
}

function readGroup(group: Decoder): GroupRights {
  const errorCode = group.readInt16();
  // Its name, state, kind of protocol and protocol.
  for (let field = 0; field < 4; field += 1) group.readString();
  group.readArray((member) => {
    for (let field = 0; field < 3; field += 1) member.readString();
    for (let field = 0; field < 2; field += 1) member.readBytes();
  });
  return { errorCode, operations: group.readInt32() };
}
