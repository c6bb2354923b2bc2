import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Logger } from '../logger.ts';
import type { LogRecord, RecordToAppend, TopicIo, TopicSpec } from '../topic-io.ts';
import { type EmbeddedOptions, openEmbedded } from './open-embedded.ts';

const hourMs = 3_600_000;

const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-embedded-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function open(overrides: Partial<EmbeddedOptions> = {}): Promise<TopicIo> {
  const io = await openEmbedded({ folder: await temporaryFolder(), logger, ...overrides });
  onTestFinished(() => io[Symbol.asyncDispose]());
  return io;
}

function topicSpec(overrides: Partial<TopicSpec> = {}): TopicSpec {
  return { name: 'topic', partitions: 1, cleanupPolicy: 'delete', settings: {}, ...overrides };
}

function record(overrides: Partial<RecordToAppend> = {}): RecordToAppend {
  return { key: 'k', value: Buffer.from('v'), headers: {}, timestampMs: 0, ...overrides };
}

async function append(io: TopicIo, records: RecordToAppend[]): Promise<void> {
  await using writer = await io.writer();
  const result = await writer.append({ topic: 'topic', partition: 0, records });
  if (result.fault !== undefined) throw result.fault;
}

async function readAll(
  io: TopicIo,
): Promise<{ records: LogRecord[]; startOffset: number; stableEnd: number }> {
  const [bounds] = await io.bounds('topic');
  const { startOffset = 0, stableEnd = 0 } = bounds ?? {};
  await using reader = io.reader({ topic: 'topic' });
  reader.add({ partition: 0, offset: startOffset });
  const records: LogRecord[] = [];
  for await (const fetched of reader) {
    if (fetched.kind !== 'records') throw new Error(`out of range at ${fetched.requestedOffset}`);
    records.push(...fetched.records);
    if (fetched.nextOffset === fetched.stableEnd) break;
  }
  return { records, startOffset, stableEnd };
}

describe('a compacted topic', () => {
  it('holds only the newest record of a key, at its own offset', async () => {
    const io = await open();
    await io.ensureTopics([topicSpec({ cleanupPolicy: 'compact' })]);
    await append(
      io,
      ['a', 'b', 'a', 'c', 'a'].map((key) => record({ key })),
    );
    await append(io, [record({ key: 'b' }), record({ key: 'k'.repeat(1_500) })]);
    await append(io, [record({ key: 'k'.repeat(1_500) }), record({ key: '' })]);

    const { records, stableEnd } = await readAll(io);
    expect(records.map((one) => [one.offset, one.key.slice(0, 1)])).toEqual([
      [3, 'c'],
      [4, 'a'],
      [5, 'b'],
      [7, 'k'],
      [8, ''],
    ]);
    expect(stableEnd).toBe(9);
  });

  it('loses a tombstone after its time, and never uses an offset again', async () => {
    const folder = await temporaryFolder();
    const now = Date.UTC(2026, 0, 1);
    {
      await using io = await openEmbedded({ folder, logger, now: () => now });
      await io.ensureTopics([topicSpec({ cleanupPolicy: 'compact' })]);
      await append(io, [
        record({ key: 'kept' }),
        record({ key: 'gone' }),
        record({ key: 'gone', value: null }),
      ]);
      await append(io, [record({ key: 'back', value: null }), record({ key: 'back' })]);
      expect((await readAll(io)).records.map((one) => one.offset)).toEqual([0, 2, 4]);
    }
    {
      await using io = await openEmbedded({ folder, logger, now: () => now + 23 * hourMs });
      expect((await readAll(io)).records.map((one) => one.offset)).toEqual([0, 2, 4]);
    }
    const io = await open({ folder, now: () => now + 24 * hourMs });
    await expect.poll(async () => (await readAll(io)).records.map((one) => one.offset)).toEqual([0, 4]);
    await append(io, [record({ key: 'gone' })]);
    expect((await readAll(io)).records.map((one) => [one.offset, one.key])).toEqual([
      [0, 'kept'],
      [4, 'back'],
      [5, 'gone'],
    ]);
  });
});

describe('retention', () => {
  it('trims expired records when the log is opened, and moves the start', async () => {
    const folder = await temporaryFolder();
    const now = Date.UTC(2026, 0, 1);
    {
      await using io = await openEmbedded({ folder, logger, now: () => now });
      await io.ensureTopics([topicSpec({ settings: { 'retention.ms': String(2 * hourMs) } })]);
      const hours = Array.from({ length: 5 }, (_, hour) => hour);
      for (const hour of hours) {
        const old = Array.from({ length: 1_500 }, () => record({ timestampMs: now + hour * hourMs }));
        await append(io, old);
      }
    }
    const io = await open({ folder, now: () => now + 4 * hourMs });
    await expect.poll(() => io.bounds('topic')).toEqual([{ startOffset: 3_000, stableEnd: 7_500 }]);
    const { records } = await readAll(io);
    expect(records[0]).toMatchObject({ offset: 3_000, timestampMs: now + 2 * hourMs });
    expect(records).toHaveLength(4_500);

    await using reader = io.reader({ topic: 'topic' });
    reader.add({ partition: 0, offset: 10 });
    for await (const fetched of reader) {
      expect(fetched).toEqual({
        kind: 'out_of_range',
        partition: 0,
        requestedOffset: 10,
        startOffset: 3_000,
        stableEnd: 7_500,
      });
      break;
    }
  });

  it('keeps the offsets when everything was trimmed', async () => {
    const folder = await temporaryFolder();
    {
      await using io = await openEmbedded({ folder, logger, now: () => 0 });
      await io.ensureTopics([topicSpec({ settings: { 'retention.ms': '1000' } })]);
      await append(io, [record(), record()]);
    }
    const io = await open({ folder, now: () => 1_000_000 });
    await expect.poll(() => io.bounds('topic')).toEqual([{ startOffset: 2, stableEnd: 2 }]);
    expect((await readAll(io)).records).toEqual([]);
    await append(io, [record({ timestampMs: 1_000_000 })]);
    expect((await readAll(io)).records.map((one) => one.offset)).toEqual([2]);
  });

  it('keeps everything if no retention time is set', async () => {
    const folder = await temporaryFolder();
    {
      await using io = await openEmbedded({ folder, logger, now: () => 0 });
      await io.ensureTopics([topicSpec({ settings: { 'retention.ms': '-1' } })]);
      await append(io, [record()]);
    }
    const io = await open({ folder, now: () => 1e12 });
    expect((await readAll(io)).records).toHaveLength(1);
  });
});

describe('a log that is full', () => {
  it('ends appends with storage_full, loses nothing, and accepts records again when there is room', async () => {
    const errors: string[] = [];
    const folder = await temporaryFolder();
    const io = await open({
      folder,
      mapBytesMax: 4 * 1024 * 1024,
      logger: { ...logger, error: (_, message) => errors.push(message) },
    });
    await io.ensureTopics([topicSpec(), topicSpec({ name: 'other' })]);
    await using writer = await io.writer();
    const large = () => Array.from({ length: 20 }, () => record({ value: Buffer.alloc(10_000, 7) }));
    let acknowledged = 0;
    let fault: string | undefined;
    while (fault === undefined && acknowledged < 1_000) {
      const result = await writer.append({ topic: 'topic', partition: 0, records: large() });
      acknowledged += result.acknowledged;
      fault = result.fault?.code;
    }
    expect(fault).toBe('storage_full');
    expect(acknowledged).toBeGreaterThan(0);
    expect((await writer.append({ topic: 'other', partition: 0, records: large() })).fault?.code).toBe(
      'storage_full',
    );
    expect(errors).toEqual(['the embedded log is full']);
    expect((await readAll(io)).records).toHaveLength(acknowledged);

    await io.deleteTopic('topic');
    const appended = () => writer.append({ topic: 'other', partition: 0, records: large() });
    await expect.poll(async () => (await appended()).acknowledged).toBe(20);

    await io[Symbol.asyncDispose]();
    const again = await open({ folder });
    expect(await again.describeTopic('topic')).toBeNull();
    expect((await again.bounds('other'))[0]?.stableEnd).toBe(20);
  });

  it('also fails what is queued behind the append in its lane', async () => {
    const io = await open({ mapBytesMax: 4 * 1024 * 1024 });
    await io.ensureTopics([topicSpec()]);
    await using writer = await io.writer();
    const first = writer.append({
      topic: 'topic',
      partition: 0,
      records: Array.from({ length: 8 }, () => record({ value: Buffer.alloc(1_000_000) })),
    });
    const second = first.then(() => 'first answered');
    const behind = Array.from({ length: 8 }, () =>
      writer.append({
        topic: 'topic',
        partition: 0,
        records: Array.from({ length: 8 }, () => record({ value: Buffer.alloc(100_000) })),
      }),
    );
    expect((await first).fault?.code).toBe('storage_full');
    expect(await second).toBe('first answered');
    for (const result of await Promise.all(behind)) expect(result.fault?.code).toBe('storage_full');
    expect(await io.bounds('topic')).toEqual([{ startOffset: 0, stableEnd: 0 }]);
  });
});

describe('an embedded log', () => {
  it('gives dense offsets: failed commits use none', async () => {
    const io = await open();
    await io.ensureTopics([topicSpec()]);
    const zombie = await io.fencedWriter('id');
    await using writer = await io.fencedWriter('id');
    const commit = { records: [{ topic: 'topic', partition: 0, records: [record()] }] };
    await writer.commit(commit);
    await expect(zombie.commit(commit)).rejects.toMatchObject({ code: 'fenced' });
    await writer.commit(commit);
    expect((await readAll(io)).records.map((one) => one.offset)).toEqual([0, 1]);
  });

  it('fences across a restart', async () => {
    const folder = await temporaryFolder();
    const first = await openEmbedded({ folder, logger });
    await first.ensureTopics([topicSpec()]);
    const before = await first.fencedWriter('id');
    await first[Symbol.asyncDispose]();
    const io = await open({ folder });
    await using writer = await io.fencedWriter('id');
    const commit = { records: [{ topic: 'topic', partition: 0, records: [record()] }] };
    await writer.commit(commit);
    await expect(before.commit(commit)).rejects.toMatchObject({ code: 'closed' });
  });

  it('refuses names that do not fit, without harm to others', async () => {
    const io = await open();
    await expect(io.ensureTopics([topicSpec({ name: 'n'.repeat(2_000) })])).rejects.toMatchObject({
      code: 'unusable',
    });
    await expect(io.fencedWriter('w'.repeat(2_000))).rejects.toMatchObject({ code: 'unusable' });
    await expect(io.ensureTopics([topicSpec({ partitions: 0 })])).rejects.toMatchObject({ code: 'unusable' });
    await io.ensureTopics([topicSpec()]);
    await append(io, [record()]);
    expect((await readAll(io)).records).toHaveLength(1);
  });

  it('tells a reader once that a topic is missing, and continues when the topic exists', async () => {
    const io = await open();
    const onFault = vi.fn();
    await using reader = io.reader({ topic: 'topic', onFault });
    reader.add({ partition: 0, offset: 0 });
    const answer = reader[Symbol.asyncIterator]().next();
    await expect.poll(() => onFault.mock.calls.length).toBe(1);
    expect(onFault.mock.calls[0]?.[0]).toMatchObject({ code: 'unavailable' });
    await io.ensureTopics([topicSpec()]);
    expect((await answer).value).toMatchObject({ kind: 'records', partition: 0, nextOffset: 0 });
  });
});
