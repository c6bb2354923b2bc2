import { metaChange, sameMeta } from '@runlog/run-feed/follow-meta';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { parseSnapshot, readStoredPartition, type StoredPartition } from '@runlog/run-feed/stored-snapshots';
import { type VerifyProgress, type VerifyReport, verify } from '@runlog/run-feed/verify';
import { FOLD_VERSION } from '@runlog/run-state/evolve';
import type { RunMeta } from '@runlog/schema/log-records';
import type { RunSnapshot } from '@runlog/schema/snapshot';
import { META_KEY, snapshotTopicSettings, snapshotWriterId, type TopicNames } from '@runlog/schema/topics';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/service-kit/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { PartitionOwner } from './partition-owner.ts';
import { SnapshotBudget } from './snapshot-budget.ts';

/** Key of the record that tells a resumed rebuild what was decided; on partition 0 of the topic it fills. */
const PLAN_KEY = '#rebuild';
/** So many events are folded between two flushes: what a kill -9 costs. */
const EVENTS_PER_FLUSH = 50_000;
const VISIBLE_CHECK_MS = 50;
/** Nobody waits for a rebuild's bytes, and nothing else writes to its topic. */
const BYTES_PER_SECOND = 1024 * 1024 * 1024;

const planSchema = z.object({ from: z.string(), epoch: z.string() });

export interface RebuildOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly replicationFactor: number | undefined;
  readonly newEpoch: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Delete the former snapshot topic after the switch. */
  readonly dropOld: boolean;
  readonly onProgress: (progress: VerifyProgress & { step: 'comparing' | 'writing' }) => void;
}

export interface RebuildReport {
  readonly meta: RunMeta;
  readonly former: RunMeta;
  /** What the former snapshots were, against a fold of the topic. */
  readonly before: VerifyReport;
  readonly runs: number;
  /** Runs taken over from their former snapshot because they began before what the topic holds. */
  readonly kept: number;
  readonly resumed: boolean;
}

/**
 * Writes all snapshots anew into the next snapshot topic by folding the events topic from its start, then switches
 * `run-meta` to it, which all owners and readers follow. Runs beside them. A killed rebuild goes on where it was; a
 * second one fences the first. The epoch stays when the former snapshots proved right byte for byte, so that clients
 * notice nothing; else a new one begins.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const { io, topics } = options;
  const former = await readMeta(io, topics);
  if (former === null)
    throw new TopicIoError('unusable', `${topics.meta} is empty: there is nothing to rebuild`);
  // Another rebuild may finish first and delete what is read here: that would be waited for without end.
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const overtaken = metaChange(io, { topics, meta: former, signal }).then(
    () => over.abort(changedMeanwhile(topics)),
    () => undefined,
  );
  try {
    return await rebuildFrom(former, { ...options, signal });
  } finally {
    over.abort();
    await overtaken;
  }
}

async function rebuildFrom(former: RunMeta, options: RebuildOptions): Promise<RebuildReport> {
  const { io, topics, clock, signal } = options;
  if (former.fold > FOLD_VERSION) {
    throw new TopicIoError(
      'unusable',
      `fold version ${former.fold} is newer than this build's ${FOLD_VERSION}`,
    );
  }
  const target = nextSnapshotTopic(topics, former);
  await io.ensureTopics([
    {
      name: target,
      partitions: former.partitions,
      replicationFactor: options.replicationFactor,
      ...snapshotTopicSettings(),
    },
  ]);
  const before = await verify({
    ...{ io, topics, meta: former, signal },
    onProgress: (progress) => options.onProgress({ step: 'comparing', ...progress }),
  });
  const { plan, resumed } = await agreeOnPlan(options, { former, target, before });
  const meta: RunMeta = {
    epoch: plan.epoch,
    fold: FOLD_VERSION,
    partitions: former.partitions,
    snapshots: target,
  };
  const written = await writeSnapshots(options, { former, meta });
  await checkpointsVisible(options, meta);
  await switchMeta(options, { former, meta });
  if (options.dropOld) await io.deleteTopic(former.snapshots);
  options.log.info({ ...meta, atMs: clock.now() }, 'snapshots rebuilt');
  return { meta, former, before, resumed, ...written };
}

/** `run-snapshots` → `run-snapshots.v2` → `run-snapshots.v3`. */
export function nextSnapshotTopic(topics: TopicNames, meta: RunMeta): string {
  const version = /\.v(\d+)$/.exec(meta.snapshots.slice(topics.snapshots.length))?.[1] ?? '1';
  return `${topics.snapshots}.v${Number(version) + 1}`;
}

async function agreeOnPlan(
  options: RebuildOptions,
  at: { former: RunMeta; target: string; before: VerifyReport },
): Promise<{ plan: z.infer<typeof planSchema>; resumed: boolean }> {
  const { io, clock } = options;
  const { former, target, before } = at;
  await using writer = await io.fencedWriter(snapshotWriterId(target, 0));
  let value: Buffer | null = null;
  await readToEnd(io, {
    ...{ topic: target, partitions: [0], signal: options.signal },
    onRecords: (records) => {
      for (const record of records) if (record.key === PLAN_KEY) value = record.value;
    },
  });
  if (value !== null) {
    const plan = planSchema.parse(JSON.parse((value as Buffer).toString('utf8')));
    if (plan.from === former.snapshots) return { plan, resumed: true };
    throw new TopicIoError(
      'unusable',
      `${target} is left over from a rebuild of ${plan.from}: delete that topic`,
    );
  }
  const proven = before.differences.length === 0 && former.fold === FOLD_VERSION;
  const plan = { from: former.snapshots, epoch: proven ? former.epoch : options.newEpoch() };
  const record = {
    key: PLAN_KEY,
    value: Buffer.from(JSON.stringify(plan)),
    headers: {},
    timestampMs: clock.now(),
  };
  await writer.commit({ records: [{ topic: target, partition: 0, records: [record] }] });
  return { plan, resumed: false };
}

async function writeSnapshots(
  options: RebuildOptions,
  at: { former: RunMeta; meta: RunMeta },
): Promise<{ runs: number; kept: number }> {
  const { io, topics, clock } = options;
  const bounds = await io.bounds(topics.events);
  const budget = new SnapshotBudget({ bytesPerSecond: BYTES_PER_SECOND, nowMs: clock.now() });
  const progress = {
    events: 0,
    eventsTotal: bounds.reduce((sum, { startOffset, stableEnd }) => sum + stableEnd - startOffset, 0),
  };
  const total = { runs: 0, kept: 0 };
  for (const partition of bounds.keys()) {
    const { owner, kept } = await claimWithSeeds(options, { ...at, partition, budget });
    await using owned = owner;
    await foldToEnd(options, {
      owner: owned,
      onEvents: (count) => {
        progress.events += count;
        options.onProgress({ step: 'writing', ...progress });
      },
    });
    total.runs += owned.runs;
    total.kept += kept;
  }
  return total;
}

/**
 * An owner that begins where the topic does, with what the topic no longer holds. Retention may move that beginning at
 * any time: what was chosen for another one is given up. Once folding has begun, the reader notices.
 */
async function claimWithSeeds(
  options: RebuildOptions,
  at: { former: RunMeta; meta: RunMeta; partition: number; budget: SnapshotBudget },
): Promise<{ owner: PartitionOwner; kept: number }> {
  const { io, topics, clock, signal, log } = options;
  const { former, meta, partition, budget } = at;
  const startOffset = async () => (await io.bounds(topics.events))[partition]!.startOffset;
  for (;;) {
    signal.throwIfAborted();
    const start = await startOffset();
    const stored = await readStoredPartition(io, { topic: former.snapshots, partition, signal });
    const seeds = seedsOf(stored, { meta, startOffset: start });
    const owner = await PartitionOwner.claim({
      ...{ io, topics, meta, partition, budget, clock, signal, log },
      confirm: async () => true,
      rebuild: { seeds, quarantined: stored.checkpoint?.next ?? 0 },
    });
    if (owner === null) throw new Error('a rebuild needs no confirmation');
    let isKept = false;
    try {
      isKept = (await startOffset()) === start;
      if (isKept) return { owner, kept: seeds.length };
    } finally {
      if (!isKept) await owner[Symbol.asyncDispose]();
    }
  }
}

/** Former snapshots of runs whose beginning the topic no longer holds; nothing else remembers it. */
function seedsOf(stored: StoredPartition, at: { meta: RunMeta; startOffset: number }): RunSnapshot[] {
  const { meta, startOffset } = at;
  const seeds: RunSnapshot[] = [];
  for (const bytes of stored.snapshots.values()) {
    const state = parseSnapshot(bytes);
    if (state === null || state.first_seq >= startOffset) continue;
    seeds.push({ ...state, position: { epoch: meta.epoch, seq: state.position.seq } });
  }
  return seeds;
}

async function foldToEnd(
  options: RebuildOptions,
  at: { owner: PartitionOwner; onEvents: (count: number) => void },
): Promise<void> {
  const { io, topics, signal } = options;
  const { owner, onEvents } = at;
  await using reader = io.reader({ topic: topics.events, signal });
  reader.add({ partition: owner.partition, offset: owner.nextOffset });
  let unflushed = 0;
  for await (const fetched of reader) {
    if (fetched.kind === 'out_of_range') {
      throw new TopicIoError(
        'unusable',
        `${topics.events} lost records while it was being rebuilt from; start again`,
      );
    }
    owner.fold(fetched);
    unflushed += fetched.records.length;
    onEvents(fetched.records.length);
    const atEnd = fetched.nextOffset >= fetched.stableEnd;
    if (unflushed >= EVENTS_PER_FLUSH || atEnd) {
      do await owner.flush();
      while (atEnd && owner.hasNews);
      unflushed = 0;
    }
    if (atEnd) return;
  }
  signal.throwIfAborted();
}

/**
 * A commit is decided before it can be read. Who follows the switch must find a checkpoint in every partition, or it
 * would fold what is left of the events as if that were all.
 */
async function checkpointsVisible(options: RebuildOptions, meta: RunMeta): Promise<void> {
  const { io, clock, signal } = options;
  for (let partition = 0; partition < meta.partitions; partition += 1) {
    const at = { topic: meta.snapshots, partition, signal };
    while ((await readStoredPartition(io, at)).checkpoint === null)
      await clock.sleep(VISIBLE_CHECK_MS, signal);
  }
}

/** The moment everything follows: the owners go on from the new topic's checkpoints. */
async function switchMeta(options: RebuildOptions, at: { former: RunMeta; meta: RunMeta }): Promise<void> {
  const { io, topics, clock } = options;
  await using writer = await io.fencedWriter(topics.meta);
  const current = await readMeta(io, topics);
  if (current === null || !sameMeta(current, at.former)) {
    throw changedMeanwhile(topics);
  }
  const value = Buffer.from(JSON.stringify(at.meta));
  const record = { key: META_KEY, value, headers: {}, timestampMs: clock.now() };
  await writer.commit({ records: [{ topic: topics.meta, partition: 0, records: [record] }] });
}

function changedMeanwhile(topics: TopicNames): TopicIoError {
  return new TopicIoError(
    'unusable',
    `${topics.meta} was changed meanwhile; nothing was switched, start again`,
  );
}
