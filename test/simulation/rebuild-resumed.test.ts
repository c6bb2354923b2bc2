import { HeldPartition } from '@runlog/aggregator/held-partition';
import { type RebuildReport, rebuild } from '@runlog/aggregator/rebuild';
import { SnapshotBudget } from '@runlog/aggregator/snapshot-budget';
import { CHECKPOINT_KEY } from '@runlog/records/checkpoint-record';
import { encodeRetirement } from '@runlog/records/control-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { PLAN_KEY } from '@runlog/records/plan-record';
import { prepareTopics, readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { readStoredPartition } from '@runlog/run-feed/stored-snapshots';
import { verify } from '@runlog/run-feed/verify';
import { figuresTopicOf, topicNames } from '@runlog/schema/log/topics';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { createLogger } from '@runlog/service-kit/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { epochCompleted, trainingStarted } from '../support/event-factory.ts';
import { changedIo } from './changed-io.ts';
import { Network } from './network.ts';
import { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedLog } from './simulated-log.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SimulatedTopicIo } from './simulated-topic-io.ts';

const EVENTS_PER_TURN = 200;
const topics = topicNames('');
const logger = createLogger({ service: 'rebuild-resumed', level: 'silent' });

/** A truncated run: the topic no longer holds its beginning, so a rebuild copies it from its former snapshot. */
const OLD = 'c1/old/default';
const ALSO_OLD = 'c1/also-old/default';
const YOUNG = 'c1/young/default';

/** One partition on a simulated log, whose virtual time runs as fast as the machine can. */
class System implements AsyncDisposable {
  readonly io: TopicIo;
  readonly #process: SimulatedProcess;
  readonly #log: SimulatedLog;
  readonly #running: Promise<void>;
  #isRunning = true;
  #events = 0;

  constructor() {
    const random = new SeededRandom(1);
    const scheduler = new Scheduler({ startMs: Date.UTC(2026, 0, 4), random });
    const network = new Network({ latencyMsMax: 2, slowChance: 0, slowMsMax: 0, lossChance: 0 });
    this.#log = new SimulatedLog({ scheduler, random, markerDelayMsMax: 0 });
    this.#process = new SimulatedProcess({ name: 'p', random: random.fork('p'), scheduler });
    const limits = { recordsMax: 1_000, bytesMax: 1024 * 1024, pauseMsMax: () => 0 };
    this.io = new SimulatedTopicIo({ log: this.#log, network, process: this.#process, limits });
    this.#running = (async () => {
      while (this.#isRunning) {
        const until = scheduler.ran + EVENTS_PER_TURN;
        await scheduler.run(() => scheduler.ran >= until);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    })();
  }

  async prepare(): Promise<void> {
    await prepareTopics({
      ...{ io: this.io, topics, logger, partitions: 1, replicationFactor: 1, eventRetentionHours: 1 },
      epoch: () => 'first',
      now: this.#process.clock.now,
    });
  }

  async meta(): Promise<RunMeta> {
    return (await readMeta(this.io, topics))!;
  }

  /** Appends this number of events of the run. The first event of a run begins it. */
  append(key: string, count = 1): void {
    const records = Array.from({ length: count }, (_, index) => {
      const run_id = key.split('/')[1]!;
      const event_id = `${key}-${this.#events}`;
      this.#events += 1;
      const event =
        index === 0 ? trainingStarted({ run_id, event_id }) : epochCompleted({ run_id, event_id });
      const headers = { received_at: new Date(this.#process.clock.now()).toISOString() };
      return { key, value: Buffer.from(JSON.stringify(event)), headers, timestampMs: 0 };
    });
    this.#log.append({ topic: topics.events, partition: 0, records });
  }

  retire(key: string): void {
    const record = encodeRetirement({
      key,
      reason: 'deleted',
      through: null,
      nowMs: this.#process.clock.now(),
    });
    this.#log.append({ topic: topics.events, partition: 0, records: [record] });
  }

  /** Does what an aggregator does that starts, folds everything, flushes and stops. */
  async aggregate(): Promise<void> {
    const { io } = this;
    const { clock } = this.#process;
    const budget = new SnapshotBudget({ bytesPerSecond: 1_000_000_000, nowMs: clock.now() });
    await using held = (await HeldPartition.claim({
      ...{ io, topics, clock, budget, logger, partition: 0, meta: await this.meta() },
      confirm: async () => true,
      signal: new AbortController().signal,
    }))!;
    const from = () => held.nextOffset;
    let nextOffset = held.nextOffset;
    const read = await readToEnd(io, {
      ...{ topic: topics.events, partitions: [0], from },
      onRecords: (records) => {
        nextOffset = records.at(-1)!.offset + 1;
        held.fold({ records, nextOffset });
      },
    });
    held.fold({ records: [], nextOffset: read.get(0)!.nextOffset });
    await held.flushAll();
  }

  /** Deletes all present events, as retention would. */
  truncate(): void {
    const partition = this.#log.partition(topics.events, 0)!;
    partition.deleteBelow(partition.end);
  }

  rebuild(io: TopicIo = this.io): Promise<RebuildReport> {
    return rebuild({
      ...{ io, topics, logger, replicationFactor: 1, dropOld: false, clock: this.#process.clock },
      newEpoch: () => 'second',
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
  }

  /** Runs a rebuild that ends just before or after its commit of that number. Returns false if it made fewer. */
  async rebuildKilled(at: { commit: number; isDone: boolean }): Promise<boolean> {
    let commits = 0;
    const die = () => {
      throw new TopicIoError('unavailable', 'killed');
    };
    const io = changedIo(this.io, {
      fencedWriter: async (id) => {
        const writer = await this.io.fencedWriter(id);
        return {
          commit: async (transaction) => {
            commits += 1;
            if (commits === at.commit && !at.isDone) die();
            await writer.commit(transaction);
            if (commits === at.commit) die();
          },
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        };
      },
    });
    try {
      await this.rebuild(io);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ message: 'killed' });
      return true;
    }
  }

  /** Returns the content of the current snapshot topic. */
  async stored(): Promise<Record<string, RunSnapshot>> {
    const { snapshots } = await readStoredPartition(this.io, {
      topic: (await this.meta()).snapshots,
      partition: 0,
    });
    return Object.fromEntries([...snapshots].map(([key, bytes]) => [key, JSON.parse(bytes.toString())]));
  }

  async differences(): Promise<readonly unknown[]> {
    const meta = await this.meta();
    const report = await verify({
      ...{ io: this.io, topics, meta, signal: new AbortController().signal },
      sleep: this.#process.clock.sleep,
    });
    return report.differences;
  }

  async write(topic: string, values: Readonly<Record<string, object>>, headers = {}): Promise<void> {
    await using writer = await this.io.fencedWriter('by hand');
    const records = Object.entries(values).map(([key, value]) => ({
      ...{ key, value: Buffer.from(JSON.stringify(value)), headers, timestampMs: 0 },
    }));
    await writer.commit({ records: [{ topic, partition: 0, records }] });
  }

  /** Changes the stored snapshot of a run so that it contradicts the topic. */
  async tamper(key: string, headers = {}): Promise<void> {
    const { snapshots } = await this.meta();
    await this.write(snapshots, { [key]: { ...(await this.stored())[key], cumulative_pruned: 7 } }, headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.io[Symbol.asyncDispose]();
    this.#isRunning = false;
    await this.#running;
  }
}

/** Makes a system with two truncated runs and one that the topic holds completely. All are stored correctly. */
async function filled(): Promise<System> {
  const system = new System();
  await system.prepare();
  system.append(OLD, 3);
  system.append(ALSO_OLD, 2);
  await system.aggregate();
  system.truncate();
  system.append(YOUNG, 3);
  system.append(ALSO_OLD);
  await system.aggregate();
  return system;
}

/** Kills a rebuild before and after each of its commits, except those of the switch. */
async function atEveryMoment(history: {
  before?: (system: System) => Promise<void> | void;
  between?: (system: System) => Promise<void> | void;
  after: (system: System, report: RebuildReport) => Promise<void>;
}): Promise<void> {
  let moments = 0;
  for (let commit = 1; ; commit += 1) {
    for (const isDone of [false, true]) {
      await using system = await filled();
      await history.before?.(system);
      const former = await system.meta();
      const wasKilled = await system.rebuildKilled({ commit, isDone });
      if ((await system.meta()).snapshots !== former.snapshots) {
        expect(moments).toBeGreaterThan(4);
        return;
      }
      expect(wasKilled).toBe(true);
      moments += 1;
      await history.between?.(system);
      const report = await system.rebuild();
      await history.after(system, report);
      expect(await system.differences()).toEqual([]);
      // An aggregator that follows the switch can continue from the rebuilt snapshots.
      await system.aggregate();
      expect(await system.differences()).toEqual([]);
    }
  }
}

describe('a rebuild that was killed and is started again', () => {
  it('leaves out a run that was retired, though its former holder has not written so', async () => {
    await atEveryMoment({
      before: (system) => {
        system.retire(OLD);
        system.append(YOUNG);
      },
      after: async (system) => {
        const stored = await system.stored();
        expect(Object.keys(stored).sort()).toEqual([ALSO_OLD, YOUNG]);
        expect(stored[ALSO_OLD]).toMatchObject({ first_seq: 3, total_events_received: 3 });
      },
    });
  });

  it('begins a retired run anew with its later events', async () => {
    await atEveryMoment({
      before: (system) => {
        system.retire(OLD);
        system.append(OLD);
      },
      after: async (system) => {
        expect((await system.stored())[OLD]).toMatchObject({ first_seq: 10, total_events_received: 1 });
      },
    });
  });

  it('begins a partition anew if retention has overtaken its earlier output', async () => {
    await atEveryMoment({
      between: async (system) => {
        system.append(ALSO_OLD);
        system.retire(OLD);
        await system.aggregate();
        system.truncate();
        system.append(YOUNG);
      },
      after: async (system, report) => {
        const stored = await system.stored();
        expect(Object.keys(stored).sort()).toEqual([ALSO_OLD, YOUNG]);
        expect(stored[ALSO_OLD]).toMatchObject({ first_seq: 3, total_events_received: 4 });
        expect(stored[YOUNG]).toMatchObject({ total_events_received: 4 });
        expect(report.kept).toBe(2);
      },
    });
  });

  it('begins a new epoch if events were deleted meanwhile that nothing stored includes', async () => {
    await atEveryMoment({
      between: (system) => {
        system.append(YOUNG);
        system.truncate();
      },
      after: async (system, { former, meta }) => {
        expect(meta.epoch).not.toBe(former.epoch);
        expect((await system.stored())[YOUNG]).toMatchObject({ total_events_received: 3 });
      },
    });
  });

  it('begins a new epoch if the former snapshots have proved wrong meanwhile', async () => {
    await atEveryMoment({
      between: (system) => system.tamper(YOUNG),
      after: async (system, { former, meta }) => {
        expect(meta.epoch).not.toBe(former.epoch);
        expect((await system.stored())[YOUNG]).toMatchObject({ cumulative_pruned: 0 });
      },
    });
  });
});

describe('a rebuild', () => {
  it('keeps the epoch if only events were deleted that the snapshots include', async () => {
    await using system = await filled();
    system.truncate();
    const { former, meta, before } = await system.rebuild();
    expect(before?.lost).toEqual([]);
    expect(meta.epoch).toBe(former.epoch);
  });

  it('begins a new epoch if events were deleted that a reader may hold and nothing stored includes', async () => {
    await using system = await filled();
    system.append(YOUNG, 2);
    system.truncate();
    const { former, meta, before } = await system.rebuild();
    expect(before).toMatchObject({ differences: [], lost: [{ partition: 0, from: 9, to: 11 }] });
    expect(meta.epoch).not.toBe(former.epoch);
  });

  it('begins a new epoch if it has not all figures of a run whose events are gone', async () => {
    await using system = await filled();
    await system.write(figuresTopicOf((await system.meta()).snapshots), { [OLD]: { no: 'figures' } });
    const { former, meta } = await system.rebuild();
    expect(meta.epoch).not.toBe(former.epoch);
  });

  it('begins a new epoch if the snapshot of a run whose events are gone is not the one that was written', async () => {
    await using system = await filled();
    await system.tamper(OLD, { crc32: '00000000' });
    const { former, meta } = await system.rebuild();
    expect(meta.epoch).not.toBe(former.epoch);
  });

  it('does not use what another version of the fold had begun, and deletes it', async () => {
    await using system = await filled();
    const { snapshots, epoch } = await system.meta();
    const fold = FOLD_VERSION + 1;
    const begun = `${snapshots}.v2`;
    await system.io.ensureTopics([{ name: begun, partitions: 1, cleanupPolicy: 'compact', settings: {} }]);
    await system.write(begun, {
      [PLAN_KEY]: { from: snapshots, epoch, fold },
      [CHECKPOINT_KEY]: { epoch, fold, next: 10 },
      'c1/never/default': {},
    });
    expect(await system.rebuild()).toMatchObject({
      resumed: false,
      meta: { epoch, fold: FOLD_VERSION, snapshots: `${snapshots}.v3` },
    });
    expect(await system.io.describeTopic(begun)).toBeNull();
    expect(Object.keys(await system.stored()).sort()).toEqual([ALSO_OLD, OLD, YOUNG]);
    expect(await system.differences()).toEqual([]);
  });
});
