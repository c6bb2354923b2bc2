import {
  COMPRESSIONS,
  type Compression,
  codecOf,
  compress,
  decompress,
  startCodecs,
} from '@runlog/topic-io/compression';
import { wireBytes } from '@runlog/topic-io/kafka/produce';
import { encodeRecordBatch, recordsIn } from '@runlog/topic-io/kafka/record-batch-encoder';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { sampleRecords } from './sample-events.ts';

/** As many as a lane puts into one batch under load. */
const RECORDS = 500;
const HEADER_BYTES = 61;
const COMPRESSED = COMPRESSIONS.filter((one) => one !== 'none');

interface Measured {
  readonly ratio: number;
  readonly write_mb_per_second: number;
  readonly read_mb_per_second: number;
}

/** Measures each way of compressing a batch of telemetry, by itself, without a broker. */
export const codecs: Benchmark = {
  name: 'codecs',
  summary: 'MB/s of the records of a batch, written and read in each way of compressing',
  async run({ seconds }): Promise<Result> {
    await startCodecs();
    const records = [...sampleRecords({ runs: 16, count: RECORDS, block: 1, receivedAtMs: Date.now() })];
    const bytes = encoded(records);
    const forMs = (seconds * 1_000) / (2 * COMPRESSED.length);
    const details: Record<string, Measured> = {};
    for (const compression of COMPRESSED) details[compression] = await measure(bytes, { compression, forMs });
    const copied = await mbPerSecond(bytes, { forMs: 500, work: () => Buffer.from(bytes) });
    const slowest = Math.min(...Object.values(details).map((of) => of.read_mb_per_second));
    return {
      figure: slowest,
      unit: 'MB/s read, by the slowest',
      limit: rounded(copied),
      limit_is: 'a copy of the same bytes',
      ratio: rounded(slowest / copied),
      how: `the records of one batch of ${RECORDS}, ${bytes.length} bytes uncompressed; MB are uncompressed ones`,
      details: { ...details },
    };
  },
};

async function measure(
  bytes: Buffer,
  { compression, forMs }: { compression: Exclude<Compression, 'none'>; forMs: number },
): Promise<Measured> {
  const compressed = await compress(bytes, compression);
  const codec = codecOf(compression);
  const written = await mbPerSecond(bytes, { forMs, work: () => compress(bytes, compression) });
  const read = await mbPerSecond(bytes, { forMs, work: () => decompress(compressed, codec) });
  return {
    ratio: rounded(bytes.length / compressed.length),
    write_mb_per_second: rounded(written),
    read_mb_per_second: rounded(read),
  };
}

async function mbPerSecond(
  bytes: Buffer,
  { forMs, work }: { forMs: number; work: () => unknown },
): Promise<number> {
  const from = performance.now();
  let rounds = 0;
  while (performance.now() - from < forMs) {
    await work();
    rounds += 1;
  }
  return (rounds * bytes.length) / 1_000 / (performance.now() - from);
}

function encoded(records: readonly RecordToAppend[]): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + records.reduce((sum, record) => sum + wireBytes(record), 0));
  const batch = { records, producerId: -1n, producerEpoch: -1, firstSequence: -1, transactional: false };
  return Buffer.from(recordsIn(bytes, encodeRecordBatch(batch, bytes)));
}
