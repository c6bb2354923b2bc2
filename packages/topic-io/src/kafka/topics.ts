import {
  type PartitionBounds,
  type TopicDescription,
  TopicIoError,
  type TopicNeed,
  type TopicSpec,
} from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { createTopic } from './create-topic.ts';
import { deleteOne } from './delete-topic.ts';
import { about, type FaultSubject, KAFKA, KafkaFault, toKafkaFault } from './faults.ts';
import { firstWithoutRight } from './rights.ts';
import type { AttemptOptions, KafkaSession } from './session.ts';
import { topicId } from './topic-id.ts';

const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const EARLIEST = -2;
const LATEST = -1;
const TOPIC_RESOURCE = 2;
const REPLICATION_FACTOR_DEFAULT = 3;
const MIN_IN_SYNC = 'min.insync.replicas';

/** Creates what is missing and waits until every partition of every topic has a leader. */
export async function ensureTopics(
  session: KafkaSession,
  specs: readonly TopicSpec[],
): Promise<TopicDescription[]> {
  for (const spec of specs) {
    // Whoever may not even see a topic is told what it takes to use it.
    await refuseWithoutRights(session, { name: spec.name, needs: spec.needs ?? [] });
    await session.attempt(bounded(`create topic ${spec.name}`), async () => {
      if (await exists(session, spec.name)) return;
      const { brokers } = await session.refresh();
      const replicationFactor =
        spec.replicationFactor ??
        (brokers.length < REPLICATION_FACTOR_DEFAULT ? 1 : REPLICATION_FACTOR_DEFAULT);
      const controller = await session.controller();
      const creation = {
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor,
        configEntries: configEntries(spec, replicationFactor),
      };
      try {
        await createTopic(controller, creation);
      } catch (error) {
        // Another process was faster.
        if (toKafkaFault(error).code !== KAFKA.topicAlreadyExists) throw error;
      }
      session.forgetTopic(spec.name);
    });
  }
  return Promise.all(specs.map((spec) => describe(session, spec.name)));
}

const OPERATION_OF = { read: 'Read', write: 'Write' } as const;

/** Rejects with `denied` if this process may not do with the topic what it needs. */
async function refuseWithoutRights(
  session: KafkaSession,
  { name, needs }: { name: string; needs: readonly TopicNeed[] },
): Promise<void> {
  for (const need of needs) {
    const operation = OPERATION_OF[need];
    await session.attempt(bounded(`${need} topic ${name}`), async () => {
      const fault = await firstWithoutRight(session, { topics: [name], operation });
      if (fault !== null) throw fault;
    });
  }
}

function topicSubject(name: string, operation: FaultSubject['operation']): FaultSubject {
  return { resource: 'topic', name, operation };
}

/** Returns null if there is no such topic. */
export async function describeTopic(
  session: KafkaSession,
  name: string,
  needs: readonly TopicNeed[] = [],
): Promise<TopicDescription | null> {
  await refuseWithoutRights(session, { name, needs });
  // Another process may have deleted it since it was looked at, or made it anew.
  session.forgetTopic(name);
  return session.attempt(bounded(`describe topic ${name}`), async () =>
    (await exists(session, name)) ? describeOnce(session, name) : null,
  );
}

/** With an id, only the topic that has it. */
export async function deleteTopic(
  session: KafkaSession,
  { name, id }: { name: string; id?: string | undefined },
): Promise<void> {
  const bound = bounded(`delete topic ${name}`);
  // Asked for once: a repetition must not meet another topic than the first try did.
  const known = id ?? (await session.attempt(bound, () => presentId(session, name)));
  await session.attempt(bound, async () => deleteOne(await session.controller(), { name, id: known }));
  session.forgetTopic(name);
}

/** Undefined too if the broker that is asked does not know the topic, perhaps not yet. */
async function presentId(session: KafkaSession, name: string): Promise<string | undefined> {
  try {
    return await topicId(session, name);
  } catch (error) {
    if (toKafkaFault(error).code === KAFKA.unknownTopicOrPartition) return undefined;
    throw error;
  }
}

/** Returns the bounds of every partition, in the order of their numbers. */
export async function bounds(session: KafkaSession, topic: string): Promise<PartitionBounds[]> {
  return existing(
    topic,
    session.attempt(bounded(`read the bounds of ${topic}`), async () => {
      const partitions = (await session.partitions(topic))
        .map(({ partitionId }) => partitionId)
        .sort((a, b) => a - b);
      return Promise.all(partitions.map((partition) => partitionBounds(session, { topic, partition })));
    }),
  );
}

/** Use within `attempt`. */
export async function partitionBounds(
  session: KafkaSession,
  position: { topic: string; partition: number },
): Promise<PartitionBounds> {
  // The end is read first: a start that moves between the two requests must not pass it unnoticed.
  const stableEnd = await offsetAt(session, { ...position, timestamp: LATEST });
  const startOffset = await offsetAt(session, { ...position, timestamp: EARLIEST });
  return { startOffset, stableEnd: Math.max(startOffset, stableEnd) };
}

/** Use within `attempt`. */
export function stableEndOf(
  session: KafkaSession,
  position: { topic: string; partition: number },
): Promise<number> {
  return offsetAt(session, { ...position, timestamp: LATEST });
}

/** What is durable and not yet for readers: from the stable end up to the high watermark. Use within `attempt`. */
export async function heldBackAt(
  session: KafkaSession,
  position: { topic: string; partition: number },
): Promise<{ from: number; to: number }> {
  // In this order, what ends between the two requests is not taken for held back.
  const to = await offsetAt(session, { ...position, timestamp: LATEST }, READ_UNCOMMITTED);
  const from = await offsetAt(session, { ...position, timestamp: LATEST });
  return { from, to: Math.max(from, to) };
}

export async function offsetAtTime(
  session: KafkaSession,
  position: { topic: string; partition: number; timestampMs: number },
): Promise<number> {
  const { topic, partition, timestampMs } = position;
  return existing(
    topic,
    session.attempt(bounded(`find a time in ${topic}/${partition}`), async () => {
      const offset = await offsetAt(session, { topic, partition, timestamp: Math.max(timestampMs, 0) });
      return offset >= 0 ? offset : offsetAt(session, { topic, partition, timestamp: LATEST });
    }),
  );
}

async function offsetAt(
  session: KafkaSession,
  position: { topic: string; partition: number; timestamp: number },
  isolationLevel: number = READ_COMMITTED,
): Promise<number> {
  const { topic, partition, timestamp } = position;
  const leader = await session.leader({ topic, partition });
  const answer = await about(
    { ...topicSubject(topic, 'Describe'), partition },
    leader.listOffsets({
      isolationLevel,
      topics: [{ topic, partitions: [{ partition, timestamp }] }],
    }),
  );
  const offset = answer.responses[0]?.partitions[0]?.offset;
  if (offset === undefined)
    throw new KafkaFault(null, `the broker's answer does not cover ${topic}/${partition}`);
  return Number(offset);
}

async function exists(session: KafkaSession, name: string): Promise<boolean> {
  try {
    await session.partitions(name);
    return true;
  } catch (error) {
    if (toKafkaFault(error).code === KAFKA.unknownTopicOrPartition) return false;
    throw error;
  }
}

async function describe(session: KafkaSession, name: string): Promise<TopicDescription> {
  return session.attempt(bounded(`describe topic ${name}`), () => describeOnce(session, name));
}

/** Use within `attempt`, since a new topic has no leaders at first. */
async function describeOnce(session: KafkaSession, name: string): Promise<TopicDescription> {
  const partitions = await session.partitions(name);
  const leaderless = partitions.find(({ leader }) => leader < 0);
  if (partitions.length === 0 || leaderless !== undefined) {
    throw new KafkaFault(
      KAFKA.leaderNotAvailable,
      `${name}/${leaderless?.partitionId ?? 0} has no leader yet`,
    );
  }
  const settings = await readSettings(session, name);
  const replicationFactor = partitions[0]?.replicas.length ?? 0;
  const id = await topicId(session, name);
  const description = { name, partitions: partitions.length, replicationFactor, settings };
  return id === undefined ? description : { ...description, id };
}

/** Whether offsets below the end may stay without a record for good. Use it within `attempt`. */
export async function isCompacted(session: KafkaSession, topic: string): Promise<boolean> {
  const settings = await readSettings(session, topic);
  const policies = settings['cleanup.policy']?.split(',') ?? [];
  return policies.includes('compact') && settings['remote.storage.enable'] !== 'true';
}

/** Use within `attempt`. */
export async function readSettings(session: KafkaSession, name: string): Promise<Record<string, string>> {
  const broker = await session.anyBroker();
  const resources = [{ type: TOPIC_RESOURCE, name }];
  const answer = await about(
    topicSubject(name, 'DescribeConfigs'),
    broker.describeConfigs({ resources, includeSynonyms: false }),
  );
  const settings: Record<string, string> = {};
  for (const { configName, configValue } of answer.resources[0]?.configEntries ?? []) {
    if (configValue !== null) settings[configName] = configValue;
  }
  return settings;
}

function configEntries(spec: TopicSpec, replicationFactor: number) {
  const settings: Record<string, string> = { 'cleanup.policy': spec.cleanupPolicy, ...spec.settings };
  // If more replicas had to be in sync than exist, nothing could ever be written.
  if (Number(settings[MIN_IN_SYNC] ?? 1) > replicationFactor)
    settings[MIN_IN_SYNC] = String(replicationFactor);
  return Object.entries(settings).map(([name, value]) => ({ name, value }));
}

function bounded(doing: string): AttemptOptions {
  return { doing, timeoutMs: BOUNDS.operationMs };
}

/** Turns the fault of a topic that was missing for the whole time into one that does not pass. */
async function existing<T>(topic: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof TopicIoError && toKafkaFault(error.cause).code === KAFKA.unknownTopicOrPartition) {
      throw new TopicIoError('unusable', `there is no topic ${topic}, or no such partition`, {
        cause: error,
      });
    }
    throw error;
  }
}
