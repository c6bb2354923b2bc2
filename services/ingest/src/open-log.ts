import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import type { LogConfig } from '@runlog/service-kit/log-config';
import type { Compression } from '@runlog/topic-io/compression';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError, type TopicWriter } from '@runlog/topic-io/topic-io';
import type { Outage } from './outage.ts';
import { createRejectedTopic, type RejectedTopic } from './rejected-topic.ts';

/** Everything that publishing needs, once the topics are there. */
export interface OpenLog {
  readonly writer: TopicWriter;
  readonly topic: string;
  readonly partitions: number;
  /** Readers in this process can use what was parsed already. */
  readonly keepsJson: boolean;
  readonly outage: Outage;
  readonly rejectedTopic: RejectedTopic;
}

/** One attempt; rejects with what the log says. */
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
  const { partitions } = await prepareTopics({
    io,
    topics,
    partitions: partitionsWanted,
    replicationFactor,
    eventRetentionHours,
    epoch: options.newEpoch,
    now,
    logger,
  });
  const description = await io.describeTopic(topics.rejected);
  if (description === null)
    throw new TopicIoError('unavailable', `the topic ${topics.rejected} is not there yet`);
  const writer = await io.writer({ compression: options.compression });
  const rejectedTopic = createRejectedTopic({
    writer,
    topic: topics.rejected,
    partitions: description.partitions,
    logger,
    now,
  });
  const keepsJson = io.engine === 'embedded';
  return { writer, topic: topics.events, partitions, keepsJson, outage: options.outage, rejectedTopic };
}
