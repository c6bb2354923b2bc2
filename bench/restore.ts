import { randomUUID } from 'node:crypto';
import { encodeCheckpoint } from '@runlog/records/checkpoint-record';
import { encodeFigures } from '@runlog/records/figures-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { encodeSnapshot } from '@runlog/records/snapshot-record';
import { RunTable } from '@runlog/run-feed/run-table';
import type { RunFiguresState } from '@runlog/run-state/figures/run-figures';
import {
  eventTopicSettings,
  figuresTopicOf,
  snapshotTopicSettings,
  topicNames,
} from '@runlog/schema/log/topics';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { openBenchLog } from './bench-log.ts';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { runChild } from './child.ts';
import { startBenchBroker } from './kafka.ts';
import type { RestoreAnswer, RestoreTask } from './restore-child.ts';
import { median } from './rounds.ts';
import { sampleRecords } from './sample-events.ts';

const RUNS = 10_000;
const PARTITIONS = 4;
const EVENTS = 150;
const ROUNDS = 7;

/** Measures what a gateway or an aggregator does before anything else. */
export const restore: Benchmark = {
  name: 'restore',
  summary: `seconds from the topics of snapshots and figures to ${RUNS} run states, beside reading the same bytes`,
  async run(): Promise<Result> {
    await using broker = await startBenchBroker();
    await using io = await openBenchLog(broker.brokers);
    const prefix = `bench-${randomUUID()}-`;
    const topics = topicNames(prefix);
    const meta: RunMeta = {
      epoch: 'bench',
      fold: FOLD_VERSION,
      partitions: PARTITIONS,
      snapshots: topics.snapshots,
    };
    await io.ensureTopics([
      { name: topics.snapshots, partitions: PARTITIONS, ...snapshotTopicSettings() },
      { name: figuresTopicOf(topics.snapshots), partitions: PARTITIONS, ...snapshotTopicSettings() },
      { name: topics.events, partitions: PARTITIONS, ...eventTopicSettings(1) },
    ]);
    const bytes = await fill(io, { meta, events: topics.events });
    const task = { brokers: broker.brokers, prefix, meta, runs: RUNS };
    const answers: Record<RestoreTask['mode'], RestoreAnswer[]> = { read: [], restore: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const mode of ['read', 'restore'] as const) {
        answers[mode].push(
          await runChild<RestoreTask, RestoreAnswer>('./restore-child.ts', { ...task, mode }),
        );
      }
    }
    const written = [topics.snapshots, figuresTopicOf(topics.snapshots), topics.events];
    for (const topic of written) await io.deleteTopic(topic);
    const of = (mode: RestoreTask['mode'], field: keyof RestoreAnswer) =>
      median(answers[mode].map((answer) => answer[field]));
    const figure = of('restore', 'seconds');
    const limit = of('read', 'seconds');
    return {
      figure: rounded(figure),
      unit: 's',
      limit: rounded(limit),
      limit_is: 'reading the same bytes to the end with the same reader',
      ratio: rounded(figure / limit),
      how: `${RUNS} runs with full logs and their figures, ${Math.round(bytes / 2 ** 20)} MiB in ${PARTITIONS} partitions; a process each, in turn, medians of ${ROUNDS}`,
      details: {
        snapshot_bytes: Math.round(bytes / RUNS),
        cpu_s: rounded(of('restore', 'cpuSeconds')),
        read_cpu_s: rounded(of('read', 'cpuSeconds')),
        rss_peak_mib: Math.round(of('restore', 'rssBytes') / 2 ** 20),
        read_rss_peak_mib: Math.round(of('read', 'rssBytes') / 2 ** 20),
      },
    };
  },
};

/**
 * Writes one run's snapshot under ten thousand names, and for each of them the record that it names as its newest,
 * because a reader checks that this exists. Returns the bytes of the snapshots and figures.
 */
async function fill(io: TopicIo, written: { meta: RunMeta; events: string }): Promise<number> {
  const { meta, events } = written;
  const { state, figures } = fullRun();
  const timestampMs = Date.now();
  await using writer = await io.writer();
  const put = async (topic: string, lanes: readonly RecordToAppend[][]) => {
    const appends = lanes.map((lane, partition) =>
      writer.append({ topic, partition, records: lane.splice(0) }),
    );
    for (const { fault } of await Promise.all(appends)) if (fault !== undefined) throw fault;
  };
  const noLanes = (): RecordToAppend[][] => Array.from({ length: PARTITIONS }, () => []);
  const snapshotLanes = noLanes();
  const figureLanes = noLanes();
  const eventLanes = noLanes();
  const next = Array<number>(PARTITIONS).fill(0);
  const eventValue = Buffer.from(JSON.stringify({ event_id: state.last_event_id }));
  let bytes = 0;
  for (let index = 0; index < RUNS; index += 1) {
    const key = formatRunKey({ ...state, run_id: `run-${index}` });
    const partition = partitionOf(key, PARTITIONS);
    const position = { epoch: meta.epoch, seq: next[partition]! };
    const record = encodeSnapshot(
      { ...state, run_id: `run-${index}`, position },
      { key, nowMs: timestampMs },
    );
    const run = { cluster_id: state.cluster_id, run_id: `run-${index}`, group_id: state.group_id };
    const ofFigures = encodeFigures({ ...figures, run, position }, { key, nowMs: timestampMs });
    next[partition]! += 1;
    bytes += record.value.length + ofFigures.value.length;
    snapshotLanes[partition]!.push(record);
    figureLanes[partition]!.push(ofFigures);
    eventLanes[partition]!.push({ key, value: eventValue, headers: {}, timestampMs });
    if (index % 500 === 499) {
      await put(meta.snapshots, snapshotLanes);
      await put(figuresTopicOf(meta.snapshots), figureLanes);
      await put(events, eventLanes);
    }
  }
  for (const [partition, lane] of snapshotLanes.entries()) {
    const checkpoint = { epoch: meta.epoch, fold: meta.fold, next: next[partition]! };
    for (const of of [lane, figureLanes[partition]!]) of.push(encodeCheckpoint(checkpoint, timestampMs));
  }
  await put(meta.snapshots, snapshotLanes);
  await put(figuresTopicOf(meta.snapshots), figureLanes);
  return bytes;
}

/** Returns a run whose event log is full, and its figures. */
function fullRun(): { state: RunSnapshot; figures: RunFiguresState } {
  const table = new RunTable({ epoch: 'bench', fold: FOLD_VERSION, partitions: 1, snapshots: '' });
  const records = [...sampleRecords({ runs: 1, count: EVENTS, receivedAtMs: Date.now() - EVENTS })];
  table.fold(
    records.map((record, offset) => ({ ...record, offset })),
    0,
  );
  const [key, state] = [...table.states][0]!;
  return { state, figures: table.figures.get(key)! };
}
