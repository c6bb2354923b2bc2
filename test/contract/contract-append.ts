import { randomBytes } from 'node:crypto';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import {
  appendAll,
  type ContractContext,
  createTopic,
  expectAcknowledged,
  numbered,
  readToEnd,
  record,
  textOf,
} from './contract-context.ts';

export function describeAppending(context: ContractContext): void {
  describe('a writer', () => {
    it('appends records that read back byte for byte', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const timestampMs = Date.now() - 5_000;
      const appended: RecordToAppend[] = [
        record({ key: 'c1/r1/default', value: randomBytes(925), timestampMs }),
        record({
          key: 'ключ-✓',
          value: Buffer.from('{"a":"ü"}'),
          headers: { event_type: 'Größe ✓', 'x-ключ': '' },
        }),
        record({ key: '', value: Buffer.alloc(0), timestampMs: timestampMs + 1 }),
        record({ key: 'tombstone', value: null, headers: { received_at: '2026-11-22T10:00:00.000Z' } }),
        record({ key: 'k'.repeat(500), value: randomBytes(300_000) }),
      ];

      await appendAll(io, { topic, records: appended });

      const { records } = await readToEnd(io, { topic });
      expect(records).toEqual(appended.map((one, offset) => ({ ...one, offset })));
      expect(Buffer.isBuffer(records[0]?.value)).toBe(true);
    });

    it("does not keep the caller's buffers: they may be reused after the acknowledgement", async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const value = Buffer.from('first');
      await using writer = await io.writer();
      expectAcknowledged(await writer.append({ topic, partition: 0, records: [record({ value })] }), 1);
      value.fill('x');
      expectAcknowledged(await writer.append({ topic, partition: 0, records: [record({ value })] }), 1);
      expect(textOf((await readToEnd(io, { topic })).records)).toEqual(['first', 'xxxxx']);
    });

    it('returns values that do not change while the log moves on', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const appended = Array.from({ length: 50 }, (_, index) =>
        record({ value: Buffer.alloc(3_000 + index, index) }),
      );
      await appendAll(io, { topic, records: appended });
      const { records } = await readToEnd(io, { topic });
      for (let round = 0; round < 5; round += 1) {
        await appendAll(io, { topic, records: numbered(`later-${round}`, 50) });
        await readToEnd(io, { topic });
      }
      expect(records.map((one) => one.value)).toEqual(appended.map((one) => one.value));
    });

    it('acknowledges the first offset of every append', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      await using writer = await io.writer();
      const append = (partition: number, count: number) =>
        writer.append({ topic, partition, records: numbered('base', count) });
      expect(await append(0, 3)).toEqual({ acknowledged: 3, baseOffset: 0 });
      expect(await append(0, 1)).toEqual({ acknowledged: 1, baseOffset: 3 });
      expect(await append(1, 2)).toEqual({ acknowledged: 2, baseOffset: 0 });
      expect(await append(0, 1)).toEqual({ acknowledged: 1, baseOffset: 4 });
    });

    it('acknowledges an empty append', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using writer = await io.writer();
      expectAcknowledged(await writer.append({ topic, partition: 0, records: [] }), 0);
      expect(await io.bounds(topic)).toEqual([{ startOffset: 0, stableEnd: 0 }]);
    });

    it('keeps the order of each caller when many append to one partition at once', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using writer = await io.writer();
      const callers = ['a', 'b', 'c', 'd'];
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, turn) =>
          callers.map((caller) =>
            writer.append({ topic, partition: 0, records: numbered(`${caller}-${turn}`, 3) }),
          ),
        ).flat(),
      );
      for (const result of results) expectAcknowledged(result, 3);

      const texts = textOf((await readToEnd(io, { topic })).records) as string[];
      expect(texts).toHaveLength(600);
      for (const caller of callers) {
        const own = texts.filter((text) => text.startsWith(`${caller}-`));
        expect(own).toEqual(
          Array.from({ length: 50 }, (_, turn) =>
            [0, 1, 2].map((index) => `${caller}-${turn}-${index}`),
          ).flat(),
        );
      }
      // The records are at the offsets that the acknowledgements name.
      expect(results.map((result) => texts[result.baseOffset])).toEqual(
        Array.from({ length: 50 }, (_, turn) => callers.map((caller) => `${caller}-${turn}-0`)).flat(),
      );
    });

    it('writes to many partitions and topics at once', async () => {
      const io = context.io();
      const topics = await Promise.all([
        createTopic(io, { partitions: 4 }),
        createTopic(io, { partitions: 4 }),
      ]);
      await using writer = await io.writer();
      const places = topics.flatMap((topic) => [0, 1, 2, 3].map((partition) => ({ topic, partition })));
      const results = await Promise.all(
        places.map((place) => writer.append({ ...place, records: numbered(`${place.partition}`, 20) })),
      );
      for (const result of results) expectAcknowledged(result, 20);
      for (const place of places) {
        const { records } = await readToEnd(io, place);
        expect(textOf(records)).toEqual(
          textOf(numbered(`${place.partition}`, 20).map((one, offset) => ({ ...one, offset }))),
        );
      }
    });

    it('splits an append that is larger than one request and keeps its order', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const appended = Array.from({ length: 60 }, (_, index) =>
        record({ key: `k${index}`, value: Buffer.alloc(100_000, index) }),
      );
      expect(await appendAll(io, { topic, records: appended })).toBe(0);
      const { records } = await readToEnd(io, { topic });
      expect(records.map((one) => [one.key, one.value?.length, one.value?.[0]])).toEqual(
        appended.map((one, index) => [one.key, 100_000, index]),
      );
    });

    it('refuses a record that is too large, and continues', async () => {
      const io = context.io();
      const topic = await createTopic(io, { settings: { 'max.message.bytes': '1048576' } });
      await using writer = await io.writer();
      const refused = await writer.append({
        topic,
        partition: 0,
        records: [record({ value: randomBytes(2 * 1024 * 1024) })],
      });
      expect(refused).toMatchObject({ acknowledged: 0, baseOffset: -1 });
      expect(refused.fault?.code).toBe('too_large');
      expectAcknowledged(await writer.append({ topic, partition: 0, records: numbered('fits', 1) }), 1);
      const [before, after] = [numbered('before', 2), numbered('after', 2)];
      const large = record({ value: randomBytes(2 * 1024 * 1024) });
      const records = [...before, large, ...after];
      const some = await writer.append({ topic, partition: 0, records });
      expect(some).toMatchObject({ acknowledged: 4, baseOffset: 1, refused: [{ index: 2 }] });
      expect(some.refused?.[0]?.fault).toBe(some.fault);
      const texts = ['fits-0', 'before-0', 'before-1', 'after-0', 'after-1'];
      expect(textOf((await readToEnd(io, { topic })).records)).toEqual(texts);
    });

    it('answers a fault for a topic or a partition that does not exist', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using writer = await io.writer();
      const result = await writer.append({ topic, partition: 7, records: numbered('lost', 1) });
      expect(result.acknowledged).toBe(0);
      expect(result.fault?.name).toBe('TopicIoError');
    });

    it('is overloaded beyond the byte budget of a lane, at once, and recovers', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      await using writer = await io.writer({ laneBytesMax: 100_000 });
      const append = (partition: number, turn: number) =>
        writer.append({
          topic,
          partition,
          records: [record({ key: `${turn}`, value: Buffer.alloc(10_000, turn) })],
        });

      const flood = Array.from({ length: 40 }, (_, turn) => append(0, turn));
      expect(writer.pendingBytes).toBeGreaterThan(0);
      expect(writer.pendingBytes).toBeLessThan(200_000);
      // Each lane has its own budget, so the neighbour still accepts records.
      const neighbour = append(1, 1);
      const results = await Promise.all(flood);
      expectAcknowledged(await neighbour, 1);

      const taken = results.flatMap((result, turn) => (result.fault === undefined ? [`${turn}`] : []));
      expect(taken.length).toBeGreaterThan(0);
      expect(taken.length).toBeLessThan(40);
      for (const result of results) {
        if (result.fault === undefined) continue;
        expect(result).toMatchObject({ acknowledged: 0, baseOffset: -1 });
        expect(result.fault.code).toBe('overloaded');
      }
      expect(writer.pendingBytes).toBe(0);
      expectAcknowledged(await append(0, 99), 1);
      expect((await readToEnd(io, { topic })).records.map((one) => one.key)).toEqual([...taken, '99']);
    });

    it('ends pending appends when it is disposed, and answers closed from then on', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const writer = await io.writer();
      const pending = Array.from({ length: 5 }, (_, index) =>
        writer.append({ topic, partition: 0, records: numbered(`pending-${index}`, 1) }),
      );
      await writer[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
      const acknowledged = (await Promise.all(pending)).filter((result) => result.fault === undefined).length;
      expect((await readToEnd(io, { topic })).records.length).toBeGreaterThanOrEqual(acknowledged);

      const after = await writer.append({ topic, partition: 0, records: numbered('after', 1) });
      expect(after).toMatchObject({ acknowledged: 0, baseOffset: -1 });
      expect(after.fault?.code).toBe('closed');
    });
  });
}
