/**
 * One aggregator in a process of its own, over a topic that is already full, or, for the limit, the same reader that
 * only parses. It takes its task from argv and answers with one JSON line.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { setTimeout as delay } from 'node:timers/promises';
import { startAggregator } from '@runlog/aggregator/start-aggregator';
import { CHECKPOINT_KEY, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { topicNames } from '@runlog/schema/log/topics';
import { systemClock } from '@runlog/service-kit/clock';
import { createLogger } from '@runlog/service-kit/logger';
import type { TopicIo, TopicReader } from '@runlog/topic-io/topic-io';
import { changedReader } from '../test/support/changed-reader.ts';
import { openBenchLog } from './bench-log.ts';

export interface AggregateTask {
  readonly mode: 'parse' | 'fold';
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly partitions: number;
  readonly events: number;
}

export interface AggregateAnswer {
  readonly events: number;
  /** The seconds from the first record read to the last one folded. */
  readonly seconds: number;
  readonly cpuMicrosPerEvent: number;
  /** The seconds until every snapshot was committed. With many runs the snapshot budget determines it. */
  readonly committedSeconds: number | null;
  readonly rssBytes: number;
}

const task = JSON.parse(process.argv[2] ?? '{}') as AggregateTask;
const topics = topicNames(task.prefix);
const io = await openBenchLog(task.brokers);
const profile = startProfile();

/** The same log, with its reader of events watched. */
const watched = { read: 0, fromMs: 0, toMs: 0, cpuFrom: process.cpuUsage(), cpu: 0 };
function watch(reader: TopicReader): TopicReader {
  return changedReader(reader, async function* (answers) {
    for await (const fetched of answers) {
      const count = fetched.kind === 'records' ? fetched.records.length : 0;
      if (watched.read === 0 && count > 0) {
        watched.fromMs = performance.now();
        watched.cpuFrom = process.cpuUsage();
      }
      yield fetched;
      // When the next batch is asked for, the previous one is folded.
      watched.read += count;
      watched.toMs = performance.now();
      const { user, system } = process.cpuUsage(watched.cpuFrom);
      watched.cpu = user + system;
    }
  });
}

async function parseOnly(): Promise<null> {
  await using reader = watch(io.reader({ topic: topics.events }));
  for (let partition = 0; partition < task.partitions; partition += 1) reader.add({ partition, offset: 0 });
  let parsed = 0;
  for await (const fetched of reader) {
    if (fetched.kind !== 'records') continue;
    for (const { value } of fetched.records) JSON.parse(value!.toString('utf8'));
    parsed += fetched.records.length;
    if (parsed >= task.events) {
      // The watched reader counts when it is asked for more.
      watched.read = parsed;
      watched.toMs = performance.now();
      const { user, system } = process.cpuUsage(watched.cpuFrom);
      watched.cpu = user + system;
      break;
    }
  }
  return null;
}

async function foldAll(): Promise<number> {
  const watchedIo: TopicIo = {
    ...io,
    reader: (options) => (options.topic === topics.events ? watch(io.reader(options)) : io.reader(options)),
  };
  const logger = createLogger({ service: 'aggregator', level: 'warn' });
  const { readAggregatorConfig } = await import('@runlog/aggregator/config');
  const aggregator = await startAggregator({
    config: readAggregatorConfig({
      KAFKA_BROKERS: task.brokers.join(','),
      RUNLOG_TOPIC_PREFIX: task.prefix,
      RUNLOG_AGGREGATOR_PORT: '0',
    }),
    io: watchedIo,
    logger,
    clock: systemClock,
    random: Math.random,
    newEpoch: () => randomUUID(),
    fail: (error) => {
      throw error;
    },
  });
  while (watched.read < task.events) await delay(20);
  profile();
  const committedMs = await committed();
  await aggregator[Symbol.asyncDispose]();
  return (committedMs - watched.fromMs) / 1_000;
}

/** Resolves to the time at which the checkpoints of all partitions were at the end. */
async function committed(): Promise<number> {
  await using reader = io.reader({ topic: topics.snapshots });
  for (let partition = 0; partition < task.partitions; partition += 1) reader.add({ partition, offset: 0 });
  const next = new Map<number, number>();
  for await (const fetched of reader) {
    if (fetched.kind !== 'records') continue;
    for (const { key, value } of fetched.records) {
      if (key !== CHECKPOINT_KEY) continue;
      next.set(fetched.partition, decodeCheckpoint(value)!.next);
    }
    let sum = 0;
    for (const offset of next.values()) sum += offset;
    if (sum >= task.events) break;
  }
  return performance.now();
}

function startProfile(): () => void {
  const folder = process.env.RUNLOG_BENCH_PROFILES;
  if (folder === undefined) return () => undefined;
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  session.post('Profiler.start');
  return () =>
    session.post('Profiler.stop', (error, result) => {
      if (error === null)
        writeFileSync(`${folder}/aggregate-${process.pid}.cpuprofile`, JSON.stringify(result.profile));
    });
}

const committedSeconds = await (task.mode === 'parse' ? parseOnly() : foldAll());
const answer: AggregateAnswer = {
  events: watched.read,
  seconds: (watched.toMs - watched.fromMs) / 1_000,
  cpuMicrosPerEvent: watched.cpu / watched.read,
  committedSeconds,
  rssBytes: process.memoryUsage.rss(),
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
await io[Symbol.asyncDispose]();
