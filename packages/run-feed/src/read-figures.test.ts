import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCheckpoint } from '@runlog/records/checkpoint-record';
import { snapshotTopicSettings } from '@runlog/schema/log/topics';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFigures } from './read-figures.ts';

const TOPIC = 'run-figures';
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {
  // The test reads no log lines.
}

const figuresOf = (key: string): RecordToAppend => ({
  ...{ key, value: Buffer.from('{}'), headers: {}, timestampMs: 0 },
});
const checkpointAt = (next: number) => encodeCheckpoint({ epoch: 'e', fold: 2, next }, 0);

describe('readFigures', () => {
  let folder: string;
  let io: Awaited<ReturnType<typeof openEmbedded>>;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'figures-'));
    io = await openEmbedded({ folder, logger });
    await io.ensureTopics([{ name: TOPIC, partitions: 1, replicationFactor: 1, ...snapshotTopicSettings() }]);
  });
  afterEach(async () => {
    await io[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function append(records: readonly RecordToAppend[]): Promise<void> {
    await using writer = await io.fencedWriter('test');
    await writer.commit({ records: [{ topic: TOPIC, partition: 0, records }] });
  }

  async function read(checkpoint: number, sleep: () => Promise<void>) {
    const keys: string[] = [];
    const lagging = await readFigures({
      ...{ io, topic: TOPIC, partitions: [0], checkpoints: new Map([[0, checkpoint]]) },
      ...{ signal: new AbortController().signal, sleep },
      onUnreadable: () => undefined,
      onRecords: (records) => keys.push(...records.map(({ key }) => key)),
    });
    return { keys, lagging };
  }

  it('goes on reading until the figures are as new as the snapshots', async () => {
    await append([figuresOf('a'), checkpointAt(4)]);
    const written = [
      () => append([figuresOf('b'), checkpointAt(8)]),
      () => append([figuresOf('c'), checkpointAt(10)]),
    ];
    const result = await read(10, async () => await written.shift()?.());
    expect(result).toEqual({ keys: ['a', 'b', 'c'], lagging: [] });
  });

  it('does not wait for figures that are new enough', async () => {
    await append([figuresOf('a'), checkpointAt(12)]);
    const sleep = () => Promise.reject(new Error('it waited'));
    expect(await read(10, sleep)).toEqual({ keys: ['a'], lagging: [] });
  });

  it('gives up after ten seconds, and says which partition is behind', async () => {
    await append([figuresOf('a')]);
    let sleeps = 0;
    const result = await read(10, async () => {
      sleeps += 1;
    });
    expect(result).toEqual({ keys: ['a'], lagging: [0] });
    expect(sleeps).toBe(200);
  });
});
