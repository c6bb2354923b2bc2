import type { RunMeta } from '@runlog/records/meta-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import type { TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { Examination } from './examination.ts';
import { findingsOf } from './finding.ts';
import { stepWithinMs } from './time-limit.ts';
import { judgeTopics, topicsDue } from './topics.ts';
import { judgeFold } from './versions.ts';

const META_MS = 10_000;

const { failed, skipped } = findingsOf('topics');

/** What later checks need to know of the topics. */
export interface KnownTopics {
  /** Null if the services have not agreed on anything yet, or if it cannot be read. */
  readonly meta: RunMeta | null;
  readonly facts: readonly TopicFacts[];
}

export async function examineTopics(of: Examination): Promise<KnownTopics> {
  const { checkup, inspector, brokers, access } = of;
  const { log, step, add, partitionsAsked } = checkup;
  step('reading run-meta');
  const meta = await metaOf(of).catch((error: unknown) => {
    if (!(error instanceof TopicIoError)) throw error;
    const name = `${log.topics.meta}: record`;
    if (error.code === 'denied') add(skipped(name, `because it is not allowed: ${error.message}`));
    else add(failed(name, error.message));
    return null;
  });
  if (meta !== null) add(judgeFold(meta.fold));
  step('looking at the topics');
  const due = topicsDue(log, meta);
  const looked = await Promise.all(due.map(({ name }) => inspector.topic(name).catch(faultOf)));
  const facts = looked.filter((found) => !(found instanceof TopicIoError)) as TopicFacts[];
  if (facts.length === due.length)
    add(...judgeTopics(due, { facts, meta, brokers, partitionsAsked, access }));
  else add(...due.flatMap(({ name }, at) => faultsAt(name, looked[at]!)));
  return { meta, facts };
}

function faultOf(error: unknown): TopicIoError {
  if (error instanceof TopicIoError) return error;
  throw error;
}

function faultsAt(name: string, found: TopicFacts | TopicIoError) {
  return found instanceof TopicIoError ? [failed(name, found.message)] : [];
}

/** Null if nothing was agreed on yet. */
async function metaOf({ checkup, inspector, io }: Examination): Promise<RunMeta | null> {
  const { topics } = checkup.log;
  const found = await inspector.topic(topics.meta);
  // Who may not look at it, or whom nobody answers, is told so with the topics.
  if (found.kind !== 'found' || found.partitions.some(({ leader }) => leader === null)) return null;
  return await stepWithinMs(META_MS, `read ${topics.meta}`, readMeta(io, topics));
}
