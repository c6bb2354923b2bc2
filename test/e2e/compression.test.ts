import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMPRESSIONS, codecOf } from '@runlog/topic-io/compression';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import {
  appendAll,
  createTopic,
  expectAcknowledged,
  numbered,
  readToEnd,
  record,
  textOf,
} from '../contract/contract-context.ts';
import { runCli } from '../support/cli-process.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { storedBatches } from '../support/stored-batches.ts';
import { uniqueName } from '../support/unique-name.ts';

describe('compressed batches on Kafka', () => {
  const kafka = { brokers: inject('kafkaBrokers'), clientId: 'runlog-compression', logger: silentLogger };
  const kafkajs = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
  let io: TopicIo;

  beforeAll(async () => {
    io = await openKafka(kafka);
  });

  afterAll(async () => {
    await io[Symbol.asyncDispose]();
  });

  async function codecIn(topic: string): Promise<number | undefined> {
    return (await storedBatches(kafka.brokers, topic))[0]?.codec;
  }

  /** Reads with kafkajs's own consumer, from the beginning. */
  async function readByKafkajs(topic: string, count: number): Promise<object[]> {
    const consumer = kafkajs.consumer({ groupId: uniqueName('plain'), maxWaitTimeInMs: 100 });
    const read: object[] = [];
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message: { key, value, headers, timestamp } }) => {
          const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
          read.push({
            key: String(key),
            value: value === null ? null : value.toString(),
            headers: Object.fromEntries(texts),
            timestampMs: Number(timestamp),
          });
        },
      });
      await vi.waitFor(() => expect(read.length).toBeGreaterThanOrEqual(count), 40_000);
    } finally {
      await consumer.disconnect();
    }
    return read;
  }

  it('are written with gzip, and read by kafkajs and by our own reader', async () => {
    const topic = await createTopic(io);
    const records = Array.from({ length: 50 }, (_, index) =>
      record({
        value: Buffer.from(`${index} ${'é'.repeat(500)}`),
        headers: { h: `text ${index % 3}`, i: 'ü' },
      }),
    );
    records.push(record({ value: null }));
    await using writer = await io.writer({ compression: 'gzip' });
    expectAcknowledged(await writer.append({ topic, partition: 0, records }), records.length);
    expect(await storedBatches(kafka.brokers, topic)).toEqual([
      { codec: 1, records: records.length, bytes: expect.toSatisfy((bytes: number) => bytes < 5_000) },
    ]);
    const { records: ours } = await readToEnd(io, { topic });
    expect(ours).toEqual(records.map((one, offset) => ({ ...one, offset })));
    const expected = records.map((one) => ({ ...one, value: one.value === null ? null : String(one.value) }));
    expect(await readByKafkajs(topic, records.length)).toEqual(expected);
  });

  it('keep the order of a lane and of the parts of an append, however many wait', async () => {
    const topic = await createTopic(io);
    await using writer = await io.writer({ compression: 'gzip' });
    const values = Array.from({ length: 1_500 }, (_, index) => `${index} ${'x'.repeat(index % 900)}`);
    const results = await Promise.all(
      values.map((value) =>
        writer.append({ topic, partition: 0, records: [record({ value: Buffer.from(value) })] }),
      ),
    );
    for (const result of results) expectAcknowledged(result, 1);
    expect(textOf((await readToEnd(io, { topic })).records)).toEqual(values);
  });

  it('are not made from records that do not shrink, up to the largest one', async () => {
    const topic = await createTopic(io, { settings: { 'max.message.bytes': '1048576' } });
    let seed = 1;
    const noise = Buffer.from(
      Uint32Array.from({ length: 262_000 }, () => {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        return seed ^ (seed >>> 15);
      }).buffer,
    );
    await using writer = await io.writer({ compression: 'gzip' });
    const appended = writer.append({ topic, partition: 0, records: [record({ value: noise })] });
    expectAcknowledged(await appended, 1);
    expect(await codecIn(topic)).toBe(0);
    expect((await readToEnd(io, { topic })).records[0]?.value?.equals(noise)).toBe(true);
  });

  it("are read if kafkajs's producer made them", async () => {
    const topic = await createTopic(io);
    const producer = kafkajs.producer();
    await producer.connect();
    const values = Array.from({ length: 30 }, (_, index) => `foreign ${index}`);
    const messages = values.map((value) => ({ key: 'k', value }));
    await producer.send({ topic, messages, compression: CompressionTypes.GZIP });
    await producer.disconnect();
    expect(await codecIn(topic)).toBe(1);
    expect(textOf((await readToEnd(io, { topic })).records)).toEqual(values);
  });

  // `compression.type` has the broker compress with its own libraries, as Java's producers do.
  it.each(COMPRESSIONS.filter((one) => one !== 'none'))(
    'that the broker makes with %s are read',
    async (name) => {
      const topic = await createTopic(io, { settings: { 'compression.type': name } });
      const records = numbered(name, 40);
      await appendAll(io, { topic, records });
      expect(await codecIn(topic)).toBe(codecOf(name));
      expect(textOf((await readToEnd(io, { topic })).records)).toEqual(textOf(records.map(atNoOffset)));
    },
  );

  it('are what ingest writes if it is configured to, and verify finds every snapshot right', async () => {
    const prefix = `${uniqueName('compression')}-`;
    const env = {
      KAFKA_BROKERS: kafka.brokers.join(','),
      RUNLOG_TOPIC_PREFIX: prefix,
      RUNLOG_PARTITIONS: '1',
      RUNLOG_COMPRESSION: 'gzip',
    };
    await using up = await ServiceProcess.start('up', env);
    const { lines } = recording('short');
    const response = await fetch(`${up.addresses.ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    expect(await response.json()).toMatchObject({ accepted: lines.length });
    expect(await codecIn(`${prefix}run-events`)).toBe(1);
    await vi.waitFor(
      async () => {
        const { code, stdout } = await runCli(['verify', '--json'], env);
        expect(code, stdout).toBe(0);
      },
      { timeout: 60_000, interval: 500 },
    );
    expect(await up.end('SIGTERM')).toBe(0);
  });

  it('are not used in the embedded log, which is reported once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-compression-'));
    try {
      await using up = await ServiceProcess.start('up', {
        RUNLOG_DATA_DIR: folder,
        RUNLOG_COMPRESSION: 'gzip',
      });
      expect(await up.end('SIGTERM')).toBe(0);
      expect(up.output.split('RUNLOG_COMPRESSION has no effect')).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.each(COMPRESSIONS)('are written with %s', async (compression) => {
    const topic = await createTopic(io);
    await using writer = await io.writer({ compression });
    const records = numbered('z', 40);
    expectAcknowledged(await writer.append({ topic, partition: 0, records }), 40);
    expect(await codecIn(topic)).toBe(codecOf(compression));
    expect(textOf((await readToEnd(io, { topic })).records)).toEqual(textOf(records.map(atNoOffset)));
  });
});

function atNoOffset<Record extends object>(one: Record): Record & { offset: number } {
  return { ...one, offset: -1 };
}
