import type { RunMeta } from '@runlog/records/meta-record';
import { EVENTS_TOPIC_BYTES_MIN, SNAPSHOT_RECORD_BYTES_MAX } from '@runlog/schema/limits';
import {
  eventTopicSettings,
  figuresTopicOf,
  metaTopicSettings,
  noTopicConfig,
  rejectedTopicSettings,
  snapshotTopicSettings,
  type TopicConfig,
  type TopicNames,
} from '@runlog/schema/log/topics';
import type { CheckedTopic } from './check-topics.ts';

/** What the configuration says about topics that are created. */
export interface TopicPlan {
  readonly topics: TopicNames;
  readonly replicationFactor: number | undefined;
  readonly eventRetentionHours: number;
  readonly topicConfig?: TopicConfig;
}

/** Returns the topics that ingest writes. */
export function eventTopics(
  { topics, replicationFactor, eventRetentionHours, topicConfig = noTopicConfig }: TopicPlan,
  partitions: number,
): [events: CheckedTopic, rejected: CheckedTopic] {
  const made = { partitions, replicationFactor };
  const { cleanupPolicy, settings } = eventTopicSettings(eventRetentionHours);
  return [
    {
      ...{ ...made, name: topics.events, recordBytesMin: EVENTS_TOPIC_BYTES_MIN },
      ...{ cleanupPolicy, settings: { ...settings, ...topicConfig.events } },
    },
    // What is rejected is cut to what fits.
    { ...made, name: topics.rejected, recordBytesMin: 0, ...rejectedTopicSettings(eventRetentionHours) },
  ];
}

/** Returns the topics that an aggregator or a rebuild writes. */
export function snapshotTopics(
  { replicationFactor, topicConfig = noTopicConfig }: Pick<TopicPlan, 'replicationFactor' | 'topicConfig'>,
  { snapshots, partitions }: Pick<RunMeta, 'snapshots' | 'partitions'>,
): CheckedTopic[] {
  const { cleanupPolicy, settings } = snapshotTopicSettings();
  return [snapshots, figuresTopicOf(snapshots)].map((name) => ({
    ...{ name, partitions, replicationFactor, recordBytesMin: SNAPSHOT_RECORD_BYTES_MAX },
    ...{ cleanupPolicy, settings: { ...settings, ...topicConfig.snapshots } },
  }));
}

export function metaTopic({
  topics,
  replicationFactor,
}: Pick<TopicPlan, 'topics' | 'replicationFactor'>): CheckedTopic {
  return { name: topics.meta, partitions: 1, replicationFactor, recordBytesMin: 0, ...metaTopicSettings() };
}
