import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeMeta, type RunMeta } from '@runlog/records/meta-record';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import { topicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { followLog } from './follow-log.ts';

const topics = topicNames('');
const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('an ingest that runs', () => {
  let folder: string;
  let io: TopicIo;
  let meta: RunMeta;
  let stop: AbortController;
  let followed: Promise<void>;
  const onNewerFold = vi.fn();
  beforeEach(async () => {
    vi.clearAllMocks();
    stop = new AbortController();
    folder = await mkdtemp(join(tmpdir(), 'follow-'));
    io = await openEmbedded({ folder, logger });
    const plan = { topics, partitions: 2, replicationFactor: 1, eventRetentionHours: 720 };
    meta = await prepareTopics({ ...plan, io, logger, epoch: () => 'first', now: () => 0 });
    followed = followLog({
      ...{ io, topics, meta, logger, onNewerFold, signal: stop.signal },
      // Each look comes at once.
      sleep: turn,
    });
    followed.catch(() => undefined);
  });
  afterEach(async () => {
    stop.abort();
    await followed.catch(() => undefined);
    await io[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function write(change: Partial<RunMeta>): Promise<void> {
    const record = encodeMeta({ ...meta, ...change }, 0);
    await using writer = await io.fencedWriter(topics.meta);
    await writer.commit({ records: [{ topic: topics.meta, partition: 0, records: [record] }] });
  }

  it('says once that a newer fold has taken over, and goes on', async () => {
    await write({ fold: FOLD_VERSION + 1, snapshots: 'run-snapshots.v2', epoch: 'second' });
    await expect.poll(() => onNewerFold.mock.calls.flat()).toEqual([FOLD_VERSION + 1]);
    await write({ fold: FOLD_VERSION + 2, snapshots: 'run-snapshots.v3', epoch: 'third' });
    await expect.poll(() => onNewerFold.mock.calls.flat()).toEqual([FOLD_VERSION + 1, FOLD_VERSION + 2]);
    expect(logger.warn).toHaveBeenCalledOnce();
    stop.abort();
    await followed;
  });

  it('says nothing of a rebuild by its own fold', async () => {
    await write({ snapshots: 'run-snapshots.v2' });
    await write({ snapshots: 'run-snapshots.v3', fold: FOLD_VERSION + 1, epoch: 'second' });
    await expect.poll(() => onNewerFold).toHaveBeenCalled();
    expect(logger.warn).toHaveBeenCalledOnce();
  });

  it('ends if run-meta names another number of partitions', async () => {
    await write({ partitions: 3, epoch: 'second' });
    await expect(followed).rejects.toMatchObject({
      code: 'unusable',
      message: expect.stringContaining(
        'run-meta says 3 partitions now, and this ingest deals events out to 2',
      ),
    });
  });

  it.each([
    [2, 'says that the events were made anew, and goes on'],
    [3, 'ends if the events were made anew with another number of partitions'],
  ])('with %i partitions: %s', async (partitions) => {
    await io.deleteTopic(topics.events);
    await io.ensureTopics([{ name: topics.events, partitions, cleanupPolicy: 'delete', settings: {} }]);
    if (partitions === meta.partitions) {
      await expect.poll(() => logger.warn).toHaveBeenCalledOnce();
      expect(logger.warn.mock.calls[0]![0].err.message).toContain('was recreated: its id is');
    } else await expect(followed).rejects.toMatchObject({ code: 'unusable' });
  });
});
