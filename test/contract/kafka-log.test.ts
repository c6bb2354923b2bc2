import { setImmediate as nextTurn } from 'node:timers/promises';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';
import {
  appendAll,
  createTopic,
  expectAcknowledged,
  numbered,
  readToEnd,
  record,
  rejectionOf,
  textOf,
} from './contract-context.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const COMPACTED_QUICKLY = {
  // The active segment is never compacted. A new one begins only with a batch that is younger by this.
  'segment.ms': '1',
  'min.cleanable.dirty.ratio': '0.01',
  'min.compaction.lag.ms': '0',
  'delete.retention.ms': '100',
};

/** These tests are about Kafka alone: its control records, its compaction and its settings. */
describe('the Kafka engine', () => {
  let io: TopicIo;

  beforeAll(async () => {
    io = await openKafka({
      brokers: inject('kafkaBrokers'),
      clientId: 'runlog-kafka-log',
      logger: silentLogger,
    });
  });

  afterAll(async () => {
    await io[Symbol.asyncDispose]();
  });

  it('reads past aborted records and control records, and its end is exact', async () => {
    const topic = await createTopic(io, { partitions: 2 });
    const id = uniqueName('writer');
    const good = numbered('good', 2);
    const tooLate = [record({ timestampMs: Date.now() + DAY_MS })];
    for (let round = 0; round < 3; round += 1) {
      await using failing = await io.fencedWriter(id);
      const commit = failing.commit({
        // The broker has accepted the first partition's records when it refuses those of the second.
        records: [
          { topic, partition: 0, records: numbered('aborted', 3) },
          { topic, partition: 1, records: tooLate },
        ],
      });
      expect((await rejectionOf(commit)).code).toBe('unusable');
      await using writer = await io.fencedWriter(id);
      await writer.commit({ records: [{ topic, partition: 0, records: good }] });
    }
    await appendAll(io, { topic, records: numbered('plain', 1) });
    await expect.poll(async () => (await io.bounds(topic))[0]?.stableEnd).toBe(22);

    const read = await readToEnd(io, { topic });
    const expected = ['good-0', 'good-1', 'good-0', 'good-1', 'good-0', 'good-1', 'plain-0'];
    expect(textOf(read.records)).toEqual(expected);
    // Each round has 3 aborted records, an abort marker, 2 committed records and a commit marker.
    expect(read.records.map(({ offset }) => offset)).toEqual([4, 5, 11, 12, 18, 19, 21]);
    expect(read).toMatchObject({ nextOffset: 22, stableEnd: 22 });
    for (let offset = 0; offset <= 22; offset += 1) {
      const rest = await readToEnd(io, { topic, offset });
      expect(rest.records.map((one) => one.offset)).toEqual(
        [4, 5, 11, 12, 18, 19, 21].filter((one) => one >= offset),
      );
      expect(rest.nextOffset).toBe(22);
    }
  });

  it('restores a really compacted topic to its end, from any offset', async () => {
    const topic = await createTopic(io, { cleanupPolicy: 'compact', settings: COMPACTED_QUICKLY });
    const id = uniqueName('writer');
    await using writer = await io.fencedWriter(id);
    const beginMs = Date.now() - 60_000;
    const rounds = 20;
    for (let round = 0; round < rounds; round += 1) {
      const records = ['a', 'b', 'c'].map((key) =>
        record({ key, value: Buffer.from(`${key}-${round}`), timestampMs: beginMs + round * 1_000 }),
      );
      await writer.commit({ records: [{ topic, partition: 0, records }] });
    }
    // Each round has three records and a commit marker. A commit is answered when it is decided, and becomes visible a
    // little later.
    const end = rounds * 4;
    await expect.poll(async () => (await io.bounds(topic))[0]?.stableEnd).toBe(end);
    await expect
      .poll(async () => (await readToEnd(io, { topic })).records.length, { interval: 200 })
      .toBeLessThan(20);

    for (let offset = 0; offset <= end; offset += 7) {
      const read = await readToEnd(io, { topic, offset });
      expect(read.nextOffset).toBe(end);
      expect(read.records.every((one) => one.offset >= offset)).toBe(true);
    }
    const { records } = await readToEnd(io, { topic });
    const newest = new Map(records.map((one) => [one.key, one.value?.toString()]));
    expect([...newest.values()].sort()).toEqual(['a', 'b', 'c'].map((key) => `${key}-${rounds - 1}`));
  });

  it('creates topics that one broker can keep, whatever the settings ask for', async () => {
    const name = uniqueName('safe');
    const settings = { 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false' };
    const [created] = await io.ensureTopics([{ name, partitions: 1, cleanupPolicy: 'delete', settings }]);
    expect(created?.replicationFactor).toBe(1);
    expect(created?.settings['min.insync.replicas']).toBe('1');
    await appendAll(io, { topic: name, records: numbered('kept', 1) });
  });

  it('says unusable at once if the request is wrong, instead of retrying', async () => {
    const name = uniqueName('wrong');
    const settings = { 'segment.bytes': '7' };
    const wrong = io.ensureTopics([{ name, partitions: 1, cleanupPolicy: 'delete', settings }]);
    expect((await rejectionOf(wrong)).code).toBe('unusable');
  });

  it('reads on when a first batch is larger than what a fetch asks for', async () => {
    const topic = await createTopic(io, { partitions: 8, settings: { 'max.message.bytes': '1048576' } });
    await using writer = await io.writer();
    const value = Buffer.alloc(1_048_000, 'x');
    const partitions = [0, 1, 2, 3, 4, 5, 6, 7];
    const appended = partitions.flatMap((partition) =>
      [1, 2].map(() => writer.append({ topic, partition, records: [record({ value })] })),
    );
    for (const result of await Promise.all(appended)) expectAcknowledged(result, 1);
    await using reader = io.reader({ topic });
    for (const partition of partitions) reader.add({ partition, offset: 0 });
    const reached = new Map<number, number>();
    for await (const fetched of reader) {
      if (fetched.kind === 'records') reached.set(fetched.partition, fetched.nextOffset);
      if (partitions.every((partition) => reached.get(partition) === 2)) break;
    }
    expect(reached.size).toBe(8);
  });

  it('keeps the order of what waits in a lane and reads nothing twice under many small appends', async () => {
    const topic = await createTopic(io, { partitions: 3 });
    await using writer = await io.writer();
    const count = 3_000;
    const results = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        writer.append({ topic, partition: index % 3, records: [record({ value: Buffer.from(`${index}`) })] }),
      ),
    );
    for (const result of results) expectAcknowledged(result, 1);
    for (const partition of [0, 1, 2]) {
      const { records } = await readToEnd(io, { topic, partition });
      const expected = Array.from({ length: count / 3 }, (_, index) => `${index * 3 + partition}`);
      expect(textOf(records)).toEqual(expected);
    }
  });

  it('gives back a batch with odd times unchanged', async () => {
    const topic = await createTopic(io);
    const nowMs = Date.now();
    const times = [0, 5, 10, 9, 100, nowMs, 1_000];
    await appendAll(io, { topic, records: times.map((timestampMs) => record({ timestampMs })) });
    const { records } = await readToEnd(io, { topic });
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual(times);
    expect(await io.offsetAtTime({ topic, partition: 0, timestampMs: nowMs })).toBe(5);
  });

  it('leaves no connection behind, whenever a reader is disposed while it connects', async () => {
    const topic = await createTopic(io);
    const before = connections();
    for (let turns = 0; turns < 60; turns += 1) {
      const reader = io.reader({ topic });
      reader.add({ partition: 0, offset: 0 });
      const next = reader[Symbol.asyncIterator]().next();
      for (let turn = 0; turn < turns; turn += 1) await nextTurn();
      await reader[Symbol.asyncDispose]();
      await next;
    }
    await expect.poll(connections).toBeLessThanOrEqual(before);
  });
});

/** Counts the open connections of this process. */
function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
}
