import type { RunMeta } from '@runlog/records/meta-record';
import { decodeMeta, encodeMeta, META_KEY } from '@runlog/records/meta-record';
import { type Role, rightsOf } from '@runlog/schema/log/rights';
import type { TopicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type { Logger } from '@runlog/topic-io/logger';
import {
  isDenial,
  type TopicDescription,
  type TopicIo,
  TopicIoError,
  type TopicNeed,
  type TopicSpec,
} from '@runlog/topic-io/topic-io';
import { alterCommand } from '@runlog/topic-io/topic-settings';
import { readToEnd } from './read-to-end.ts';
import { eventTopics, metaTopic, snapshotTopics, type TopicPlan } from './topic-specs.ts';

/** Contenders for an empty `run-meta` fence each other. After this many rounds something else is wrong. */
const ROUNDS_MAX = 20;
const LACKS_ID =
  'run-meta lacks the id of the events topic, and this process may not write it; "runlog topics --create" does';

/** The plan is used for creating topics; existing ones keep their settings. */
export interface PrepareOptions extends TopicPlan {
  readonly io: TopicIo;
  readonly partitions: number;
  /** Names a new epoch of the topics. Is called only if they have none yet. */
  readonly epoch: () => string;
  /** Unix time in milliseconds; dates the record of `run-meta`. */
  readonly now: () => number;
  readonly logger: Logger;
  /** Whose rights to the topics are checked. */
  readonly role?: Role;
}

/**
 * Creates missing topics and agrees with every other process on `run-meta`. The first process to write it under its
 * fenced id wins, and the others read what it wrote. Topics of snapshots and figures are made before that: once `run-meta`
 * names them, only a rebuild makes any. Otherwise a process that slept through a rebuild would bring back, empty, what that
 * has dropped. Rejects with `unavailable` if `run-meta` names a topic that is not there, and with `unusable` if the topics
 * contradict `run-meta` or were written by another version of the fold.
 */
export async function prepareTopics(options: PrepareOptions): Promise<RunMeta> {
  const { io, topics, logger } = options;
  const ensure = (spec: TopicSpec) => ensureTopic(options, spec);
  const ofMeta = await ensure(metaTopic(options));
  // The events topic decides the partition count, because two processes with different settings must not disagree on
  // it.
  const events = await ensure(eventTopics(options, options.partitions)[0]);
  await ensure(eventTopics(options, events.partitions)[1]);
  refuseLossyPolicies({ events, compacted: [ofMeta] });
  const meta = await agreeOnMeta(options, {
    epoch: options.epoch(),
    fold: FOLD_VERSION,
    partitions: events.partitions,
    snapshots: topics.snapshots,
    starts: (await io.bounds(topics.events)).map(({ startOffset }) => startOffset),
    ...(events.id === undefined ? {} : { events_id: events.id }),
  });
  refuseOtherFold(meta);
  const others = othersEvents(meta, events);
  // Ingest folds nothing: the events that it takes are there for the rebuild. It says so by itself.
  if (others !== null && options.role !== 'ingest') throw others;
  const compacted: TopicDescription[] = [];
  for (const { name } of snapshotTopics(options, meta)) {
    const found = await io.describeTopic(name, needsIn(options, name));
    if (found !== null) compacted.push(found);
    // Ingest does without.
    else if (options.role !== 'ingest') throw new TopicIoError('unavailable', missingText(topics, name));
  }
  refuseContradictions(meta, { events, compacted });
  if (events.partitions !== options.partitions) {
    logger.info(
      { topic: topics.events, partitions: events.partitions, configured: options.partitions },
      'the existing topic keeps its partition count',
    );
  }
  return meta;
}

async function ensureTopic(options: PrepareOptions, spec: TopicSpec): Promise<TopicDescription> {
  return (await options.io.ensureTopics([{ ...spec, needs: needsIn(options, spec.name) }]))[0]!;
}

/** Says that a topic of snapshots or figures is gone, and what to do. */
export function missingText({ meta }: TopicNames, name: string): string {
  return (
    `there is no topic ${name}, which ${meta} names. If somebody deleted it, "runlog rebuild" writes snapshots and figures ` +
    'anew, and services that wait for it go on by themselves'
  );
}

function needsIn({ role, topics }: PrepareOptions, name: string): TopicNeed[] {
  return role === undefined ? [] : needsOf(role, { topics, name });
}

/** Returns what a role does with a topic, which may be one of a rebuild. */
export function needsOf(role: Role, of: { topics: TopicNames; name: string }): TopicNeed[] {
  const rights = rightsOf(role, of.topics).filter(
    ({ resource, name, prefixed }) =>
      resource === 'topic' && (of.name === name || (prefixed && of.name.startsWith(name))),
  );
  const operations = rights.flatMap((right) => right.operations);
  return (['read', 'write'] as const).filter((need) =>
    operations.includes(need === 'read' ? 'Read' : 'Write'),
  );
}

/** Returns null if nothing has been agreed on yet. */
export async function readMeta(
  io: TopicIo,
  topics: TopicNames,
  signal?: AbortSignal,
): Promise<RunMeta | null> {
  let value: Buffer | null = null;
  await readToEnd(io, {
    topic: topics.meta,
    partitions: [0],
    ...(signal === undefined ? {} : { signal }),
    onRecords: (records) => {
      for (const record of records) if (record.key === META_KEY) value = record.value;
    },
  });
  if (value === null) return null;
  const meta = decodeMeta(value);
  if (meta !== null) return meta;
  throw new TopicIoError(
    'unusable',
    `${topics.meta} holds a record that is not run-meta's; is the prefix right?`,
  );
}

async function agreeOnMeta(options: PrepareOptions, proposal: RunMeta): Promise<RunMeta> {
  const { io, topics, logger } = options;
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const agreed = await readMeta(io, topics);
    if (agreed !== null && withIdOf(agreed, proposal) === agreed) return agreed;
    if (agreed === null) {
      for (const spec of snapshotTopics(options, proposal)) await ensureTopic(options, spec);
    }
    try {
      await using writer = await io.fencedWriter(topics.meta);
      // Every earlier contender is fenced now: a record that is absent after this read stays absent until our commit.
      const written = await readMeta(io, topics);
      const due = written === null ? proposal : withIdOf(written, proposal);
      if (due === written) return written;
      const record = encodeMeta(due, options.now());
      await writer.commit({ records: [{ topic: topics.meta, partition: 0, records: [record] }] });
      logger.info(
        { ...due },
        written === null ? 'began a new epoch' : 'run-meta has the id of the events topic now',
      );
      return due;
    } catch (error) {
      if (agreed !== null && isDenial(error)) {
        logger.info({ topic: topics.meta }, LACKS_ID);
        return agreed;
      }
      if (!(error instanceof TopicIoError) || error.code !== 'fenced') throw error;
    }
  }
  throw new TopicIoError('unavailable', `no agreement on ${topics.meta} after ${ROUNDS_MAX} rounds`);
}

/**
 * Adds the id of the present events topic to a record of a build that wrote none. By then the snapshots are those of the
 * present topic, as far as restoring them can tell. Builds that do not know the id read the record as before.
 */
function withIdOf(meta: RunMeta, { events_id }: RunMeta): RunMeta {
  const lacksId = meta.events_id === undefined && events_id !== undefined;
  return lacksId && meta.fold === FOLD_VERSION ? { ...meta, events_id } : meta;
}

/** Says that the events topic was made anew since the snapshots were, or returns null if the ids do not say so. */
export function othersEvents(meta: RunMeta, events: TopicDescription): TopicIoError | null {
  if (!areOtherEvents(meta, events)) return null;
  return new TopicIoError(
    'unusable',
    `${events.name} was recreated: its id is ${events.id}, and ${meta.snapshots} was made from the topic with the id ` +
      `${meta.events_id}. "runlog rebuild" writes new snapshots. If the events were copied here with their offsets, ` +
      '"runlog rebuild --moved" makes use of the former snapshots',
  );
}

/** Whether the ids tell that the snapshots were made from another topic of the same name. */
export function areOtherEvents(meta: RunMeta, events: Pick<TopicDescription, 'id'>): boolean {
  return meta.events_id !== undefined && events.id !== undefined && meta.events_id !== events.id;
}

function refuseContradictions(
  meta: RunMeta,
  found: { events: TopicDescription; compacted: readonly TopicDescription[] },
): void {
  for (const topic of [found.events, ...found.compacted]) {
    if (topic.partitions === meta.partitions) continue;
    throw new TopicIoError(
      'unusable',
      `${topic.name} has ${topic.partitions} partitions, but run-meta says ${meta.partitions}: keys would move between ` +
        'partitions and snapshots would be wrong. Partitions cannot be added to a running runlog',
    );
  }
  refuseLossyPolicies(found);
  refuseOtherFold(meta);
}

/** Compaction would keep one event of each run, and deletion by age would lose runs, or the epoch. */
function refuseLossyPolicies(found: {
  events: TopicDescription;
  compacted: readonly TopicDescription[];
}): void {
  const refuse = ({ name, settings }: TopicDescription, lossy: string, due: string) => {
    const policy = settings['cleanup.policy'];
    if (!policy?.includes(lossy)) return;
    const command = alterCommand(name, { 'cleanup.policy': due });
    const message = `${name} has cleanup.policy=${policy}: it would lose ${due === 'delete' ? 'events' : 'runs'}. Set it to ${due}: ${command}`;
    throw new TopicIoError('unusable', message);
  };
  refuse(found.events, 'compact', 'delete');
  for (const topic of found.compacted) refuse(topic, 'delete', 'compact');
}

/** Throws `unusable`, and says what to do, if another version of the fold writes the snapshots. */
export function refuseOtherFold(meta: RunMeta): void {
  if (meta.fold === FOLD_VERSION) return;
  const remedy = meta.fold > FOLD_VERSION ? 'update this process' : 'run "runlog rebuild"';
  throw new TopicIoError(
    'unusable',
    `the topics are written by fold version ${meta.fold}, this build has ${FOLD_VERSION}: ${remedy}`,
  );
}
