import { logEnvironment } from '@runlog/service-kit/log-config';
import { readConfig } from '@runlog/service-kit/read-config';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { silentLogger } from '../test/support/silent-logger.ts';

const { RUNLOG_KAFKA_ENCODER } = logEnvironment;

/** `RUNLOG_KAFKA_ENCODER=kafkajs` measures the encoder of before. */
export const encoder = readConfig(z.object({ RUNLOG_KAFKA_ENCODER }), process.env).RUNLOG_KAFKA_ENCODER;

/**
 * Is separate from the code that starts brokers, which is larger than a service: otherwise the garbage collector of a
 * measured process would pay for it.
 */
export function openBenchLog(brokers: readonly string[]): Promise<TopicIo> {
  return openKafka({ brokers, clientId: 'runlog-bench', encoder, logger: silentLogger });
}
