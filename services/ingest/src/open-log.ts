import type { RunMeta } from '@runlog/records/meta-record';
import { checkTopics } from '@runlog/run-feed/check-topics';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import { eventTopics } from '@runlog/run-feed/topic-specs';
import type { LogConfig } from '@runlog/service-kit/log-config';
import type { Compression } from '@runlog/topic-io/compression';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError, type TopicWriter } from '@runlog/topic-io/topic-io';
import type { Outage } from './outage.ts';
import { createRejectedTopic, type RejectedTopic } from './rejected-topic.ts';

/** Everything that publishing needs, once the topics exist. */
export interface OpenLog {
  readonly writer: TopicWriter;
  readonly topic: string;
  readonly partitions: number;
  /** What all processes agreed on when this one prepared the log. */
  readonly meta: RunMeta;
  /** Whether readers in this process can use events that are already parsed. */
  readonly keepsJson: boolean;
  /** See `TopicIo.throttledMs`. */
  readonly throttledMs: () => number;
  readonly outage: Outage;
  readonly rejectedTopic: RejectedTopic;
}

/** Makes one attempt to prepare the log. Rejects with the log's error. */
export async function prepareLog(options: {
  io: TopicIo;
  config: LogConfig;
  compression: Compression;
  newEpoch: () => string;
  outage: Outage;
  logger: Logger;
  now: () => number;
}): Promise<OpenLog> {
  const { io, logger, now } = options;
  const { topics, partitions: partitionsWanted, replicationFactor, eventRetentionHours } = options.config;
  const { topicConfig } = options.config;
  const plan = { topics, replicationFactor, eventRetentionHours, topicConfig };
  const meta = await prepareTopics({
    ...{ io, ...plan, partitions: partitionsWanted },
    epoch: options.newEpoch,
    now,
    logger,
    role: 'ingest',
  });
  const { partitions } = meta;
  await checkTopics(io, { topics: eventTopics(plan, partitions), logger });
  const description = await io.describeTopic(topics.rejected);
  if (description === null)
    throw new TopicIoError('unavailable', `the topic ${topics.rejected} does not exist yet`);
  const writer = await io.writer({ compression: options.compression });
  const rejectedTopic = createRejectedTopic({
    writer,
    topic: topics.rejected,
    partitions: description.partitions,
    logger,
    now,
  });
  const keepsJson = io.engine === 'embedded';
  return {
    ...{ writer, topic: topics.events, partitions, meta, keepsJson, outage: options.outage, rejectedTopic },
    throttledMs: () => io.throttledMs(),
  };
}
