import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { createTopic, openBenchLog, producerPerformance, startBenchBroker } from './kafka.ts';
import { median } from './rounds.ts';
import { sampleRecords } from './sample-events.ts';

const PARTITIONS = 4;
const RECORDS = 40_000;
const RECORDS_PER_APPEND = 100;
/** Handed in and not yet answered: what keeps every lane busy, and no more. */
const APPENDS_PENDING = 120;
const ROUNDS = 3;

/** What a topic writer brings into Kafka, beside Kafka's own measuring tool. */
export const publish: Benchmark = {
  name: 'publish',
  summary: "records/s of a TopicWriter into Kafka, acks=all, beside Kafka's ProducerPerformance",
  async run({ seconds }): Promise<Result> {
    await using broker = await startBenchBroker();
    await using io = await openBenchLog(broker.brokers);
    const name = `bench-publish-${randomUUID()}`;
    await using _topic = await createTopic(io, { name, partitions: PARTITIONS });
    const records = [...sampleRecords({ runs: 200, count: RECORDS, block: 1, receivedAtMs: Date.now() })];
    const recordBytes = Math.round(records.reduce((sum, { value }) => sum + value!.length, 0) / RECORDS);
    const ours: { recordsPerSecond: number; cpuMicros: number }[] = [];
    const theirs: number[] = [];
    const roundMs = (seconds * 1_000) / ROUNDS / 2;
    await append(io, { topic: name, records, forMs: 1_000 });
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(await append(io, { topic: name, records, forMs: roundMs }));
      const sent = Math.round(roundMs * 100);
      theirs.push(await producerPerformance({ ...broker, topic: name, recordBytes, records: sent }));
      await delay(500);
    }
    const figure = median(ours.map(({ recordsPerSecond }) => recordsPerSecond));
    const limit = median(theirs);
    return {
      figure: rounded(figure),
      unit: 'records/s',
      limit: rounded(limit),
      limit_is: "Kafka's ProducerPerformance, acks=all, 256 KiB batches, linger 5 ms",
      ratio: rounded(figure / limit),
      how: `${ROUNDS} rounds in turn, medians; ${PARTITIONS} partitions on one broker of the same machine (${broker.way}), ${RECORDS_PER_APPEND} records an append`,
      details: {
        record_bytes: recordBytes,
        cpu_us_per_record: rounded(median(ours.map(({ cpuMicros }) => cpuMicros))),
        encoder: process.env.RUNLOG_KAFKA_ENCODER ?? 'own',
      },
    };
  },
};

async function append(
  io: TopicIo,
  load: { topic: string; records: readonly RecordToAppend[]; forMs: number },
): Promise<{ recordsPerSecond: number; cpuMicros: number }> {
  const lanes = new Map<number, RecordToAppend[]>();
  for (const record of load.records) {
    const partition = partitionOf(record.key, PARTITIONS);
    const lane = lanes.get(partition);
    if (lane === undefined) lanes.set(partition, [record]);
    else lane.push(record);
  }
  await using writer = await io.writer();
  const cpu = process.cpuUsage();
  const from = performance.now();
  let acknowledged = 0;
  const senders = Array.from({ length: APPENDS_PENDING }, async (_, sender) => {
    const [partition, records] = [...lanes][sender % lanes.size]!;
    for (let at = 0; performance.now() - from < load.forMs; at = (at + RECORDS_PER_APPEND) % records.length) {
      const batch = records.slice(at, at + RECORDS_PER_APPEND);
      const result = await writer.append({ topic: load.topic, partition, records: batch });
      if (result.fault !== undefined) throw result.fault;
      acknowledged += result.acknowledged;
    }
  });
  await Promise.all(senders);
  const tookMs = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  return { recordsPerSecond: (acknowledged / tookMs) * 1_000, cpuMicros: (user + system) / acknowledged };
}
