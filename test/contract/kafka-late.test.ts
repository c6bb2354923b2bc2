import { describe, expect, it, vi } from 'vitest';
import type { KafkaRequest } from '../support/kafka-frame.ts';
import type { KafkaProxyHooks, Verdict } from '../support/kafka-proxy.ts';
import { proxiedBrokers } from '../support/proxied-brokers.ts';
import { uniqueName } from '../support/unique-name.ts';
import {
  createTopic,
  expectAcknowledged,
  numbered,
  readToEnd,
  rejectionOf,
  textOf,
} from './contract-context.ts';

/** Behind length, correlation id and throttle time. */
const ANSWER_ERROR_AT = 12;
const DELETE_TOPICS = 20;
/** `expect.poll` knows only tests that run alone. */
const WAIT = { timeout: 60_000, interval: 20 };

/** `transaction.partition.verification.enable` of the broker. */
const VERIFICATION = [true, false];

describe('a request that arrives late', () => {
  const brokerWith = proxiedBrokers();

  const inBoth = (topic: string, label: string) =>
    [0, 1].map((partition) => ({ topic, partition, records: numbered(label, 1) }));

  it.concurrent.each(VERIFICATION)(
    'does not commit half of the next transaction, with verification $0',
    async (verification) => {
      const broker = brokerWith(verification);
      const hooks: KafkaProxyHooks = {};
      await using io = await broker.open(uniqueName('client'), hooks);
      const topic = await createTopic(broker.io, { partitions: 2 });
      await using writer = await io.fencedWriter(uniqueName('writer'));
      let late: KafkaRequest | null = null;
      hooks.onRequest = (request) => {
        if (request.api !== 'EndTxn' || late !== null) return 'pass';
        late = request;
        return 'cut';
      };
      await writer.commit({ records: inBoth(topic, 'first') });
      let produced = 0;
      hooks.onRequest = async ({ api }): Promise<Verdict> => {
        if (api === 'Produce') produced += 1;
        if (api !== 'Produce' || produced !== 2) return 'pass';
        // The first half is written. If the broker takes the late commit, it marks the partitions a moment later.
        const answer = await broker.proxy.deliver(late!);
        if (answer?.readInt16BE(ANSWER_ERROR_AT) === 0) {
          await vi.waitUntil(async () => (await broker.io.bounds(topic))[1]?.stableEnd === 3, WAIT);
        }
        return 'pass';
      };
      await writer.commit({ records: inBoth(topic, 'second') });
      expect(produced).toBe(2);
      for (const partition of [0, 1]) {
        const { records } = await readToEnd(broker.io, { topic, partition });
        expect(textOf(records)).toEqual(['first-0', 'second-0']);
      }
    },
  );

  it.concurrent.each(VERIFICATION)(
    'does not join what the next holder commits, with verification $0',
    async (verification) => {
      const broker = brokerWith(verification);
      const hooks: KafkaProxyHooks = {};
      await using io = await broker.open(uniqueName('client'), hooks);
      const topic = await createTopic(broker.io);
      const id = uniqueName('writer');
      const late: KafkaRequest[] = [];
      {
        await using writer = await io.fencedWriter(id);
        await writer.commit({ records: [{ topic, partition: 0, records: numbered('first', 1) }] });
        hooks.onRequest = (request) => {
          if (request.api !== 'Produce') return 'pass';
          late.push(request);
          return 'cut';
        };
        const commit = writer.commit({
          records: [{ topic, partition: 0, records: numbered('rejected', 1) }],
        });
        expect((await rejectionOf(commit)).code).toBe('unavailable');
      }
      delete hooks.onRequest;
      await using next = await io.fencedWriter(id);
      for (const request of late) await broker.proxy.deliver(request);
      await next.commit({ records: [{ topic, partition: 0, records: numbered('next', 1) }] });
      const shown = async () => textOf((await readToEnd(broker.io, { topic })).records);
      await vi.waitUntil(async () => (await shown()).includes('next-0'), WAIT);
      expect(await shown()).toEqual(['first-0', 'next-0']);
    },
  );

  it.concurrent.each(VERIFICATION)(
    'is not appended behind its repetition, with verification $0',
    async (verification) => {
      const broker = brokerWith(verification);
      const hooks: KafkaProxyHooks = {};
      await using io = await broker.open(uniqueName('client'), hooks);
      const topic = await createTopic(broker.io);
      await using writer = await io.writer();
      const append = (label: string) => writer.append({ topic, partition: 0, records: numbered(label, 1) });
      expectAcknowledged(await append('first'), 1);
      const late: KafkaRequest[] = [];
      hooks.onRequest = (request) => {
        if (request.api !== 'Produce') return 'pass';
        late.push(request);
        return 'cut';
      };
      expect((await append('sent again')).fault?.code).toBe('unavailable');
      delete hooks.onRequest;
      for (const label of ['sent again', 'next']) expectAcknowledged(await append(label), 1);
      for (const request of late) await broker.proxy.deliver(request);
      expect(textOf((await readToEnd(broker.io, { topic })).records)).toEqual([
        'first-0',
        'sent again-0',
        'next-0',
      ]);
    },
  );

  it.concurrent('does not delete a later topic of the same name', async () => {
    const broker = brokerWith(true);
    const hooks: KafkaProxyHooks = {};
    await using io = await broker.open(uniqueName('client'), hooks);
    const name = await createTopic(broker.io);
    let late: KafkaRequest | null = null;
    hooks.onRequest = (request) => {
      if (request.apiKey !== DELETE_TOPICS || late !== null) return 'pass';
      late = request;
      return 'cut';
    };
    await io.deleteTopic(name);
    await vi.waitUntil(async () => (await broker.io.describeTopic(name)) === null, WAIT);
    const later = await createTopic(broker.io, { name });
    const { id } = (await broker.io.describeTopic(later))!;
    expect(await broker.proxy.deliver(late!)).not.toBeNull();
    expect(await broker.io.describeTopic(later)).toMatchObject({ id });
  });
});
