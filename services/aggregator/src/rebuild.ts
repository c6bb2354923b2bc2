import type { RunMeta } from '@runlog/records/meta-record';
import { encodeMeta } from '@runlog/records/meta-record';
import { decodePlan, encodePlan, PLAN_KEY, type RebuildPlan } from '@runlog/records/plan-record';
import { refuseSmall } from '@runlog/run-feed/check-topics';
import { metaChange, sameMeta } from '@runlog/run-feed/follow-meta';
import { refuseHidden } from '@runlog/run-feed/hidden-snapshots';
import { areOtherEvents, readMeta, refuseOtherFold } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { snapshotTopics } from '@runlog/run-feed/topic-specs';
import { type VerifyProgress, type VerifyReport, verify } from '@runlog/run-feed/verify';
import {
  figuresTopicOf,
  nextSnapshotTopic,
  snapshotWriterId,
  type TopicConfig,
  type TopicNames,
} from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicDescription, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { beginOrGoOn } from './begin-rebuilt-partition.ts';
import { foreignPartitions } from './foreign-partitions.ts';
import { HeldPartition } from './held-partition.ts';
import { missingTopics, readingAsEmpty } from './missing-topics.ts';
import { SnapshotBudget } from './snapshot-budget.ts';

/** The number of events that are folded between two flushes. A kill -9 costs at most the folding of these. */
const EVENTS_PER_FLUSH = 50_000;
const OVERTAKEN =
  'another rebuild took over, or this process was paused for too long; this rebuild ends, and has switched nothing';
const MISSING =
  'topics that run-meta names are gone: what only they held is lost, and everything else is made from the events';
/** Nobody waits for a rebuild's bytes, and nothing else writes to its topic. */
const BYTES_PER_SECOND = 1024 * 1024 * 1024;

const VISIBLE_CHECK_MS = 50;
/** If the switch cannot be read for so long, it is said what hides it. */
const HIDDEN_SAID_MS = 2_000;

export interface RebuildOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly replicationFactor: number | undefined;
  readonly topicConfig?: TopicConfig;
  readonly newEpoch: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Delete the former snapshot topic after the switch. */
  readonly dropOld: boolean;
  /**
   * The events were copied from another cluster with their offsets. So the topic's id says nothing, and only the records say
   * whether the former snapshots are of these events.
   */
  readonly isMoved?: boolean;
  readonly onProgress: (progress: VerifyProgress & { step: 'comparing' | 'writing' }) => void;
}

export interface RebuildReport {
  readonly meta: RunMeta;
  readonly former: RunMeta;
  /**
   * The comparison of the former snapshots with a fold of the topic. Null if another version of the fold wrote them: then
   * they differ although they are right.
   */
  readonly before: VerifyReport | null;
  readonly runs: number;
  /**
   * The number of those runs that began before the oldest event in the topic and go on from their former snapshots, which
   * were brought up if an earlier version of the fold wrote them.
   */
  readonly kept: number;
  /** The number of events that were folded; those that a killed rebuild had folded before are not among them. */
  readonly events: number;
  readonly resumed: boolean;
}

/**
 * Folds the events topic from its start, writes all snapshots anew into the next snapshot topic, and switches
 * `run-meta` to it, which all aggregators and readers follow. It runs beside them. A killed rebuild continues where it
 * stopped; a second one fences the first. The epoch stays, so that clients notice nothing, only if all that a reader may
 * hold under it is proved: every former snapshot is right byte for byte, and every deleted event is in one. A reader may
 * have folded events that were deleted before they were in a snapshot, and the rebuild cannot. Then a new epoch begins.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const { io, topics } = options;
  const former = await readMeta(io, topics);
  if (former === null)
    throw new TopicIoError('unusable', `${topics.meta} is empty: there is nothing to rebuild`);
  // Another rebuild may finish first and delete the topic that is read here. Without this signal we would wait for it
  // for ever.
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const overtaken = metaChange(io, { topics, meta: former, signal }).then(
    (to) => over.abort(switchedMeanwhile(to)),
    () => undefined,
  );
  try {
    const missing = await missingTopics(former, { ...options, signal });
    if (missing.size > 0) options.logger.warn({ topics: [...missing] }, MISSING);
    return await rebuildFrom(former, { ...options, signal, io: readingAsEmpty(io, missing) });
  } catch (error) {
    if (!(error instanceof TopicIoError) || error.code !== 'fenced') throw error;
    throw new TopicIoError('fenced', OVERTAKEN, { cause: error });
  } finally {
    over.abort();
    await overtaken;
  }
}

async function rebuildFrom(former: RunMeta, options: RebuildOptions): Promise<RebuildReport> {
  const { io, topics, clock, signal } = options;
  if (former.fold > FOLD_VERSION) refuseOtherFold(former);
  const all = Array.from({ length: former.partitions }, (_, partition) => partition);
  for (const topic of pairOf(former.snapshots)) {
    // A rebuild is also for a topic that was deleted.
    if ((await io.describeTopic(topic)) === null) continue;
    await refuseHidden({ topic, partitions: all }, { io, sleep: clock.sleep, signal });
  }
  const before =
    former.fold < FOLD_VERSION
      ? null
      : await verify({
          ...{ io, topics, meta: former, signal, sleep: clock.sleep },
          onProgress: (progress) => options.onProgress({ step: 'comparing', ...progress }),
        });
  const events = await eventsTopic(options);
  const foreign =
    !options.isMoved && areOtherEvents(former, events)
      ? new Set(all)
      : await foreignPartitions({
          ...{ io, topics, meta: former, signal, logger: options.logger, sleep: clock.sleep, now: clock.now },
          partitions: all,
        });
  const isProven = before !== null && provesReaders(before) && foreign.size === 0;
  // A rebuild that slept until everything was made anew must not delete what has these names then.
  const dropped = options.dropOld ? await describeAll(io, pairOf(former.snapshots)) : [];
  const { target, epoch, resumed, leftOver } = await agreeOnPlan(options, { former, isProven, events });
  const meta: RunMeta = {
    ...{ epoch, fold: FOLD_VERSION, partitions: former.partitions, snapshots: target },
    ...(events.id === undefined ? {} : { events_id: events.id }),
  };
  const keepsEpoch = isProven && epoch === former.epoch;
  const written = await writeSnapshots(options, { former, meta, foreign, keepsEpoch });
  const now = await eventsTopic(options);
  if (areOtherEvents(meta, now)) {
    throw new TopicIoError(
      'unavailable',
      `${topics.events} was recreated while it was rebuilt from; start again`,
    );
  }
  await switchMeta(options, { former, meta });
  await switchVisible(options, former);
  for (const { name, id } of [...leftOver, ...dropped]) await io.deleteTopic(name, { id });
  options.logger.info({ ...meta, atMs: clock.now() }, 'snapshots rebuilt');
  return { meta, former, before, resumed, ...written };
}

async function eventsTopic({ io, topics }: RebuildOptions): Promise<TopicDescription> {
  const found = await io.describeTopic(topics.events);
  if (found !== null) return found;
  throw new TopicIoError('unavailable', `there is no topic ${topics.events} at the moment; start again`);
}

/** Whether a reader can hold nothing but what a fold of the topic gives. */
function provesReaders({ differences, lost, unreadable }: VerifyReport): boolean {
  return differences.length === 0 && lost.length === 0 && !unreadable.some(({ isDamaged }) => isDamaged);
}

/** The topics that hold the snapshots and the figures of one rebuild. */
function pairOf(snapshots: string): string[] {
  return [snapshots, figuresTopicOf(snapshots)];
}

async function describeAll(io: TopicIo, names: readonly string[]): Promise<TopicDescription[]> {
  const found = await Promise.all(names.map((name) => io.describeTopic(name)));
  return found.filter((topic) => topic !== null);
}

interface Agreement {
  /** The topic to fill. */
  readonly target: string;
  readonly epoch: string;
  /** Whether an earlier attempt had begun to fill it. */
  readonly resumed: boolean;
  /** The topics that other attempts began and that nobody will finish. */
  readonly leftOver: readonly TopicDescription[];
}

/**
 * Agrees on the topic to fill. The plan that was made when a topic was begun is binding for all who fill it. Another
 * topic is begun if another version of the fold made the plan, or if the plan trusted snapshots that have not proved
 * right, because then bytes of the same epoch would differ.
 */
async function agreeOnPlan(
  options: RebuildOptions,
  at: { former: RunMeta; isProven: boolean; events: TopicDescription },
): Promise<Agreement> {
  const { io, topics, clock } = options;
  const { former, isProven, events } = at;
  const ofEvents = events.id === undefined ? {} : { events_id: events.id };
  const { partitions } = former;
  const leftOver: TopicDescription[] = [];
  let target = nextSnapshotTopic(topics, former.snapshots);
  for (;;) {
    const pair: TopicDescription[] = [];
    for (const spec of snapshotTopics(options, { snapshots: target, partitions })) {
      for (const made of await io.ensureTopics([spec])) {
        refuseSmall(made, spec.recordBytesMin);
        pair.push(made);
      }
    }
    await using writer = await io.fencedWriter(snapshotWriterId(target, 0));
    const found = await readPlan(options, target);
    if (found === null) {
      const epoch = isProven ? former.epoch : options.newEpoch();
      const record = encodePlan(
        { from: former.snapshots, epoch, fold: FOLD_VERSION, ...ofEvents },
        clock.now(),
      );
      await writer.commit({ records: [{ topic: target, partition: 0, records: [record] }] });
      return { target, epoch, resumed: false, leftOver };
    }
    const { from, epoch, fold } = found;
    const isTrusted = isProven || epoch !== former.epoch;
    const isOfThese = found.events_id === events.id;
    if (from === former.snapshots && fold === FOLD_VERSION && isOfThese && isTrusted) {
      return { target, epoch, resumed: true, leftOver };
    }
    leftOver.push(...pair);
    target = nextSnapshotTopic(topics, target);
  }
}

/** Resolves to null if there is no plan. */
async function readPlan(options: RebuildOptions, target: string): Promise<RebuildPlan | null> {
  let value: Buffer | null = null;
  await readToEnd(options.io, {
    ...{ topic: target, partitions: [0], signal: options.signal },
    onRecords: (records) => {
      for (const record of records) if (record.key === PLAN_KEY) value = record.value;
    },
  });
  if (value === null) return null;
  const plan = decodePlan(value);
  if (plan !== null) return plan;
  throw new TopicIoError(
    'unusable',
    `${target} holds a plan of a rebuild that cannot be read: delete that topic`,
  );
}

async function writeSnapshots(
  options: RebuildOptions,
  at: { former: RunMeta; meta: RunMeta; foreign: ReadonlySet<number>; keepsEpoch: boolean },
): Promise<{ runs: number; kept: number; events: number }> {
  const { io, topics, clock, signal, logger } = options;
  const bounds = await io.bounds(topics.events);
  const budget = new SnapshotBudget({ bytesPerSecond: BYTES_PER_SECOND, nowMs: clock.now() });
  const progress = {
    events: 0,
    eventsTotal: bounds.reduce((sum, { startOffset, stableEnd }) => sum + stableEnd - startOffset, 0),
  };
  const total = { runs: 0, kept: 0, events: 0 };
  for (const partition of bounds.keys()) {
    const { startOffset, rejectedBelow } = await beginOrGoOn(options, {
      ...{ ...at, partition },
      isForeign: at.foreign.has(partition),
    });
    // A rebuild needs no confirmation by a group.
    await using held = (await HeldPartition.claim({
      ...{ io, topics, partition, budget, clock, signal, logger, meta: at.meta },
      confirm: async () => true,
      rebuild: { rejectedBelow },
    }))!;
    // A killed rebuild may have folded the beginning.
    progress.events += held.nextOffset - startOffset;
    await foldToEnd(options, {
      held,
      onEvents: (count) => {
        total.events += count;
        progress.events += count;
        // Services go on to write events meanwhile.
        progress.eventsTotal = Math.max(progress.eventsTotal, progress.events);
        options.onProgress({ step: 'writing', ...progress });
      },
    });
    total.runs += held.runs;
    for (const [, { first_seq }] of held.states.heads()) if (first_seq < startOffset) total.kept += 1;
  }
  return total;
}

async function foldToEnd(
  options: RebuildOptions,
  at: { held: HeldPartition; onEvents: (count: number) => void },
): Promise<void> {
  const { io, topics, signal } = options;
  const { held, onEvents } = at;
  await using reader = io.reader({ topic: topics.events, passesUnreadable: true, signal });
  reader.add({ partition: held.partition, offset: held.nextOffset });
  let unflushed = 0;
  for await (const fetched of reader) {
    if (fetched.kind === 'out_of_range') {
      throw new TopicIoError(
        'unusable',
        `${topics.events} lost records while it was being rebuilt from; start again`,
      );
    }
    held.fold(fetched);
    unflushed += fetched.records.length;
    onEvents(fetched.records.length);
    const atEnd = fetched.nextOffset >= fetched.stableEnd;
    if (unflushed >= EVENTS_PER_FLUSH || atEnd) {
      await held.flush({ all: true });
      if (atEnd) await held.flushAll();
      unflushed = 0;
    }
    if (atEnd) return;
  }
  signal.throwIfAborted();
}

/** Switches `run-meta`. From this moment on aggregators continue from the new topic's checkpoints. */
async function switchMeta(options: RebuildOptions, at: { former: RunMeta; meta: RunMeta }): Promise<void> {
  const { io, topics, clock } = options;
  await using writer = await io.fencedWriter(topics.meta);
  const current = await readMeta(io, topics);
  if (current === null || !sameMeta(current, at.former)) throw switchedMeanwhile(current);
  const record = encodeMeta(at.meta, clock.now());
  await writer.commit({ records: [{ topic: topics.meta, partition: 0, records: [record] }] });
}

/**
 * Waits until the switch can be read. A commit is decided before it can be read. A process that starts in between would
 * find the former `run-meta`, and wait for the topic that it names. So nothing is dropped before.
 */
async function switchVisible(options: RebuildOptions, former: RunMeta): Promise<void> {
  const { io, topics, clock, signal } = options;
  const begunMs = clock.now();
  let isSaid = false;
  for (;;) {
    // The switch itself ends the signal too, when it can be read.
    const isStopped = signal.aborted;
    const current = await readMeta(io, topics);
    if (current !== null && !sameMeta(current, former)) return;
    if (isStopped) {
      const when = `${topics.meta} is switched as soon as the transaction ends that is open on it`;
      throw new TopicIoError('unusable', `${when}; the former snapshots were kept`);
    }
    if (!isSaid && clock.now() - begunMs >= HIDDEN_SAID_MS) {
      isSaid = true;
      await sayWhatHides(options);
    }
    await clock.sleep(VISIBLE_CHECK_MS, signal);
  }
}

async function sayWhatHides({ io, topics, logger }: RebuildOptions): Promise<void> {
  const [oldest] = await io.openTransactions({ topic: topics.meta, partition: 0 });
  logger.warn(
    { topic: topics.meta, ...oldest },
    'the switch is written, and nobody sees it until an open transaction on its topic ends',
  );
}

function switchedMeanwhile(to: RunMeta | null): TopicIoError {
  const what = to === null ? 'run-meta is gone' : `the snapshots were switched to ${to.snapshots}`;
  return new TopicIoError('unusable', `${what} meanwhile, probably by another rebuild; this one ends`);
}
