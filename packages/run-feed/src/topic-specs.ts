import type { RunMeta } from '@runlog/records/meta-record';
import { EVENTS_TOPIC_BYTES_MIN, SNAPSHOT_RECORD_BYTES_MAX } from '@runlog/schema/limits';
import {
  eventTopicSettings,
  figuresTopicOf,
  metaTopicSettings,
  rejectedTopicSettings,
  snapshotTopicSettings,
  type TopicNames,
} from '@runlog/schema/log/topics';
import type { CheckedTopic } from './check-topics.ts';

/** What the configuration says about topics that are created. */
export interface TopicPlan {
  readonly topics: TopicNames;
  readonly replicationFactor: number | undefined;
  readonly eventRetentionHours: number;
}

/** Returns the topics that ingest writes. */
export function eventTopics(
  { topics, replicationFactor, eventRetentionHours }: TopicPlan,
  partitions: number,
): [events: CheckedTopic, rejected: CheckedTopic] {
  const made = { partitions, replicationFactor };
  return [
    {
      ...{ ...made, name: topics.events, recordBytesMin: EVENTS_TOPIC_BYTES_MIN },
      ...eventTopicSettings(eventRetentionHours),
    },
    // What is rejected is cut to what fits.
    { ...made, name: topics.rejected, recordBytesMin: 0, ...rejectedTopicSettings(eventRetentionHours) },
  ];
}

/** Returns the topics that an aggregator or a rebuild writes. */
export function snapshotTopics(
  { replicationFactor }: Pick<TopicPlan, 'replicationFactor'>,
  { snapshots, partitions }: Pick<RunMeta, 'snapshots' | 'partitions'>,
): CheckedTopic[] {
  return [snapshots, figuresTopicOf(snapshots)].map((name) => ({
    ...{ name, partitions, replicationFactor, recordBytesMin: SNAPSHOT_RECORD_BYTES_MAX },
    ...snapshotTopicSettings(),
  }));
}

export function metaTopic({
  topics,
  replicationFactor,
}: Omit<TopicPlan, 'eventRetentionHours'>): CheckedTopic {
  return { name: topics.meta, partitions: 1, replicationFactor, recordBytesMin: 0, ...metaTopicSettings() };
}
