import { KAFKA, toKafkaFault } from './faults.ts';
import type { KafkaSession } from './session.ts';
import { topicId } from './topic-id.ts';
import { readSettings } from './topics.ts';

export interface PartitionFacts {
  readonly partition: number;
  /** Null if there is none. */
  readonly leader: number | null;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

/** What a cluster says of a topic. Unlike a description it is there for topics that are not well, too. */
export type TopicFacts =
  | { readonly kind: 'missing'; readonly name: string }
  | { readonly kind: 'denied'; readonly name: string }
  | {
      readonly kind: 'found';
      readonly name: string;
      /** In the order of their numbers. */
      readonly partitions: readonly PartitionFacts[];
      /** Null if the cluster gives topics no ids. */
      readonly id: string | null;
      /** Null if this process may not read them. */
      readonly settings: Readonly<Record<string, string>> | null;
    };

/** Use it within `attempt`. */
export async function topicFacts(session: KafkaSession, name: string): Promise<TopicFacts> {
  try {
    const partitions = (await session.partitions(name))
      .map(({ partitionId, leader, replicas, isr }) => ({
        ...{ partition: partitionId, leader: leader < 0 ? null : leader },
        ...{ replicas, inSync: isr },
      }))
      .sort((one, other) => one.partition - other.partition);
    const id = (await topicId(session, name)) ?? null;
    return { kind: 'found', name, partitions, id, settings: await settingsOf(session, name) };
  } catch (error) {
    const { code } = toKafkaFault(error);
    if (code === KAFKA.unknownTopicOrPartition) return { kind: 'missing', name };
    if (code === KAFKA.topicAuthorizationFailed) return { kind: 'denied', name };
    throw error;
  }
}

async function settingsOf(session: KafkaSession, name: string): Promise<Record<string, string> | null> {
  try {
    return await readSettings(session, name);
  } catch (error) {
    if (toKafkaFault(error).code === KAFKA.topicAuthorizationFailed) return null;
    throw error;
  }
}
