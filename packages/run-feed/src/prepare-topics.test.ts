import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeMeta, type RunMeta } from '@runlog/records/meta-record';
import { topicNames } from '@runlog/schema/log/topics';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PrepareOptions, prepareTopics, readMeta } from './prepare-topics.ts';

const topics = topicNames('');
const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

describe('prepareTopics', () => {
  let folder: string;
  let io: TopicIo;
  let epochs: number;
  beforeEach(async () => {
    vi.clearAllMocks();
    epochs = 0;
    folder = await mkdtemp(join(tmpdir(), 'prepare-'));
    io = await openEmbedded({ folder, logger });
  });
  afterEach(async () => {
    await io[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  function prepare(change: Partial<PrepareOptions> = {}): Promise<RunMeta> {
    return prepareTopics({
      ...{ io, topics, partitions: 2, replicationFactor: 1, eventRetentionHours: 720, logger },
      epoch: () => `epoch-${++epochs}`,
      now: () => 0,
      ...change,
    });
  }

  async function write(meta: RunMeta): Promise<void> {
    await using writer = await io.fencedWriter(topics.meta);
    await writer.commit({ records: [{ topic: topics.meta, partition: 0, records: [encodeMeta(meta, 0)] }] });
  }

  const idOfEvents = async () => (await io.describeTopic(topics.events))?.id;

  it('keeps the id of the events topic in run-meta', async () => {
    const meta = await prepare();
    expect(meta.events_id).toBe(await idOfEvents());
    expect(await prepare()).toEqual(meta);
    expect(await readMeta(io, topics)).toEqual(meta);
  });

  it('adds the id to a record of an earlier build, once, whoever does it at the same time', async () => {
    const { events_id, ...earlier } = await prepare();
    await write(earlier);
    const agreed = await Promise.all([prepare(), prepare(), prepare()]);
    for (const meta of agreed) expect(meta).toEqual({ ...earlier, events_id });
    const added = logger.info.mock.calls.filter(([, said]) => String(said).includes('has the id'));
    expect(added).toHaveLength(1);
  });

  it('goes on without the id where this process may not write it, and says who may', async () => {
    const { events_id: _, ...earlier } = await prepare();
    await write(earlier);
    const denied: TopicIo = Object.assign(Object.create(io) as TopicIo, {
      ensureTopics: (specs: Parameters<TopicIo['ensureTopics']>[0]) => io.ensureTopics(specs),
      describeTopic: (name: string) => io.describeTopic(name),
      bounds: (name: string) => io.bounds(name),
      reader: (options: Parameters<TopicIo['reader']>[0]) => io.reader(options),
      fencedWriter: async () => {
        throw new TopicIoError('denied', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
      },
    });
    expect(await prepare({ io: denied })).toEqual(earlier);
    expect(logger.info).toHaveBeenCalledWith(expect.anything(), expect.stringContaining('topics --create'));
    expect((await prepare()).events_id).toBe(await idOfEvents());
  });

  it('refuses events that were made anew, but not ingest, which folds nothing', async () => {
    const { events_id } = await prepare();
    await io.deleteTopic(topics.events);
    await expect(prepare({ role: 'gateway' })).rejects.toMatchObject({
      code: 'unusable',
      message: expect.stringMatching(
        new RegExp(`was recreated: its id is .*with the id ${events_id}\\. .*--moved`),
      ),
    });
    expect(await prepare({ role: 'ingest' })).toMatchObject({ events_id });
  });

  it('makes topics of snapshots before anything is agreed on, and never after', async () => {
    const { snapshots } = await prepare();
    await io.deleteTopic(snapshots);
    await expect(prepare()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('there is no topic run-snapshots, which run-meta names'),
    });
    expect((await prepare({ role: 'ingest' })).snapshots).toBe(snapshots);
    expect(await io.describeTopic(snapshots)).toBeNull();
  });
});
