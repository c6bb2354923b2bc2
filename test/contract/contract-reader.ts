import type { FetchAnswered, LogRecord } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { uniqueName } from '../support/unique-name.ts';
import {
  appendAll,
  type ContractContext,
  createTopic,
  expectAcknowledged,
  fetchedUntil,
  nextFetched,
  nextRecords,
  numbered,
  openReader,
  readCommitted,
  readToEnd,
  record,
  rejectionOf,
  textOf,
} from './contract-context.ts';

export function describeReading(context: ContractContext): void {
  describe('a reader', () => {
    it('yields every added partition at least once, even when it is empty', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 3 });
      const reader = openReader(io, topic);
      for (const partition of [0, 1, 2]) reader.add({ partition, offset: 0 });
      const all = await fetchedUntil(
        reader,
        (_, seen) => new Set(seen.map((one) => one.partition)).size === 3,
      );
      for (const fetched of all) {
        expect(fetched).toMatchObject({
          kind: 'records',
          records: [],
          nextOffset: 0,
          stableEnd: 0,
          startOffset: 0,
        });
      }
    });

    it('tells of answers that hold nothing new, for as long as somebody waits', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      await appendAll(io, { topic, partition: 1, records: numbered('told', 3) });
      const answers: FetchAnswered[] = [];
      await using reader = io.reader({ topic, onAnswer: (answer) => answers.push(answer) });
      for (const partition of [0, 1]) reader.add({ partition, offset: 0 });
      const reading = (async () => {
        for await (const _ of reader);
      })();
      const newest = () =>
        [0, 1].map((at) => answers.filter(({ partition }) => partition === at).length >= 4);
      await expect.poll(newest).toEqual([true, true]);
      expect(new Set(answers.map(({ partition, stableEnd }) => `${partition}: ${stableEnd}`))).toEqual(
        new Set(['0: 0', '1: 3']),
      );
      await reader[Symbol.asyncDispose]();
      await reading;
    });

    it('reads to the end, where the next offset equals the stable end', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      await appendAll(io, { topic, partition: 1, records: numbered('read', 2_500) });
      const { records, nextOffset, stableEnd, startOffset } = await readToEnd(io, { topic, partition: 1 });
      expect(records.map((one) => one.offset)).toEqual(Array.from({ length: 2_500 }, (_, offset) => offset));
      expect(textOf(records)).toEqual(Array.from({ length: 2_500 }, (_, index) => `read-${index}`));
      expect({ nextOffset, stableEnd, startOffset }).toEqual({
        nextOffset: 2_500,
        stableEnd: 2_500,
        startOffset: 0,
      });
    });

    it('starts at any offset', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await appendAll(io, { topic, records: numbered('from', 20) });
      for (const offset of [1, 7, 19]) {
        const { records } = await readToEnd(io, { topic, offset });
        expect(records.map((one) => one.offset)).toEqual(
          Array.from({ length: 20 - offset }, (_, index) => offset + index),
        );
      }
      expect((await readToEnd(io, { topic, offset: 20 })).records).toEqual([]);
    });

    it('reads as far as it is needed, and on from there if more is asked for', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await appendAll(io, { topic, records: numbered('to', 20) });
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 3, to: 7 });
      const answers = await fetchedUntil(reader, (one) => one.kind === 'records' && one.nextOffset === 20);
      const read = answers.flatMap((one) => (one.kind === 'records' ? textOf(one.records) : []));
      expect(read).toEqual(Array.from({ length: 17 }, (_, index) => `to-${3 + index}`));
    });

    it('bounds the size of one answer', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      for (let round = 0; round < 4; round += 1) {
        const large = Array.from({ length: 20 }, () => record({ value: Buffer.alloc(100_000) }));
        await appendAll(io, { topic, records: large });
      }
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 0 });
      const answers = await fetchedUntil(
        reader,
        (one) => one.kind === 'records' && one.nextOffset === one.stableEnd,
      );
      expect(answers.length).toBeGreaterThan(1);
    });

    it('yields only the records of a key if it has one, and counts what it read of the others', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      // Large and small ones, and keys of which one begins with the other.
      const sizes = [0, 1, 10_000, 300_000];
      const all = Array.from({ length: 40 }, (_, index) =>
        record({ key: ['k', 'kk', 'other'][index % 3]!, value: Buffer.alloc(sizes[index % 4]!, index) }),
      );
      for (const records of [all.slice(0, 20), all.slice(20)]) await appendAll(io, { topic, records });
      const own = all.flatMap((one, offset) => (one.key === 'k' ? [{ ...one, offset }] : []));
      for (const [key, expected] of [
        ['k', own],
        ['nobody', []],
      ] as const) {
        await using reader = io.reader({ topic, key, signal: AbortSignal.timeout(60_000) });
        reader.add({ partition: 0, offset: 0 });
        const answers = await fetchedUntil(
          reader,
          (one) => one.kind === 'records' && one.nextOffset === one.stableEnd,
        );
        const read = answers.flatMap((one) => (one.kind === 'records' ? [one] : []));
        const found = read.flatMap(({ records }) => records);
        expect(found.map(({ offset }) => offset)).toEqual(expected.map(({ offset }) => offset));
        expect(textOf(found)).toEqual(textOf(expected));
        const bytes = read.reduce((sum, one) => sum + one.bytes, 0);
        const valueBytes = all.reduce((sum, { value }) => sum + value!.length, 0);
        expect(bytes).toBeGreaterThanOrEqual(valueBytes);
        expect(bytes).toBeLessThan(valueBytes + all.length * 1_000);
      }
    });

    it('gives a reader with a key its records also while they are written', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await using reader = io.reader({ topic, key: 'k', signal: AbortSignal.timeout(60_000) });
      reader.add({ partition: 0, offset: 0 });
      await nextRecords(reader);
      await using writer = await io.writer();
      const records = ['k', 'other', 'k'].map((key, index) =>
        record({ key, value: Buffer.from(String(index)) }),
      );
      expectAcknowledged(await writer.append({ topic, partition: 0, records }), 3);
      const answers = await fetchedUntil(reader, (one) => one.kind === 'records' && one.nextOffset === 3);
      expect(answers.flatMap((one) => (one.kind === 'records' ? textOf(one.records) : []))).toEqual([
        '0',
        '2',
      ]);
    });

    it('wakes up within a second when a record arrives', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 0 });
      await nextRecords(reader);
      await using writer = await io.writer();
      let turn = 0;
      const wait = async () => {
        const arrived = fetchedUntil(reader, (one) => one.kind === 'records' && one.records.length > 0);
        await writer.append({ topic, partition: 0, records: numbered(`live-${turn}`, 1) });
        const acknowledgedAtMs = performance.now();
        const last = (await arrived).at(-1);
        turn += 1;
        expect(last).toMatchObject({ kind: 'records', partition: 0, nextOffset: turn });
        return performance.now() - acknowledgedAtMs;
      };
      // A reader that only polled would never be this quick. Even a busy machine is, sooner or later.
      await expect.poll(wait, { interval: 1 }).toBeLessThan(1_000);
      while (turn < 5) await wait();
    });

    it('adds and removes partitions while it runs', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 3 });
      for (const partition of [0, 1, 2]) {
        await appendAll(io, { topic, partition, records: numbered(`p${partition}`, 2) });
      }
      const reader = openReader(io, topic);
      const recordsOf = (partition: number) => (one: Awaited<ReturnType<typeof nextFetched>>) =>
        one.partition === partition && one.kind === 'records' && one.records.length > 0;

      reader.add({ partition: 0, offset: 0 });
      await fetchedUntil(reader, recordsOf(0));
      reader.add({ partition: 1, offset: 1 });
      const added = (await fetchedUntil(reader, recordsOf(1))).at(-1);
      expect(added?.kind === 'records' && textOf(added.records)).toEqual(['p1-1']);

      reader.remove(0);
      await appendAll(io, { topic, partition: 0, records: numbered('unseen', 1) });
      await appendAll(io, { topic, partition: 1, records: numbered('seen', 1) });
      const after = await fetchedUntil(reader, recordsOf(1));
      expect(after.filter((one) => one.partition === 0)).toEqual([]);

      reader.add({ partition: 0, offset: 1 });
      const again = await fetchedUntil(
        reader,
        (_, all) =>
          all.flatMap((one) => (one.partition === 0 && one.kind === 'records' ? one.records : [])).length ===
          2,
      );
      const texts = again.flatMap((one) =>
        one.partition === 0 && one.kind === 'records' ? textOf(one.records) : [],
      );
      expect(texts).toEqual(['p0-1', 'unseen-0']);
    });

    it('yields nothing fetched earlier after a partition is removed and added at another offset', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      for (let round = 0; round < 4; round += 1) {
        const large = Array.from({ length: 20 }, () => record({ value: Buffer.alloc(100_000) }));
        await appendAll(io, { topic, records: large });
      }
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 0 });
      const before = await nextRecords(reader);
      expect(before.nextOffset).toBeLessThan(70);

      reader.remove(0);
      reader.add({ partition: 0, offset: 75 });

      const after = await fetchedUntil(reader, (one) => one.kind === 'records' && one.nextOffset === 80);
      const offsets = after.flatMap((one) =>
        one.kind === 'records' ? one.records.map((each) => each.offset) : [],
      );
      expect(offsets).toEqual([75, 76, 77, 78, 79]);
    });

    it('adds a partition while it waits without any', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const reader = openReader(io, topic);
      const answer = nextFetched(reader);
      reader.add({ partition: 0, offset: 0 });
      expect(await answer).toMatchObject({ kind: 'records', partition: 0, nextOffset: 0 });
    });

    it('says that a position is outside the log, and drops only that partition', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      await appendAll(io, { topic, partition: 0, records: numbered('short', 3) });
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 9 });
      reader.add({ partition: 1, offset: 0 });
      const all = await fetchedUntil(
        reader,
        (_, seen) =>
          seen.some((one) => one.kind === 'out_of_range') && seen.some((one) => one.partition === 1),
      );
      expect(all.find((one) => one.kind === 'out_of_range')).toEqual({
        kind: 'out_of_range',
        partition: 0,
        requestedOffset: 9,
        startOffset: 0,
        stableEnd: 3,
      });

      await appendAll(io, { topic, partition: 0, records: numbered('dropped', 10) });
      await appendAll(io, { topic, partition: 1, records: numbered('goes-on', 1) });
      const later = await fetchedUntil(reader, (one) => one.kind === 'records' && one.records.length > 0);
      expect(later.every((one) => one.partition === 1)).toBe(true);

      reader.add({ partition: 0, offset: 12 });
      const back = await fetchedUntil(reader, (one) => one.partition === 0);
      expect(back.at(-1)).toMatchObject({ kind: 'records', nextOffset: 13 });
    });

    it('ends when it is aborted, in the middle of a wait or before it', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const abort = new AbortController();
      await using reader = io.reader({ topic, signal: abort.signal });
      reader.add({ partition: 0, offset: 0 });
      const iterator = reader[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = iterator.next();
      abort.abort();
      expect((await waiting).done).toBe(true);

      await using late = io.reader({ topic, signal: abort.signal });
      late.add({ partition: 0, offset: 0 });
      expect((await late[Symbol.asyncIterator]().next()).done).toBe(true);
    });

    it('ends when it is disposed', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const reader = io.reader({ topic });
      reader.add({ partition: 0, offset: 0 });
      const iterator = reader[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = iterator.next();
      await reader[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
      expect((await waiting).done).toBe(true);
    });

    it('gives a reader that keeps up exactly the records that a later one reads, whatever became of their buffers', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const reader = openReader(io, topic);
      reader.add({ partition: 0, offset: 0 });
      await nextRecords(reader);
      await using writer = await io.writer();
      const followed: LogRecord[] = [];
      let appended = 0;
      for (let round = 0; round < 20; round += 1) {
        const value = Buffer.from(`value ${round}`);
        const records = [
          record({ key: `k${round}`, value, headers: { b: '2', a: `${round}` }, timestampMs: 1_000 + round }),
          record({ key: round % 3 === 0 ? 'ключ' : 'k', value: null }),
          ...numbered(`n${round}`, round),
        ];
        expectAcknowledged(await writer.append({ topic, partition: 0, records }), records.length);
        value.fill('x');
        appended += records.length;
        // Every second time, two rounds are read at once.
        if (round % 2 === 0) continue;
        while (followed.length < appended) followed.push(...(await nextRecords(reader)).records);
      }
      const { records } = await readToEnd(io, { topic });
      expect(JSON.stringify(followed)).toBe(JSON.stringify(records));
    });

    it('lets several readers read the same partition, each at its own pace', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      await appendAll(io, { topic, records: numbered('shared', 100) });
      const both = await Promise.all([readToEnd(io, { topic }), readToEnd(io, { topic, offset: 50 })]);
      expect(both.map((one) => one.records.length)).toEqual([100, 50]);
    });
  });

  describe('a log', () => {
    it('still holds everything after it was closed and opened again', async () => {
      const before = context.io();
      const topic = await createTopic(before, { partitions: 2 });
      await appendAll(before, { topic, partition: 1, records: numbered('kept', 10) });
      const group = uniqueName('group');
      await using fenced = await before.fencedWriter(uniqueName('writer'));
      await fenced.commit({
        records: [{ topic, partition: 0, records: numbered('committed', 3) }],
        offsets: [{ group, topic, partition: 1, offset: 4 }],
      });

      const io = (await context.reopen()) ?? before;

      expect(await io.describeTopic(topic)).toMatchObject({ name: topic, partitions: 2 });
      expect((await readToEnd(io, { topic, partition: 1 })).records).toHaveLength(10);
      expect((await readCommitted(io, { topic, partition: 0, count: 3 })).records).toHaveLength(3);
      expect(await appendAll(io, { topic, partition: 1, records: numbered('more', 1) })).toBe(10);
    });

    it('answers closed once it is disposed', async () => {
      const before = context.io();
      const topic = await createTopic(before);
      const writer = await before.writer();
      const fenced = await before.fencedWriter(uniqueName('writer'));
      const reader = before.reader({ topic });
      reader.add({ partition: 0, offset: 0 });
      const iterator = reader[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = iterator.next();

      const after = await context.reopen();
      if (after === null) {
        await reader[Symbol.asyncDispose]();
        await writer[Symbol.asyncDispose]();
        await fenced[Symbol.asyncDispose]();
        return;
      }

      expect((await waiting).done).toBe(true);
      expect((await writer.append({ topic, partition: 0, records: numbered('late', 1) })).fault?.code).toBe(
        'closed',
      );
      const commit = fenced.commit({ records: [{ topic, partition: 0, records: numbered('late', 1) }] });
      expect((await rejectionOf(commit)).code).toBe('closed');
      expect((await rejectionOf(before.describeTopic(topic))).code).toBe('closed');
      expect((await rejectionOf(before.ping())).code).toBe('closed');
      expect((await rejectionOf(before.writer())).code).toBe('closed');
      expect((await rejectionOf(before.bounds(topic))).code).toBe('closed');
      await before[Symbol.asyncDispose]();
      expect((await readToEnd(after, { topic })).records).toEqual([]);
    });
  });
}
