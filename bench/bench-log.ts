import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { silentLogger } from '../test/support/silent-logger.ts';

/** Apart from what starts brokers, which is larger than a service: the collector of a measured process would pay for it. */
export function openBenchLog(brokers: readonly string[]): Promise<TopicIo> {
  return openKafka({ brokers, clientId: 'runlog-bench', logger: silentLogger });
}
