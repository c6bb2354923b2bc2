import { randomBytes } from 'node:crypto';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { alterTopic } from '../support/topic-settings.ts';
import { uniqueName } from '../support/unique-name.ts';
import {
  createTopic,
  expectAcknowledged,
  numbered,
  readToEnd,
  record,
  rejectionOf,
} from './contract-context.ts';

const KIB = 1024;
/** What the broker of this file takes where a topic says nothing. */
const BROKER_BYTES_MAX = 32 * KIB;
const SMALL = { 'max.message.bytes': String(16 * KIB) };

const incompressible = (bytes: number) => record({ value: randomBytes(bytes) });
const many = (count: number) => Array.from({ length: count }, () => incompressible(KIB));

describe('topics that take less than runlog would', () => {
  let cluster: MavenBrokers;
  let io: TopicIo;

  beforeAll(async () => {
    cluster = await startCluster({ count: 1, properties: { 'message.max.bytes': BROKER_BYTES_MAX } });
    io = await openKafka({ brokers: cluster.brokers, clientId: 'limits', logger: silentLogger });
  });

  afterAll(async () => {
    await io?.[Symbol.asyncDispose]();
    await cluster?.stop();
  });

  async function valuesIn(topic: string): Promise<string[]> {
    const { records } = await readToEnd(io, { topic });
    return records.map(({ value }) => value!.toString('hex'));
  }

  it.each([
    ['the topic says so', SMALL],
    ['the broker says so', {}],
  ])('takes an append that is larger than one record may be, where %s', async (_, settings) => {
    const topic = await createTopic(io, { settings });
    const records = many(200);
    await using writer = await io.writer();
    expectAcknowledged(await writer.append({ topic, partition: 0, records }), 200);
    expect(await valuesIn(topic)).toEqual(records.map(({ value }) => value!.toString('hex')));
  });

  it('refuses the records that do not fit by themselves, by name, and takes those around them in order', async () => {
    const topic = await createTopic(io, { settings: SMALL });
    const records = [
      ...many(40),
      incompressible(20 * KIB),
      ...many(40),
      incompressible(17 * KIB),
      ...many(2),
    ];
    await using writer = await io.writer();
    const result = await writer.append({ topic, partition: 0, records });
    expect(result).toMatchObject({ acknowledged: 82, baseOffset: 0 });
    expect(result.refused?.map(({ index }) => index)).toEqual([40, 81]);
    const fault = result.refused?.[0]?.fault;
    expect(fault?.code).toBe('too_large');
    expect(fault?.message).toContain('MESSAGE_TOO_LARGE');
    expect(fault?.message).toContain(topic);
    expect(fault?.message).toContain('max.message.bytes is 16384');
    expect(fault?.message).toMatch(/--alter .*--entity-name/);
    const taken = records.filter((_, index) => index !== 40 && index !== 81);
    expect(await valuesIn(topic)).toEqual(taken.map(({ value }) => value!.toString('hex')));
  });

  it('judges a record as it is sent, compressed', async () => {
    const topic = await createTopic(io, { settings: SMALL });
    await using writer = await io.writer({ compression: 'gzip' });
    const zeros = record({ value: Buffer.alloc(200 * KIB) });
    expectAcknowledged(await writer.append({ topic, partition: 0, records: [zeros, ...many(60)] }), 61);
  });

  it('follows a limit that is lowered and raised while it writes', async () => {
    const topic = await createTopic(io, { settings: { 'max.message.bytes': String(1024 * KIB) } });
    await using writer = await io.writer();
    const append = (records: ReturnType<typeof many>) => writer.append({ topic, partition: 0, records });
    expectAcknowledged(await append([incompressible(100 * KIB), ...many(300)]), 301);
    await alterTopic(cluster.brokers, topic, SMALL);
    expectAcknowledged(await append(many(300)), 300);
    const refused = await append([...many(1), incompressible(100 * KIB), ...many(1)]);
    expect(refused).toMatchObject({ acknowledged: 2, refused: [{ index: 1 }], fault: { code: 'too_large' } });
    await alterTopic(cluster.brokers, topic, { 'max.message.bytes': String(1024 * KIB) });
    expectAcknowledged(await append([incompressible(100 * KIB)]), 1);
  });

  it('commits a transaction in batches that fit, also when the limit is lowered between two of them', async () => {
    const topic = await createTopic(io, { settings: { 'max.message.bytes': String(1024 * KIB) } });
    const other = await createTopic(io, { settings: SMALL });
    await using writer = await io.fencedWriter(uniqueName('limits'));
    const commit = () =>
      writer.commit({
        records: [topic, other].map((name) => ({ topic: name, partition: 0, records: many(100) })),
      });
    await commit();
    await alterTopic(cluster.brokers, topic, SMALL);
    await commit();
    for (const name of [topic, other]) expect(await valuesIn(name)).toHaveLength(200);
  });

  it('refuses a transaction with a record that does not fit, by name, and shows nothing of it', async () => {
    const topic = await createTopic(io, { settings: SMALL });
    const id = uniqueName('limits');
    {
      await using writer = await io.fencedWriter(id);
      const records = [...numbered('before', 3), incompressible(20 * KIB), ...numbered('after', 3)];
      const fault = await rejectionOf(writer.commit({ records: [{ topic, partition: 0, records }] }));
      expect(fault.code).toBe('too_large');
      expect(fault.message).toContain(topic);
      expect(fault.message).toContain('MESSAGE_TOO_LARGE');
      expect(fault.message).toContain('max.message.bytes is 16384');
    }
    await using writer = await io.fencedWriter(id);
    await writer.commit({ records: [{ topic, partition: 0, records: numbered('next', 2) }] });
    expect(await valuesIn(topic)).toHaveLength(2);
  });
});
