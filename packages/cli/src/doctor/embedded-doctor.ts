import { randomUUID } from 'node:crypto';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { openLog } from '@runlog/service-kit/log-config';
import { type FolderSight, lookAtFolder, mayBeMade } from '@runlog/topic-io/embedded/inspect-embedded';
import { messageOf } from '@runlog/topic-io/error-message';
import type { TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { type TopicDescription, TopicIoError } from '@runlog/topic-io/topic-io';
import { askOwner } from '../log/owner-control.ts';
import type { Checkup } from './checkup.ts';
import { judgeLibraries } from './codecs.ts';
import { findingsOf, type Group } from './finding.ts';
import { judgeFolder } from './folder.ts';
import { stepWithinMs } from './time-limit.ts';
import { judgeTopics, topicsDue } from './topics.ts';
import { judgeFold } from './versions.ts';

const READ_MS = 20_000;
const OWNER_MS = 60_000;
/** Kafka's; they mean nothing on one machine. */
const OF_CLUSTERS = new Set(['min.insync.replicas', 'unclean.leader.election.enable']);

/** Looks at the folder of an embedded log. It makes none, and writes to one only through the process that owns it. */
export async function examineEmbedded(checkup: Checkup): Promise<void> {
  const { log, step, add, compression } = checkup;
  add(...judgeLibraries(compression, 'embedded'));
  for (const [group, why] of [
    ['permissions', 'because a folder has those of its files, see folder'],
    ['clock', 'because all is on this machine'],
    ['transactions', 'because none is ever open on an embedded log'],
  ] as const) {
    add(findingsOf(group).skipped(group, why));
  }
  step('looking at the folder');
  let sight: FolderSight;
  try {
    sight = await lookAtFolder(log.dataFolder);
  } catch (error) {
    if (!(error instanceof TopicIoError)) throw error;
    add(findingsOf('folder').failed('folder', error.message));
    skipAll(checkup, 'because the folder cannot be used');
    return;
  }
  add(...judgeFolder(sight, sight.kind === 'none' && (await mayBeMade(sight.folder))));
  if (sight.kind === 'none' || sight.state === 'creating') {
    skipAll(checkup, 'because there is no log here');
    return;
  }
  await examineTopics(checkup);
  await examineProbe(checkup, sight.holder !== null);
}

function skipAll({ add }: Checkup, because: string): void {
  const groups: readonly Group[] = ['topics', 'probe'];
  add(...groups.map((group) => findingsOf(group).skipped(group, because)));
}

async function examineTopics(checkup: Checkup): Promise<void> {
  const { log, logger, step, add, partitionsAsked } = checkup;
  step('reading the log');
  try {
    await using io = await openLog(log, { clientId: 'runlog-doctor', logger, readOnly: true });
    const hasMeta = (await io.describeTopic(log.topics.meta)) !== null;
    const meta = hasMeta ? await stepWithinMs(READ_MS, 'read run-meta', readMeta(io, log.topics)) : null;
    if (meta !== null) add(judgeFold(meta.fold));
    const due = topicsDue({ ...log, replicationFactor: 1 }, meta).map((spec) => ({
      ...spec,
      settings: withoutClusters(spec.settings),
    }));
    const facts: TopicFacts[] = [];
    for (const { name } of due) facts.push(factsOf(name, await io.describeTopic(name)));
    add(...judgeTopics(due, { facts, meta, brokers: new Set([0]), partitionsAsked, access: null }));
  } catch (error) {
    if (!(error instanceof TopicIoError)) throw error;
    add(findingsOf('topics').failed('topics', messageOf(error)));
  }
}

function factsOf(name: string, found: TopicDescription | null): TopicFacts {
  if (found === null) return { kind: 'missing', name };
  const partitions = Array.from({ length: found.partitions }, (_, partition) => ({
    ...{ partition, leader: 0, replicas: [0], inSync: [0] },
  }));
  const id = found.id ?? null;
  return { kind: 'found', name, partitions, id, settings: withoutClusters(found.settings) };
}

function withoutClusters(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !OF_CLUSTERS.has(name)));
}

/** Only the owner may write, so it does what the probe does. */
async function examineProbe({ log, probes, signal, step, add }: Checkup, isOwned: boolean): Promise<void> {
  const { skipped } = findingsOf('probe');
  if (!probes) {
    add(skipped('probe', 'because --no-probe was given'));
    return;
  }
  if (!isOwned) {
    add(skipped('probe', 'because no process owns the log now: "runlog up" would do it'));
    return;
  }
  step('probe, in the process that owns the log');
  try {
    const asked = askOwner(
      { work: 'probe', name: `${log.topics.probe}${randomUUID()}` },
      { folder: log.dataFolder, signal, onProgress: ({ step: text }) => step(text) },
    );
    const result = await stepWithinMs(OWNER_MS, 'the owner', asked);
    if (result?.work === 'probe') add(...result.findings);
    else add(skipped('probe', 'because the process that owns the log takes no commands'));
  } catch (error) {
    if (signal.aborted) add(skipped('probe', 'because a signal ended it; the owner deletes what it made'));
    else add(skipped('probe', `because the process that owns the log did not do it: ${messageOf(error)}`));
  }
}
