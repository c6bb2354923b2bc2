import type { TopicIo } from '@runlog/topic-io/topic-io';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { uniqueName } from '../support/unique-name.ts';
import {
  appendAll,
  type ContractContext,
  createTopic,
  fetchedUntil,
  numbered,
  openReader,
  readCommitted,
  readToEnd,
  record,
  rejectionOf,
  textOf,
} from './contract-context.ts';

const contenders = 4;
const contendersAttemptsMax = 100;

export function describeFencedWriters(context: ContractContext): void {
  describe('a fenced writer', () => {
    it('commits records of several topics and partitions together with group offsets', async () => {
      const io = context.io();
      const events = await createTopic(io, { partitions: 2 });
      const snapshots = await createTopic(io, { cleanupPolicy: 'compact' });
      await using writer = await io.fencedWriter(uniqueName('writer'));
      await writer.commit({
        records: [
          { topic: events, partition: 0, records: numbered('e0', 2) },
          { topic: events, partition: 1, records: numbered('e1', 3) },
          {
            topic: snapshots,
            partition: 0,
            records: [record({ key: '#checkpoint', value: Buffer.from('5') })],
          },
        ],
        offsets: [{ group: uniqueName('group'), topic: events, partition: 0, offset: 1 }],
      });
      const first = await readCommitted(io, { topic: events, partition: 0, count: 2 });
      expect(textOf(first.records)).toEqual(['e0-0', 'e0-1']);
      expect((await readCommitted(io, { topic: events, partition: 1, count: 3 })).records).toHaveLength(3);
      expect(textOf((await readCommitted(io, { topic: snapshots, count: 1 })).records)).toEqual(['5']);
    });

    it('commits again and again, in order', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using writer = await io.fencedWriter(uniqueName('writer'));
      for (let turn = 0; turn < 10; turn += 1) {
        await writer.commit({ records: [{ topic, partition: 0, records: numbered(`t${turn}`, 1) }] });
      }
      const { records, nextOffset, stableEnd } = await readCommitted(io, { topic, count: 10 });
      expect(textOf(records)).toEqual(Array.from({ length: 10 }, (_, turn) => `t${turn}-0`));
      // After the last record an engine may keep a control record. The end is reached nevertheless.
      expect(nextOffset).toBe(stableEnd);
      expect(stableEnd).toBeGreaterThanOrEqual(10);
    });

    it('commits only offsets', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using writer = await io.fencedWriter(uniqueName('writer'));
      const offsets = [{ group: uniqueName('group'), topic, partition: 0, offset: 0 }];
      await expect(writer.commit({ records: [], offsets })).resolves.toBeUndefined();
      expect((await readToEnd(io, { topic })).records).toEqual([]);
    });

    it('is fenced by the next holder of its id: its commit fails, and none of its records becomes visible', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const id = uniqueName('writer');
      await using first = await io.fencedWriter(id);
      await first.commit({ records: [{ topic, partition: 0, records: numbered('first', 1) }] });
      await using second = await io.fencedWriter(id);

      const refused = first.commit({ records: [{ topic, partition: 0, records: numbered('zombie', 1) }] });
      expect((await rejectionOf(refused)).code).toBe('fenced');
      await second.commit({ records: [{ topic, partition: 0, records: numbered('second', 1) }] });

      const { records, nextOffset, stableEnd } = await readCommitted(io, { topic, count: 2 });
      expect(textOf(records)).toEqual(['first-0', 'second-0']);
      expect(nextOffset).toBe(stableEnd);
    });

    it('is spent after a rejected commit', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const id = uniqueName('writer');
      await using first = await io.fencedWriter(id);
      await using _second = await io.fencedWriter(id);
      const commit = () =>
        first.commit({ records: [{ topic, partition: 0, records: numbered('zombie', 1) }] });
      await rejectionOf(commit());
      await rejectionOf(commit());
      expect((await readToEnd(io, { topic })).records).toEqual([]);
    });

    it('leaves the holders of other ids alone', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      await using one = await io.fencedWriter(uniqueName('writer'));
      await using other = await io.fencedWriter(uniqueName('writer'));
      await Promise.all([
        one.commit({ records: [{ topic, partition: 0, records: numbered('one', 1) }] }),
        other.commit({ records: [{ topic, partition: 1, records: numbered('other', 1) }] }),
      ]);
      expect((await readCommitted(io, { topic, partition: 0, count: 1 })).records).toHaveLength(1);
      expect((await readCommitted(io, { topic, partition: 1, count: 1 })).records).toHaveLength(1);
    });

    it('commits everything or nothing when it is fenced in the middle', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      const id = uniqueName('writer');
      await using first = await io.fencedWriter(id);
      const [commit, open] = await Promise.allSettled([
        first.commit({
          records: [0, 1].map((partition) => ({ topic, partition, records: numbered('raced', 50) })),
        }),
        io.fencedWriter(id),
      ]);
      if (open.status === 'rejected') throw open.reason;
      await using second = open.value;
      await second.commit({ records: [{ topic, partition: 0, records: numbered('after', 1) }] });
      const expected = commit.status === 'fulfilled' ? 50 : 0;
      if (commit.status === 'rejected') expect((commit.reason as TopicIoError).code).toBe('fenced');
      const count = { first: expected + 1, second: expected };
      const inFirst = await readCommitted(io, { topic, partition: 0, count: count.first });
      const inSecond = await readCommitted(io, { topic, partition: 1, count: count.second });
      expect([inFirst.records.length, inSecond.records.length]).toEqual([count.first, count.second]);
    });

    it('shows nothing of a commit that failed, and readers move past its records', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2, settings: { 'max.message.bytes': '1048576' } });
      const id = uniqueName('writer');
      {
        await using writer = await io.fencedWriter(id);
        const failed = writer.commit({
          records: [
            { topic, partition: 0, records: numbered('half', 5) },
            { topic, partition: 1, records: [record({ value: Buffer.alloc(2 * 1024 * 1024) })] },
          ],
        });
        expect((await rejectionOf(failed)).code).toBe('too_large');
      }
      await using again = await io.fencedWriter(id);
      await again.commit({ records: [{ topic, partition: 0, records: numbered('whole', 1) }] });

      const { records, nextOffset, stableEnd } = await readCommitted(io, { topic, count: 1 });
      expect(textOf(records)).toEqual(['whole-0']);
      expect(nextOffset).toBe(stableEnd);
      expect((await readToEnd(io, { topic, partition: 1 })).records).toEqual([]);
    });

    it('makes a commit of 3 MB visible all at once', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 0 });
      const arrived = fetchedUntil(reader, (one) => one.kind === 'records' && one.records.length > 0);
      await using writer = await io.fencedWriter(uniqueName('writer'));
      const large = Array.from({ length: 30 }, (_, index) => record({ value: Buffer.alloc(100_000, index) }));
      await writer.commit({ records: [{ topic, partition: 0, records: large }] });

      const first = (await arrived).at(-1);
      expect(first?.kind === 'records' && first.stableEnd).toBeGreaterThanOrEqual(30);
      expect((await readCommitted(io, { topic, count: 30 })).records).toHaveLength(30);
    });

    it('shares a partition with a plain writer', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using writer = await io.fencedWriter(uniqueName('writer'));
      for (let turn = 0; turn < 3; turn += 1) {
        await appendAll(io, { topic, records: numbered(`plain-${turn}`, 1) });
        await writer.commit({ records: [{ topic, partition: 0, records: numbered(`fenced-${turn}`, 1) }] });
      }
      expect(textOf((await readCommitted(io, { topic, count: 6 })).records)).toEqual(
        [0, 1, 2].flatMap((turn) => [`plain-${turn}-0`, `fenced-${turn}-0`]),
      );
    });

    it('lets contenders agree on one record, if each takes the id, reads to the end, and writes if it is absent', async () => {
      const io = context.io();
      const topic = await createTopic(io, { cleanupPolicy: 'compact' });
      const id = uniqueName('writer');
      const agreed = await Promise.all(
        Array.from({ length: contenders }, (_, index) =>
          compareAndSet(io, { topic, id, proposal: `by-${index}` }),
        ),
      );
      expect(new Set(agreed).size).toBe(1);
      expect(textOf((await readToEnd(io, { topic })).records)).toEqual([agreed[0]]);
    });

    it('answers closed once it is disposed', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const writer = await io.fencedWriter(uniqueName('writer'));
      await writer[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
      const commit = writer.commit({ records: [{ topic, partition: 0, records: numbered('late', 1) }] });
      expect((await rejectionOf(commit)).code).toBe('closed');
    });
  });
}

/** Follows the pattern by which services agree on a first record, and returns the value that everybody sees. */
async function compareAndSet(
  io: TopicIo,
  contest: { topic: string; id: string; proposal: string },
): Promise<string> {
  for (let attempt = 0; attempt < contendersAttemptsMax; attempt += 1) {
    try {
      await using writer = await io.fencedWriter(contest.id);
      const { records } = await readToEnd(io, { topic: contest.topic });
      const found = records[0]?.value?.toString();
      if (found !== undefined) return found;
      const proposed = record({ key: 'meta', value: Buffer.from(contest.proposal) });
      await writer.commit({ records: [{ topic: contest.topic, partition: 0, records: [proposed] }] });
    } catch (error) {
      if (!(error instanceof TopicIoError) || error.code !== 'fenced') throw error;
    }
  }
  throw new Error(`no agreement after ${contendersAttemptsMax} attempts`);
}
