import type { AclOperation } from '@runlog/schema/log/rights';
import { startCodecs } from '../compression.ts';
import type { KafkaOptions } from './config.ts';
import { type Allowed, mayReadGroup, mayWriteUnder, topicRights } from './inspect-rights.ts';
import { type TopicFacts, topicFacts } from './inspect-topic.ts';
import { type NewestBatch, newestBatch } from './newest-batches.ts';
import { patchKafkajs } from './patches.ts';
import { Reachability } from './reachability.ts';
import { KafkaSession } from './session.ts';

/** The bound of each question, in milliseconds. */
const ASK_MS = 8_000;

/**
 * Looks at a cluster for somebody who wants to know what is wrong with it. It changes nothing. Every question ends within
 * its bound; those to the cluster reject with `TopicIoError`.
 */
export interface KafkaInspector extends AsyncDisposable {
  topic(name: string): Promise<TopicFacts>;
  topicRights(topics: readonly string[]): Promise<ReadonlyMap<string, (operation: AclOperation) => Allowed>>;
  mayReadGroup(group: string): Promise<Allowed>;
  mayWriteUnder(transactionalId: string): Promise<Allowed>;
  newestBatch(at: { topic: string; partition: number }): Promise<NewestBatch | null>;
}

export async function inspectKafka(options: KafkaOptions): Promise<KafkaInspector> {
  patchKafkajs();
  await startCodecs();
  const reachability = new Reachability(options);
  const session = new KafkaSession({ kafka: options, reachability, requestTimeoutMs: ASK_MS });
  const ask = <T>(doing: string, question: () => Promise<T>) =>
    session.attempt({ doing, timeoutMs: ASK_MS }, question);
  return {
    topic: (name) => ask(`look at topic ${name}`, () => topicFacts(session, name)),
    topicRights: (topics) => ask('ask for rights to topics', () => topicRights(session, topics)),
    mayReadGroup: (group) => ask(`ask for rights to group ${group}`, () => mayReadGroup(session, group)),
    mayWriteUnder: (id) => ask(`ask for rights to transactional id ${id}`, () => mayWriteUnder(session, id)),
    newestBatch: (at) => ask(`read the end of ${at.topic}/${at.partition}`, () => newestBatch(session, at)),
    [Symbol.asyncDispose]: () => session.close({ abrupt: true }),
  };
}
