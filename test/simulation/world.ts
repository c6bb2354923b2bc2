import type { RunMeta } from '@runlog/records/meta-record';
import type { RunChange } from '@runlog/run-feed/run-change';
import { topicNames } from '@runlog/schema/log/topics';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { silentLogger } from '../support/silent-logger.ts';
import type { Build } from './build.ts';
import { Network } from './network.ts';
import { Oracle } from './oracle.ts';
import { HEAL_AT_MS, type Plan } from './plan.ts';
import { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedLog, type SimulatedLogOptions } from './simulated-log.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SimulatedTopicIo } from './simulated-topic-io.ts';
import { Violation } from './violation.ts';

export const START_MS = Date.UTC(2026, 0, 3, 23, 59, 0);
const EVENT_RETENTION_HOURS = 720;
const RUN_RETENTION_HOURS = 720;
export const RUN_RETENTION_MS = RUN_RETENTION_HOURS * 3_600_000;

/** The places where a build can be made wrong on purpose, to show that the simulation notices it. */
export interface Mutations {
  readonly makeLog?: (options: SimulatedLogOptions) => SimulatedLog;
  /** Changes what passes from the feed to the hub. */
  readonly tamper?: (changes: readonly RunChange[]) => readonly RunChange[];
  /** Changes the messages that a gateway sends. */
  readonly garble?: (message: string) => string;
  /** Wraps a process's access to the log. */
  readonly wrapIo?: (io: TopicIo, of: ProgramKind) => TopicIo;
  /** Makes rebuilds keep the epoch whatever they found. */
  readonly keepsEpoch?: boolean;
  /** Whether the clock of this process stops while the machine sleeps. */
  readonly oversleeps?: (process: string) => boolean;
}

export type ProgramKind = 'aggregator' | 'gateway' | 'rebuild';

/** The state that all parts of one history share. */
export class World {
  readonly plan: Plan;
  readonly mutations: Mutations;
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly topics = topicNames('');
  readonly oracle: Oracle;
  readonly log: SimulatedLog;
  /** The lines of the trace; null if nobody needs them. */
  readonly trace: string[] | null;
  /** How often each situation happened. */
  readonly reached = new Map<string, number>();
  readonly #cleaner: SeededRandom;
  /** The first thing that went wrong outside the scheduler's own steps. */
  failure: unknown = null;

  constructor(options: { plan: Plan; mutations: Mutations; isTraced: boolean }) {
    const { plan, mutations } = options;
    this.plan = plan;
    this.mutations = mutations;
    this.trace = options.isTraced ? [] : null;
    this.random = new SeededRandom(plan.seed);
    this.#cleaner = this.random.fork('cleaner');
    this.scheduler = new Scheduler({ startMs: START_MS, random: this.random.fork('ties') });
    this.network = new Network({
      latencyMsMax: plan.latencyMsMax,
      slowChance: plan.slowChance,
      slowMsMax: plan.slowMsMax,
      lossChance: 0,
    });
    const onReached = (what: string) => this.reach(what);
    this.oracle = new Oracle({
      ...{ topics: this.topics, partitions: plan.partitions, runRetentionMs: RUN_RETENTION_MS, onReached },
    });
    const makeLog = mutations.makeLog ?? ((of: SimulatedLogOptions) => new SimulatedLog(of));
    this.log = makeLog({
      scheduler: this.scheduler,
      random: this.random.fork('log'),
      markerDelayMsMax: plan.markerDelayMsMax,
      onReached,
      onDelete: (topic) => {
        if (topic === this.topics.events) this.oracle.eventsDeleted(this.log);
        else this.oracle.topicDeleted(topic);
      },
      onUnnoticed: ({ topic, index }) => {
        if (topic === this.topics.events) this.oracle.readsOn(index);
      },
      onBegun: (reading) => {
        if (reading.at.topic === this.topics.events) this.oracle.begins(reading);
      },
      onVisible: (visible) => {
        this.note(() => {
          const keys = visible.records.map(({ key, offset }) => `${key}@${offset}`);
          return `visible ${visible.topic}/${visible.partition}: ${keys.join(' ')}`;
        });
        // An error must not become the answer to the process that wrote the record.
        try {
          this.oracle.onVisible(visible);
        } catch (error) {
          this.fail(error);
        }
        if (/^run-(snapshots|figures)/.test(visible.topic)) this.#cleanSoon(visible);
      },
    });
  }

  /**
   * Runs an eager log cleaner: after a commit, some of the records that it replaced are removed, perhaps while a reader
   * needs them.
   */
  #cleanSoon({ topic, partition }: { topic: string; partition: number }): void {
    const { cleanerDelayMsMax } = this.plan;
    if (cleanerDelayMsMax === null) return;
    this.scheduler.after(this.#cleaner.between(0, cleanerDelayMsMax), () => {
      this.log.compact({ topic, partition }, { random: this.#cleaner, share: 0.5 });
    });
  }

  get elapsedMs(): number {
    return this.scheduler.nowMs - this.scheduler.leapedMs - START_MS;
  }

  reach(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  note(text: () => string): void {
    this.trace?.push(`${(this.elapsedMs / 1_000).toFixed(3).padStart(8)}  ${text()}`);
  }

  process(name: string): SimulatedProcess {
    const { scheduler } = this;
    const oversleeps = this.mutations.oversleeps?.(name) ?? false;
    return new SimulatedProcess({ name, scheduler, random: this.random.fork(name), oversleeps });
  }

  openLog(process: SimulatedProcess, of?: ProgramKind): TopicIo {
    const io: TopicIo = new SimulatedTopicIo({
      log: this.log,
      network: this.network,
      process,
      limits: {
        recordsMax: this.plan.recordsPerAnswerMax,
        bytesMax: 1024 * 1024,
        pauseMsMax: () => (this.elapsedMs < HEAL_AT_MS ? this.plan.fetchPauseMsMax : 0),
      },
    });
    return of === undefined ? io : (this.mutations.wrapIo?.(io, of) ?? io);
  }

  /** Returns a logger that writes everything to the trace, if there is one. */
  logger(process: SimulatedProcess): Logger {
    if (this.trace === null) return silentLogger;
    const say = (fields: object, message: string) =>
      this.note(() => `${process.name}: ${message} ${describe(fields)}`);
    return { debug: say, info: say, warn: say, error: say };
  }

  /** Prepares the topics as every service does at its start, and retries until the log answers. */
  async prepareTopics(build: Build, process: SimulatedProcess, io: TopicIo): Promise<RunMeta> {
    const { topics, plan } = this;
    for (;;) {
      try {
        return await build.prepareTopics({
          ...{ io, topics, partitions: plan.partitions, replicationFactor: 1 },
          eventRetentionHours: EVENT_RETENTION_HOURS,
          epoch: () => `epoch-of-${process.name}`,
          now: process.clock.now,
          logger: this.logger(process),
        });
      } catch (error) {
        if (!(error instanceof TopicIoError) || error.code === 'unusable') throw error;
        await new Promise<void>((resolve) =>
          process.clock.after(process.random.between(200, 1_500), resolve),
        );
      }
    }
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  violated(message: string): void {
    this.fail(new Violation(message));
  }
}

function describe(fields: object): string {
  const { err, ...rest } = fields as { err?: unknown };
  const fault = err instanceof Error ? ` (${err.message})` : '';
  return `${JSON.stringify(rest)}${fault}`;
}
