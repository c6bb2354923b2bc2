import type { TopicSpec } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { uniqueName } from '../support/unique-name.ts';
import {
  appendAll,
  type ContractContext,
  createTopic,
  numbered,
  readToEnd,
  record,
} from './contract-context.ts';

export function describeTopics(context: ContractContext): void {
  describe('topics', () => {
    it('creates a topic and describes it', async () => {
      const io = context.io();
      const spec: TopicSpec = {
        name: uniqueName('described'),
        partitions: 3,
        cleanupPolicy: 'compact',
        settings: { 'segment.ms': '600000', 'delete.retention.ms': '86400000' },
      };
      const [created] = await io.ensureTopics([spec]);
      expect(created).toMatchObject({ name: spec.name, partitions: 3 });

      const described = await io.describeTopic(spec.name);
      expect(described).toMatchObject({ name: spec.name, partitions: 3 });
      expect(described?.replicationFactor).toBeGreaterThanOrEqual(1);
      expect(described?.settings).toMatchObject({
        'segment.ms': '600000',
        'delete.retention.ms': '86400000',
        'cleanup.policy': 'compact',
      });
    });

    it('knows that a topic does not exist', async () => {
      expect(await context.io().describeTopic(uniqueName('missing'))).toBeNull();
    });

    it('tells a topic that is made anew from the one before', async () => {
      const io = context.io();
      const name = await createTopic(io, { partitions: 2 });
      const first = await io.describeTopic(name);
      expect(first?.id).toEqual(expect.any(String));
      expect((await io.describeTopic(name))?.id).toBe(first?.id);
      await io.deleteTopic(name);
      await expect.poll(() => io.describeTopic(name)).toBeNull();
      const [again] = await io.ensureTopics([{ name, partitions: 2, cleanupPolicy: 'delete', settings: {} }]);
      expect(again?.id).toEqual(expect.any(String));
      expect(again?.id).not.toBe(first?.id);
    });

    it('leaves an existing topic as it is', async () => {
      const io = context.io();
      const name = await createTopic(io, { partitions: 2 });
      await appendAll(io, { topic: name, records: numbered('kept', 1) });

      const [found] = await io.ensureTopics([
        { name, partitions: 5, cleanupPolicy: 'compact', settings: {} },
      ]);

      expect(found).toMatchObject({ name, partitions: 2 });
      expect(found?.settings['cleanup.policy'] ?? 'delete').toBe('delete');
      expect((await readToEnd(io, { topic: name })).records).toHaveLength(1);
    });

    it('answers in the order of the specs', async () => {
      const io = context.io();
      const names = [uniqueName('b'), uniqueName('a'), uniqueName('c')];
      const described = await io.ensureTopics(
        names.map((name, index) => ({ name, partitions: index + 1, cleanupPolicy: 'delete', settings: {} })),
      );
      expect(described.map((one) => [one.name, one.partitions])).toEqual(
        names.map((name, index) => [name, index + 1]),
      );
    });

    it('lets several creators race for the same topics', async () => {
      const io = context.io();
      const specs: TopicSpec[] = [1, 2].map((partitions) => ({
        name: uniqueName('raced'),
        partitions,
        cleanupPolicy: 'delete',
        settings: {},
      }));
      const answers = await Promise.all(Array.from({ length: 5 }, () => io.ensureTopics(specs)));
      for (const answer of answers) {
        expect(answer.map((one) => [one.name, one.partitions])).toEqual(
          specs.map((one) => [one.name, one.partitions]),
        );
      }
    });

    it('deletes a topic, and a new one of that name begins empty at offset 0', async () => {
      const io = context.io();
      const name = await createTopic(io);
      await appendAll(io, { topic: name, records: numbered('old', 10) });

      await io.deleteTopic(name);
      await expect.poll(() => io.describeTopic(name)).toBeNull();

      await createTopic(io, { name });
      expect(await io.bounds(name)).toEqual([{ startOffset: 0, stableEnd: 0 }]);
      await appendAll(io, { topic: name, records: numbered('new', 2) });
      expect((await readToEnd(io, { topic: name })).records).toHaveLength(2);
    });

    it('deletes by its id only the topic that has it', async () => {
      const io = context.io();
      const name = await createTopic(io);
      const { id } = (await io.describeTopic(name))!;
      await io.deleteTopic(name, { id });
      await expect.poll(() => io.describeTopic(name)).toBeNull();
      await createTopic(io, { name });
      await io.deleteTopic(name, { id });
      expect(await io.describeTopic(name)).toMatchObject({ id: expect.not.stringMatching(`^${id}$`) });
    });

    it('says where every partition begins and ends', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 3 });
      await appendAll(io, { topic, partition: 1, records: numbered('one', 4) });
      await appendAll(io, { topic, partition: 2, records: numbered('two', 7) });
      expect(await io.bounds(topic)).toEqual([
        { startOffset: 0, stableEnd: 0 },
        { startOffset: 0, stableEnd: 4 },
        { startOffset: 0, stableEnd: 7 },
      ]);
    });

    it('finds the first offset at or after a time, or the end', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      const baseMs = Date.now() - 60_000;
      for (const secondsLater of [0, 10, 20]) {
        await appendAll(io, { topic, records: [record({ timestampMs: baseMs + secondsLater * 1000 })] });
      }
      const at = (timestampMs: number, partition = 0): Promise<number> =>
        io.offsetAtTime({ topic, partition, timestampMs });
      expect(await at(baseMs - 1)).toBe(0);
      expect(await at(baseMs)).toBe(0);
      expect(await at(baseMs + 1)).toBe(1);
      expect(await at(baseMs + 10_000)).toBe(1);
      expect(await at(baseMs + 15_000)).toBe(2);
      expect(await at(baseMs + 20_001)).toBe(3);
      expect(await at(baseMs, 1)).toBe(0);
    });

    it('answers a ping', async () => {
      await expect(context.io().ping()).resolves.toBeUndefined();
    });

    it('keeps the newest value of every key of a compacted topic, tombstones included', async () => {
      const io = context.io();
      const topic = await createTopic(io, { cleanupPolicy: 'compact' });
      const value = (text: string): Buffer => Buffer.from(text);
      await appendAll(io, {
        topic,
        records: [
          record({ key: 'a', value: value('a1') }),
          record({ key: 'b', value: value('b1') }),
          record({ key: 'a', value: value('a2') }),
          record({ key: 'b', value: null }),
          record({ key: 'c', value: value('c1') }),
        ],
      });
      await appendAll(io, { topic, records: [record({ key: 'c', value: value('c2') })] });

      const { records, nextOffset, stableEnd } = await readToEnd(io, { topic });

      expect(nextOffset).toBe(6);
      expect(stableEnd).toBe(6);
      const newest = new Map(records.map((one) => [one.key, one.value?.toString() ?? null]));
      expect(newest).toEqual(
        new Map([
          ['a', 'a2'],
          ['b', null],
          ['c', 'c2'],
        ]),
      );
    });
  });
}
