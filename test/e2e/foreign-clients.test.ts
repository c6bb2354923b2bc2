import { COMPRESSIONS, codecOf } from '@runlog/topic-io/compression';
import { BOUNDS } from '@runlog/topic-io/kafka/config';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTopic, expectAcknowledged, readToEnd } from '../contract/contract-context.ts';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { consumeByJava, produceByJava, type TextRecord } from '../support/java-client.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { storedBatches } from '../support/stored-batches.ts';

const COMPRESSED = COMPRESSIONS.filter((one) => one !== 'none');

describe("Kafka's own Java clients", () => {
  let cluster: MavenBrokers;
  let io: TopicIo;

  beforeAll(async () => {
    cluster = await startCluster({ count: 1 });
    io = await openKafka({ brokers: cluster.brokers, clientId: 'runlog-foreign', logger: silentLogger });
  });

  afterAll(async () => {
    await io?.[Symbol.asyncDispose]();
    await cluster?.stop();
  });

  it('write batches that we read, in every way of compressing them', async () => {
    await Promise.all(
      COMPRESSED.map(async (compression) => {
        const topic = await createTopic(io);
        const records = telemetry(compression, 400);
        await produceByJava(cluster, { topic, compression, records });
        const stored = await storedBatches(cluster.brokers, topic);
        expect(stored.map(({ codec }) => codec)).toContain(codecOf(compression));
        expect((await readToEnd(io, { topic })).records.map(textRecord)).toEqual(records);
      }),
    );
  });

  it('may write batches that inflate to a thousand times their size: not all of them are held at once', async () => {
    const topic = await createTopic(io);
    const value = Buffer.alloc(1_000_000);
    const written = { key: 'c1/r1/default', value, headers: {}, timestampMs: Date.now() };
    const count = 200;
    await using writer = await io.writer({ compression: 'gzip', laneBytesMax: count * 2 * value.length });
    const records = Array.from({ length: count }, () => written);
    expectAcknowledged(await writer.append({ topic, partition: 0, records }), count);
    await using reader = io.reader({ topic });
    reader.add({ partition: 0, offset: 0 });
    let most = 0;
    let read = 0;
    for await (const fetched of reader) {
      if (fetched.kind === 'out_of_range') throw new Error('nothing was deleted');
      most = Math.max(most, fetched.records.length);
      read += fetched.records.length;
      if (fetched.nextOffset === fetched.stableEnd) break;
    }
    expect(read).toBe(count);
    expect(most * value.length).toBeLessThan(BOUNDS.inflatedBytes + 2 * value.length);
  });

  it('read what we write, in every way of compressing it', async () => {
    const records = new Map(COMPRESSED.map((compression) => [compression, telemetry(compression, 400)]));
    const topics: string[] = [];
    for (const [compression, ofTopic] of records) {
      const topic = await createTopic(io);
      topics.push(topic);
      await using writer = await io.writer({ compression });
      const appended = writer.append({ topic, partition: 0, records: ofTopic.map(toAppend) });
      expectAcknowledged(await appended, ofTopic.length);
      expect(await storedBatches(cluster.brokers, topic)).toMatchObject([{ codec: codecOf(compression) }]);
      expect((await readToEnd(io, { topic })).records.map(textRecord)).toEqual(ofTopic);
    }
    const read = await consumeByJava(cluster, { topics, count: 400 * topics.length });
    for (const [compression, ofTopic] of records) {
      expect(read.filter(({ key }) => key === `c1/${compression}/default`)).toEqual(ofTopic);
    }
  });
});

/** Enough to fill several blocks of each format: some 130 KiB. */
function telemetry(label: string, count: number): TextRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: `c1/${label}/default`,
    value: JSON.stringify({
      event_type: 'EPOCH_COMPLETED',
      event_id: `${label}-${index}`,
      data: {
        epoch: index,
        val_accuracy: Math.sin(index),
        note: 'é'.repeat(index % 50),
        rest: 'x'.repeat(150),
      },
    }),
    headers: { event_type: 'EPOCH_COMPLETED', event_id: `${label}-${index}` },
  }));
}

function toAppend({ key, value, headers }: TextRecord) {
  return { key, value: Buffer.from(value), headers, timestampMs: Date.now() };
}

function textRecord(record: {
  key: string;
  value: Buffer | null;
  headers: Readonly<Record<string, string>>;
}) {
  return { key: record.key, value: String(record.value), headers: record.headers };
}
