import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunMeta } from '@runlog/records/meta-record';
import { prepareTopics, readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { isReservedKey, type TopicNames, topicNames } from '@runlog/schema/log/topics';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { epochCompleted, trainingStarted } from './event-factory.ts';
import { ServiceProcess } from './service-process.ts';
import { silentLogger } from './silent-logger.ts';
import { uniqueName } from './unique-name.ts';

export const REBUILT_PARTITIONS = 12;
const RUNS = 24;
const EVENTS_PER_RUN = 400;
const EVENTS_PER_APPEND = 400;

/** A system whose log is so large that a rebuild can be caught in the middle. */
export class RebuiltSystem implements AsyncDisposable {
  readonly engine: 'kafka' | 'embedded';
  /** The environment by which commands find its log. */
  readonly env: Readonly<Record<string, string>>;
  readonly runs = RUNS;
  readonly #topics: TopicNames;
  readonly #openBeside: () => Promise<TopicIo>;
  readonly #clear: () => Promise<void>;
  #up: ServiceProcess | null = null;

  private constructor(held: {
    engine: 'kafka' | 'embedded';
    env: Readonly<Record<string, string>>;
    topics: TopicNames;
    openBeside: () => Promise<TopicIo>;
    clear: () => Promise<void>;
  }) {
    this.engine = held.engine;
    this.env = held.env;
    this.#topics = held.topics;
    this.#openBeside = held.openBeside;
    this.#clear = held.clear;
  }

  static async onKafka(brokers: readonly string[]): Promise<RebuiltSystem> {
    const prefix = `${uniqueName('killed')}-`;
    const open = () => openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
    const topics = topicNames(prefix);
    await using io = await open();
    await fill(io, topics);
    const env = {
      KAFKA_BROKERS: brokers.join(','),
      RUNLOG_TOPIC_PREFIX: prefix,
      RUNLOG_PARTITIONS: String(REBUILT_PARTITIONS),
    };
    return new RebuiltSystem({
      ...{ engine: 'kafka', env, topics, openBeside: open },
      clear: async () => undefined,
    });
  }

  static async onEmbedded(): Promise<RebuiltSystem> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-killed-'));
    const topics = topicNames('');
    const clear = () => rm(folder, { recursive: true, force: true });
    {
      await using io = await openEmbedded({ folder, logger: silentLogger });
      await fill(io, topics);
    }
    const env = { RUNLOG_DATA_DIR: folder, RUNLOG_PARTITIONS: String(REBUILT_PARTITIONS) };
    const openBeside = () => openEmbedded({ folder, readOnly: true, logger: silentLogger });
    return new RebuiltSystem({ engine: 'embedded', env, topics, openBeside, clear });
  }

  /**
   * Starts all services in one process. On the embedded log it is the owner, which does the work that commands ask for.
   */
  async startServices(): Promise<void> {
    this.#up = await ServiceProcess.start('up', this.env);
  }

  /** Resolves when the process is gone. */
  async endServices(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#up?.end(signal);
    this.#up = null;
  }

  get hasServices(): boolean {
    return this.#up !== null;
  }

  get services(): ServiceProcess {
    return this.#up!;
  }

  /** Looks at the log while others write to it. */
  async beside<Result>(look: (view: LogView) => Promise<Result>): Promise<Result> {
    await using io = await this.#openBeside();
    return await look(new LogView(io, this.#topics));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endServices('SIGKILL');
    await this.#clear();
  }
}

/** The questions that a test asks the log. */
export class LogView {
  readonly #io: TopicIo;
  readonly #topics: TopicNames;

  constructor(io: TopicIo, topics: TopicNames) {
    this.#io = io;
    this.#topics = topics;
  }

  async meta(): Promise<RunMeta> {
    return (await readMeta(this.#io, this.#topics))!;
  }

  async exists(topic: string): Promise<boolean> {
    return (await this.#io.describeTopic(topic)) !== null;
  }

  /** Returns the name of the topic that a rebuild of this one fills. */
  topicAfter(snapshots: string): string {
    const version = /\.v(\d+)$/.exec(snapshots)?.[1] ?? '1';
    return `${this.#topics.snapshots}.v${Number(version) + 1}`;
  }

  /**
   * Returns the offset of the newest snapshot of each run, by partition. The list is empty if the topic does not exist
   * yet.
   */
  async snapshotOffsets(topic: string): Promise<Map<string, number>[]> {
    const partitions = Array.from({ length: REBUILT_PARTITIONS }, (_, partition) => partition);
    const offsets = partitions.map(() => new Map<string, number>());
    if (!(await this.exists(topic))) return offsets;
    await readToEnd(this.#io, {
      ...{ topic, partitions },
      onRecords: (records, partition) => {
        for (const { key, offset } of records) if (!isReservedKey(key)) offsets[partition]!.set(key, offset);
      },
    });
    return offsets;
  }
}

async function fill(io: TopicIo, topics: TopicNames): Promise<void> {
  await prepareTopics({
    ...{ io, topics, logger: silentLogger, partitions: REBUILT_PARTITIONS, replicationFactor: 1 },
    eventRetentionHours: 720,
    epoch: () => 'first',
    now: Date.now,
  });
  await using writer = await io.writer();
  const appends: Promise<void>[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const key = keyOf(run);
    const partition = partitionOf(key, REBUILT_PARTITIONS);
    const records = Array.from({ length: EVENTS_PER_RUN }, (_, index) => eventRecord(key, index));
    for (let from = 0; from < records.length; from += EVENTS_PER_APPEND) {
      const batch = records.slice(from, from + EVENTS_PER_APPEND);
      appends.push(
        writer.append({ topic: topics.events, partition, records: batch }).then(({ fault }) => {
          if (fault !== undefined) throw fault;
        }),
      );
    }
  }
  await Promise.all(appends);
}

/** Returns run keys that fill all partitions evenly. */
function keyOf(run: number): string {
  const wanted = run % REBUILT_PARTITIONS;
  for (let salt = 0; ; salt += 1) {
    const key = `local/run-${run}-${salt}/default`;
    if (partitionOf(key, REBUILT_PARTITIONS) === wanted) return key;
  }
}

function eventRecord(key: string, index: number): RecordToAppend {
  const run_id = key.split('/')[1]!;
  const event_id = `${run_id}-${index}`;
  const event = index === 0 ? trainingStarted({ run_id, event_id }) : epochCompleted({ run_id, event_id });
  const timestampMs = Date.now();
  const headers = { received_at: new Date(timestampMs).toISOString() };
  return { key, value: Buffer.from(JSON.stringify(event)), headers, timestampMs };
}
