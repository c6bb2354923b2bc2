import type { RunMeta } from '@runlog/records/meta-record';
import { type CheckedTopic, differencesOf } from '@runlog/run-feed/check-topics';
import { othersEvents } from '@runlog/run-feed/prepare-topics';
import { eventTopics, metaTopic, snapshotTopics, type TopicPlan } from '@runlog/run-feed/topic-specs';
import { topicNames } from '@runlog/schema/log/topics';
import { FIGURES_SINCE_FOLD } from '@runlog/schema/run/figures';
import type { TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { type AdminAccess, alterCommand, batchBoundOf } from '@runlog/topic-io/topic-settings';
import { type Finding, findingsOf } from './finding.ts';
import { judgeAbsent, judgeReplicas } from './replicas.ts';

const { ok, warning, failed, skipped } = findingsOf('topics');

/** How the name of the events topic ends, whatever its prefix is. */
const EVENTS = topicNames('').events;

export type FoundTopic = Extract<TopicFacts, { kind: 'found' }>;

/** What is known when topics are judged. */
export interface TopicsSeen {
  /** In the order of `topicsDue`. */
  readonly facts: readonly TopicFacts[];
  /** Null if the services have not agreed on anything yet, or if it cannot be read. */
  readonly meta: RunMeta | null;
  /** The numbers of all brokers that the cluster knows. */
  readonly brokers: ReadonlySet<number>;
  /** The partitions that a variable asks for, if one does. */
  readonly partitionsAsked: number | undefined;
  /** Null where no command changes a setting. */
  readonly access: AdminAccess | null;
}

/** Returns the topics that belong to this deployment, with what runlog would create each of them with. */
export function topicsDue(
  plan: TopicPlan & { readonly partitions: number },
  meta: RunMeta | null,
): readonly CheckedTopic[] {
  const partitions = meta?.partitions ?? plan.partitions;
  const snapshots = meta?.snapshots ?? plan.topics.snapshots;
  const stored = snapshotTopics(plan, { snapshots, partitions });
  // Topics that an older fold wrote have no figures.
  const due = meta !== null && meta.fold < FIGURES_SINCE_FOLD ? stored.slice(0, 1) : stored;
  return [metaTopic(plan), ...eventTopics(plan, partitions), ...due];
}

export function judgeTopics(due: readonly CheckedTopic[], seen: TopicsSeen): Finding[] {
  const { facts, meta } = seen;
  if (facts.every(({ kind }) => kind === 'missing')) return [noTopics(due)];
  const ofTopics = due.flatMap((spec, at) => {
    const found = facts[at]!;
    switch (found.kind) {
      case 'missing':
        return [judgeMissing(spec, meta)];
      case 'denied': {
        const message =
          'this process may not know whether it exists (TOPIC_AUTHORIZATION_FAILED), see permissions';
        return [skipped(spec.name, message)];
      }
      case 'found':
        return judgeTopic(spec, found, seen);
      default: {
        const unreachable: never = found;
        throw new Error(`unknown topic ${JSON.stringify(unreachable)}`);
      }
    }
  });
  return [...judgeAbsent(facts, seen.brokers), ...ofTopics];
}

function noTopics(due: readonly CheckedTopic[]): Finding {
  const names = due.map(({ name }) => name).join(', ');
  const message = `there are none yet (${names}); the first service to start makes them, or an administrator does. Is RUNLOG_TOPIC_PREFIX right?`;
  return warning('topics', message, { remedy: ['runlog topics --create'] });
}

function judgeMissing({ name }: CheckedTopic, meta: RunMeta | null): Finding {
  if (meta === null) {
    const message = 'is missing, while other topics are there; the next service to start makes it';
    return warning(name, message, { remedy: ['runlog topics --create'] });
  }
  const isStored = name === meta.snapshots || name.includes('run-figures');
  const message = isStored
    ? 'is missing, although services have worked with it: a rebuild writes it anew from the events'
    : 'is missing, although services have worked with it: what was in it is gone';
  return failed(name, message, { remedy: [isStored ? 'runlog rebuild' : 'runlog topics --create'] });
}

function judgeTopic(spec: CheckedTopic, found: FoundTopic, seen: TopicsSeen): Finding[] {
  const faults = [
    ...judgeIdentity(found, seen.meta),
    ...judgePartitions(spec, found, seen),
    ...judgeReplicas(found, { brokers: seen.brokers.size, wanted: spec.replicationFactor }),
    ...judgeSettings(spec, { settings: found.settings, replicas: replicasOf(found) }, seen.access),
  ];
  const { name, partitions } = found;
  const count = partitions.length === 1 ? '1 partition' : `${partitions.length} partitions`;
  const message = `${count}, ${replicasOf(found) === 1 ? '1 replica' : `${replicasOf(found)} replicas`} each`;
  const details = { partitions: partitions.length, replicationFactor: replicasOf(found) };
  return [ok(name, message, { details }), ...faults];
}

function replicasOf({ partitions }: FoundTopic): number {
  return partitions[0]?.replicas.length ?? 0;
}

/** Judges whether the topic is the one that the snapshots were made from. */
function judgeIdentity({ name, id, partitions, settings }: FoundTopic, meta: RunMeta | null): Finding[] {
  if (meta === null || id === null || name.slice(-EVENTS.length) !== EVENTS) return [];
  const description = {
    name,
    id,
    partitions: partitions.length,
    replicationFactor: 0,
    settings: settings ?? {},
  };
  const refusal = othersEvents(meta, description);
  return refusal === null ? [] : [failed(`${name}: id`, refusal.message, { remedy: ['runlog rebuild'] })];
}

function judgePartitions(spec: CheckedTopic, found: FoundTopic, seen: TopicsSeen): Finding[] {
  const { meta, partitionsAsked } = seen;
  const { name, partitions } = found;
  const isKeyed = spec.recordBytesMin > 0;
  if (meta !== null && isKeyed && partitions.length !== meta.partitions) {
    const message =
      `has ${partitions.length} partitions, but run-meta says ${meta.partitions}: keys would move between partitions, ` +
      'and no service starts. Partitions cannot be added to a running runlog';
    return [failed(`${name}: partitions`, message)];
  }
  const isEvents = isKeyed && spec.cleanupPolicy === 'delete';
  if (isEvents && partitionsAsked !== undefined && partitionsAsked !== partitions.length) {
    const message = `it keeps its ${partitions.length} partitions; RUNLOG_PARTITIONS=${partitionsAsked} has no effect`;
    return [warning(`${name}: partitions`, message)];
  }
  return [];
}

/** Judges the settings by what runlog would create the topic with. Without an `access` there is no command that mends one. */
export function judgeSettings(
  spec: CheckedTopic,
  found: { readonly settings: Readonly<Record<string, string>> | null; readonly replicas: number },
  access: AdminAccess | null,
): Finding[] {
  const { settings, replicas } = found;
  const { name } = spec;
  if (settings === null) {
    const message = 'this process may not read them (DescribeConfigs), see permissions';
    return [skipped(`${name}: settings`, message)];
  }
  const description = { name, partitions: spec.partitions, replicationFactor: replicas, settings };
  return differencesOf(spec, description).map(({ setting, wanted, found: present, grave }) => {
    const consequence = isRefused(spec, settings, setting)
      ? `; no service starts, because records may have ${spec.recordBytesMin} bytes`
      : grave
        ? '; this can lose events, or what is made of them'
        : '';
    const message = `is ${present}, runlog sets ${wanted}${consequence}`;
    const remedy = access === null ? {} : { remedy: [alterCommand(name, { [setting]: wanted }, access)] };
    const details = { topic: name, setting, wanted, found: present, grave };
    return (grave ? failed : warning)(`${name}: ${setting}`, message, { ...remedy, details });
  });
}

function isRefused(spec: CheckedTopic, settings: Readonly<Record<string, string>>, setting: string): boolean {
  const bound = batchBoundOf(settings);
  return bound.setting === setting && bound.bytesMax < spec.recordBytesMin;
}
