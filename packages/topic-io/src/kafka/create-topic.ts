import type { Broker } from 'kafkajs/src/broker/index.js';
import request from 'kafkajs/src/protocol/requests/createTopics/v2/request.js';
import response from 'kafkajs/src/protocol/requests/createTopics/v2/response.js';
import { BOUNDS } from './config.ts';
import { KafkaFault } from './faults.ts';

export interface TopicToCreate {
  readonly topic: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly configEntries: readonly { readonly name: string; readonly value: string }[];
}

/**
 * Asks the controller for one topic. Rejects with a KafkaFault that has the broker's own words: they name the setting that
 * it does not know, or the rule that the topic breaks. kafkajs leaves them out. Use it within `attempt`.
 */
export async function createTopic(controller: Broker, topic: TopicToCreate): Promise<void> {
  const answer = await controller.connectionPool.send({
    request: request({ topics: [topic], validateOnly: false, timeout: BOUNDS.requestMs }),
    response: {
      decode: async (raw: Buffer) => ({ ...(await response.decode(raw)), clientSideThrottleTime: 0 }),
      parse: async (data) => data,
    },
  });
  for (const { errorCode, errorMessage } of answer.topicErrors) {
    if (errorCode === 0) continue;
    const subject = { resource: 'topic', name: topic.topic, operation: 'Create' } as const;
    throw new KafkaFault(errorCode, errorMessage ?? `topic ${topic.topic}`, { subject });
  }
}
