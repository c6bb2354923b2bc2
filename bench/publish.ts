import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { COMPRESSIONS, type Compression, compressionFault } from '@runlog/topic-io/compression';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { storedBatches } from '../test/support/stored-batches.ts';
import { encoder, openBenchLog } from './bench-log.ts';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { createTopic, producerPerformance, startBenchBroker } from './kafka.ts';
import { median } from './rounds.ts';
import { sampleRecords } from './sample-events.ts';

const PARTITIONS = 4;
const RECORDS = 40_000;
const RECORDS_PER_APPEND = 100;
/** The number of unanswered appends, which is just enough to keep every lane busy. */
const APPENDS_PENDING = 120;
const ROUNDS = 3;
/** One whole recording of one run at a time, so that the records of a batch are no more alike than real ones. */
const BLOCK_TO_COMPRESS = 276;

/** Compares a topic writer with Kafka's own measuring tool. */
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
    const ours: Appended[] = [];
    const theirs: number[] = [];
    const roundMs = (seconds * 1_000) / ROUNDS / 2;
    await append(io, { topic: name, records, forMs: 1_000 });
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(await append(io, { topic: name, records, forMs: roundMs }));
      const sent = Math.round(roundMs * 100);
      theirs.push(await producerPerformance({ ...broker, topic: name, recordBytes, records: sent }));
      await delay(500);
    }
    const compressed = await compareCompressions(io, { brokers: broker.brokers, forMs: roundMs });
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
        encoder,
        compression: compressed,
      },
    };
  },
};

/**
 * Measures each compression that this Node supports, in turn, with a topic of its own. CPU time is that of all threads.
 */
async function compareCompressions(
  io: TopicIo,
  load: { brokers: readonly string[]; forMs: number },
): Promise<Record<string, unknown>> {
  const receivedAtMs = Date.now();
  const records = [...sampleRecords({ runs: 16, count: RECORDS, block: BLOCK_TO_COMPRESS, receivedAtMs })];
  const results: Record<string, unknown> = {};
  for (const compression of COMPRESSIONS) {
    if (compressionFault(compression) !== null) continue;
    const name = `bench-publish-${compression}-${randomUUID()}`;
    await using _topic = await createTopic(io, { name, partitions: PARTITIONS });
    const rounds: Appended[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push(await append(io, { topic: name, records, forMs: load.forMs, compression }));
    }
    const batches = await storedBatches(load.brokers, name);
    const stored = (of: 'bytes' | 'records') => batches.reduce((sum, batch) => sum + batch[of], 0);
    results[compression] = {
      records_per_second: rounded(median(rounds.map(({ recordsPerSecond }) => recordsPerSecond))),
      cpu_us_per_record: rounded(median(rounds.map(({ cpuMicros }) => cpuMicros))),
      stored_bytes_per_record: Math.round(stored('bytes') / stored('records')),
    };
  }
  return results;
}

interface Appended {
  readonly recordsPerSecond: number;
  readonly cpuMicros: number;
}

async function append(
  io: TopicIo,
  load: { topic: string; records: readonly RecordToAppend[]; forMs: number; compression?: Compression },
): Promise<Appended> {
  const lanes = new Map<number, RecordToAppend[]>();
  for (const record of load.records) {
    const partition = partitionOf(record.key, PARTITIONS);
    const lane = lanes.get(partition);
    if (lane === undefined) lanes.set(partition, [record]);
    else lane.push(record);
  }
  await using writer = await io.writer({ compression: load.compression ?? 'none' });
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
