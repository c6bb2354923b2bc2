import type { PartitionFacts, TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { type Finding, findingsOf } from './finding.ts';

const { warning, failed } = findingsOf('topics');

type FoundTopic = Extract<TopicFacts, { kind: 'found' }>;

/** As many partitions are named one by one. */
const NAMED_MAX = 8;
const REPLICAS_DUE = 3;

/** Judges whether every partition has a leader, and enough replicas that are in sync. */
export function judgeReplicas(
  { name, partitions, settings }: FoundTopic,
  cluster: { readonly brokers: number; readonly wanted: number | undefined },
): Finding[] {
  const minInSync = Number(settings?.['min.insync.replicas'] ?? Number.NaN);
  const leaderless = partitions.filter(({ leader }) => leader === null);
  const refusing = partitions.filter(
    ({ leader, inSync, replicas }) =>
      leader !== null && inSync.length < minInSync && minInSync <= replicas.length,
  );
  const behind = partitions.filter(
    ({ leader, inSync, replicas }) =>
      leader !== null && inSync.length < replicas.length && !(inSync.length < minInSync),
  );
  const findings: Finding[] = [];
  if (leaderless.length > 0) {
    const brokers = [...new Set(leaderless.flatMap(({ replicas }) => replicas))].join(', ');
    const message = `${numbers(leaderless)} cannot be read or written: no leader. Start the brokers that have it (${brokers})`;
    findings.push(failed(`${name}: leaders`, message, { details: { partitions: ids(leaderless) } }));
  }
  if (refusing.length > 0) {
    const message = `${numbers(refusing)} refuses what is written: fewer replicas are in sync than min.insync.replicas=${minInSync}. ${startThem(refusing)}`;
    findings.push(failed(`${name}: in sync`, message, { details: { partitions: ids(refusing) } }));
  }
  if (behind.length > 0) {
    const message = `of ${numbers(behind)} not all replicas are in sync. ${startThem(behind)}`;
    findings.push(warning(`${name}: replicas in sync`, message, { details: { partitions: ids(behind) } }));
  }
  return [...findings, ...judgeFactor(name, partitions, { ...cluster, minInSync })];
}

/** Names the brokers that have replicas, and that the cluster does not know at the moment. */
export function judgeAbsent(topics: readonly TopicFacts[], known: ReadonlySet<number>): Finding[] {
  const holders = new Map<number, string[]>();
  for (const topic of topics) {
    if (topic.kind !== 'found') continue;
    for (const id of new Set(topic.partitions.flatMap(({ replicas }) => replicas))) {
      if (!known.has(id)) holders.set(id, [...(holders.get(id) ?? []), topic.name]);
    }
  }
  return [...holders].map(([id, names]) =>
    failed(
      `broker ${id}`,
      `has replicas of ${names.join(', ')}, and the cluster does not know it now: it is down, or was taken away. Start it`,
      { details: { broker: id, topics: names } },
    ),
  );
}

function judgeFactor(
  name: string,
  partitions: readonly PartitionFacts[],
  at: { readonly brokers: number; readonly wanted: number | undefined; readonly minInSync: number },
): Finding[] {
  const factor = Math.min(...partitions.map(({ replicas }) => replicas.length));
  if (at.minInSync > factor) {
    const message = `nothing can be written: min.insync.replicas=${at.minInSync}, and there are only ${factor}`;
    return [failed(`${name}: replicas`, message)];
  }
  const wanted = at.wanted ?? (at.brokers < REPLICAS_DUE ? 1 : REPLICAS_DUE);
  if (factor >= wanted) return [];
  const message =
    factor === 1
      ? `there is 1 replica, not ${wanted}: what is on a broker is lost with its disk`
      : `there are ${factor} replicas, not ${wanted}`;
  const more = `${message}. kafka-reassign-partitions.sh adds some`;
  return [(factor === 1 ? failed : warning)(`${name}: replicas`, more)];
}

function startThem(partitions: readonly PartitionFacts[]): string {
  const missing = partitions.flatMap(({ replicas, inSync }) =>
    replicas.filter((one) => !inSync.includes(one)),
  );
  return `Start or repair broker ${[...new Set(missing)].sort((a, b) => a - b).join(', ')}`;
}

function ids(partitions: readonly PartitionFacts[]): number[] {
  return partitions.map(({ partition }) => partition);
}

function numbers(partitions: readonly PartitionFacts[]): string {
  const named = ids(partitions).slice(0, NAMED_MAX).join(', ');
  const more = partitions.length > NAMED_MAX ? ` and ${partitions.length - NAMED_MAX} more` : '';
  return `partition ${named}${more}`;
}
