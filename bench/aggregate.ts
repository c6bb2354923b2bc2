import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RunTable } from '@runlog/run-feed/run-table';
import { eventTopicSettings, topicNames } from '@runlog/schema/log/topics';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import type { AggregateAnswer, AggregateTask } from './aggregate-child.ts';
import { openBenchLog } from './bench-log.ts';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { runChild } from './child.ts';
import { startBenchBroker } from './kafka.ts';
import { median } from './rounds.ts';
import { sampleRecords } from './sample-events.ts';

const PARTITIONS = 4;
const RUN_COUNTS = [10, 200, 10_000] as const;
const ROUNDS = 3;
/** Enough events to fill the event log of every run. */
const FULL_RUNS = 300;
const FULL_EVENTS_PER_RUN = 150;

/** Compares a working aggregator with the same reader that only parses. */
export const aggregate: Benchmark = {
  name: 'aggregate',
  summary:
    'events/s from a Kafka topic into run states with snapshots committed, beside only parsing the JSON',
  async run({ seconds }): Promise<Result> {
    await using broker = await startBenchBroker();
    await using io = await openBenchLog(broker.brokers);
    const events = Math.max(40_000, Math.round(seconds * 30_000));
    const byRuns: Record<string, unknown> = {};
    const folded = new Map<number, AggregateAnswer[]>();
    const parsed: AggregateAnswer[] = [];
    for (const runs of RUN_COUNTS) {
      const answers: AggregateAnswer[] = [];
      const limits: AggregateAnswer[] = [];
      const prefix = `bench-${randomUUID()}-`;
      await fill(io, { prefix, runs, events });
      for (let round = 0; round < ROUNDS; round += 1) {
        const task = { brokers: broker.brokers, prefix, partitions: PARTITIONS, events };
        limits.push(await measure({ ...task, mode: 'parse' }));
        answers.push(await measure({ ...task, mode: 'fold' }));
        await forgetSnapshots(io, prefix);
      }
      await io.deleteTopic(topicNames(prefix).events);
      folded.set(runs, answers);
      parsed.push(...limits);
      byRuns[`runs_${runs}`] = {
        events_per_second: rounded(rate(answers)),
        parse_only_events_per_second: rounded(rate(limits)),
        ratio: rounded(rate(answers) / rate(limits)),
        cpu_us_per_event: rounded(median(answers.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent))),
        parse_only_cpu_us_per_event: rounded(
          median(limits.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent)),
        ),
        all_committed_after_s: rounded(median(answers.map(({ committedSeconds }) => committedSeconds ?? 0))),
        rss_mib: Math.round(median(answers.map(({ rssBytes }) => rssBytes)) / 2 ** 20),
      };
    }
    const cpuOf = (runs: number) =>
      median(folded.get(runs)!.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent));
    const figure = rate(folded.get(200)!);
    const limit = (byRuns.runs_200 as { parse_only_events_per_second: number }).parse_only_events_per_second;
    return {
      figure: rounded(figure),
      unit: 'events/s',
      limit,
      limit_is: 'the same reader in a process of its own, JSON.parse of every value and nothing else',
      ratio: rounded(figure / limit),
      how: `${events} events in ${PARTITIONS} partitions, 200 runs, one process each, in turn, medians of ${ROUNDS}; default snapshot interval and budget; broker on the same machine (${broker.way})`,
      details: {
        ...byRuns,
        cpu_per_event_10000_to_10_runs: rounded(cpuOf(10_000) / cpuOf(10)),
        heap_kib_per_full_run: rounded(heapBytesPerRun() / 1_024),
      },
    };
  },
};

/** Runs a measurement with the flags of `npm run aggregator`. */
function measure(task: AggregateTask): Promise<AggregateAnswer> {
  return runChild('./aggregate-child.ts', task, ['--max-semi-space-size=64']);
}

function rate(answers: readonly AggregateAnswer[]): number {
  return median(answers.map(({ events, seconds }) => events / seconds));
}

async function fill(io: TopicIo, topic: { prefix: string; runs: number; events: number }): Promise<void> {
  const name = topicNames(topic.prefix).events;
  await io.ensureTopics([{ name, partitions: PARTITIONS, ...eventTopicSettings(1) }]);
  await using writer = await io.writer();
  const receivedAtMs = Date.now() - topic.events;
  let lanes: RecordToAppend[][] = Array.from({ length: PARTITIONS }, () => []);
  let pending: Promise<void> = Promise.resolve();
  const flush = async () => {
    const full = lanes;
    lanes = Array.from({ length: PARTITIONS }, () => []);
    await pending;
    pending = Promise.all(
      full.map(async (records, partition) => {
        const { fault } = await writer.append({ topic: name, partition, records });
        if (fault !== undefined) throw fault;
      }),
    ).then(() => undefined);
  };
  let waiting = 0;
  for (const record of sampleRecords({ runs: topic.runs, count: topic.events, block: 5, receivedAtMs })) {
    lanes[partitionOf(record.key, PARTITIONS)]!.push(record);
    waiting += 1;
    if (waiting % 4_000 === 0) await flush();
  }
  await flush();
  await pending;
}

/** Deletes the snapshots, so that the next aggregator begins with nothing. */
async function forgetSnapshots(io: TopicIo, prefix: string): Promise<void> {
  const { meta, snapshots, rejected } = topicNames(prefix);
  for (const name of [meta, snapshots, rejected]) {
    if ((await io.describeTopic(name)) !== null) await io.deleteTopic(name);
  }
}

/** Returns the heap that a run with a full event log and full milestones takes. */
function heapBytesPerRun(): number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  const before = process.memoryUsage().heapUsed;
  const table = new RunTable({ epoch: 'bench', fold: 1, partitions: 1, snapshots: '' });
  let batch: LogRecord[] = [];
  let offset = 0;
  const count = FULL_RUNS * FULL_EVENTS_PER_RUN;
  for (const record of sampleRecords({ runs: FULL_RUNS, count, receivedAtMs: Date.now() - count })) {
    batch.push({ ...record, offset });
    offset += 1;
    if (batch.length < 500 && offset < count) continue;
    table.fold(batch, 0);
    batch = [];
  }
  gc();
  return (process.memoryUsage().heapUsed - before) / table.states.size;
}
