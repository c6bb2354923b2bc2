import { readFileSync } from 'node:fs';
import {
  eventTopicSettings,
  metaTopicSettings,
  rejectedTopicSettings,
  snapshotTopicSettings,
  topicNames,
} from '@runlog/schema/log/topics';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { Kafka, logLevel } from 'kafkajs';
import { expect } from 'vitest';
import { silentLogger } from './silent-logger.ts';

const TOPICS = topicNames('');
const RETENTION_HOURS = 720;
/** Retention removes a record of this time at once. */
const LONG_AGO_MS = 0;
export const FOLD_1_PARTITIONS = 2;

interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestampMs: number;
}

interface StoredTopic {
  readonly topic: string;
  readonly bounds: readonly { readonly startOffset: number; readonly stableEnd: number }[];
}

/** A log that the last build with version 1 of the fold wrote; test/fixtures/fold-1/make.ts says how. */
export const fold1Log = read();

function read(): { topics: readonly StoredTopic[]; records: readonly StoredRecord[] } {
  const lines = readFileSync(new URL('../fixtures/fold-1/log.jsonl', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StoredRecord | StoredTopic);
  return {
    topics: lines.filter((line) => 'bounds' in line),
    records: lines.filter((line) => 'offset' in line),
  };
}

/** Returns the bytes of each run's snapshot of version 1. */
export function fold1Snapshots(): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const { topic, key, value } of fold1Log.records) {
    if (topic === TOPICS.snapshots && value !== null && !key.startsWith('#'))
      found.set(key, Buffer.from(value));
  }
  return found;
}

/** Writes the log into a folder, which must be empty. Retention removes what it removed before. */
export async function writeFold1Folder(folder: string): Promise<void> {
  {
    await using io = await openEmbedded({ folder, logger: silentLogger });
    await write(io, '');
  }
  await using io = await openEmbedded({ folder, logger: silentLogger });
  await expect.poll(() => startsOf(io, '')).toEqual(eventBounds().map(({ startOffset }) => startOffset));
}

/** Writes the log into topics with that prefix, which must not exist, and deletes what retention removed before. */
export async function writeFold1Topics(brokers: readonly string[], prefix: string): Promise<void> {
  await using io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
  await write(io, prefix);
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const topic = topicNames(prefix).events;
  // kafkajs deletes records only of topics that it has looked at before.
  await admin.fetchTopicOffsets(topic);
  const partitions = eventBounds().map(({ startOffset }, partition) => {
    return { partition, offset: String(startOffset) };
  });
  await admin.deleteTopicRecords({ topic, partitions });
  await admin.disconnect();
  await expect.poll(() => startsOf(io, prefix)).toEqual(eventBounds().map(({ startOffset }) => startOffset));
}

function eventBounds(): StoredTopic['bounds'] {
  return fold1Log.topics.find(({ topic }) => topic === TOPICS.events)!.bounds;
}

async function startsOf(io: TopicIo, prefix: string): Promise<number[]> {
  return (await io.bounds(topicNames(prefix).events)).map(({ startOffset }) => startOffset);
}

async function write(io: TopicIo, prefix: string): Promise<void> {
  const names = topicNames(prefix);
  const compacted = snapshotTopicSettings();
  await io.ensureTopics([
    { name: names.meta, partitions: 1, ...metaTopicSettings() },
    { name: names.events, partitions: FOLD_1_PARTITIONS, ...eventTopicSettings(RETENTION_HOURS) },
    { name: names.rejected, partitions: FOLD_1_PARTITIONS, ...rejectedTopicSettings(RETENTION_HOURS) },
    { name: names.snapshots, partitions: FOLD_1_PARTITIONS, ...compacted },
  ]);
  await using writer = await io.writer();
  for (const { topic, bounds } of fold1Log.topics) {
    for (const [partition, { startOffset }] of bounds.entries()) {
      const isEvents = topic === TOPICS.events;
      const records = [
        ...(isEvents ? Array.from({ length: startOffset }, () => removed) : []),
        ...stored(topic, { partition, prefix }),
      ];
      const { fault } = await writer.append({ topic: `${prefix}${topic}`, partition, records });
      if (fault !== undefined) throw fault;
    }
  }
}

/** Takes the place of an event that retention removed. */
const removed = { key: 'removed', value: Buffer.from('{}'), headers: {}, timestampMs: LONG_AGO_MS };

/** Returns the records of a partition. They are as young as the test, so that retention keeps them. */
function stored(topic: string, at: { partition: number; prefix: string }): RecordToAppend[] {
  const found = fold1Log.records.filter(
    (record) => record.topic === topic && record.partition === at.partition,
  );
  return found.map(({ key, value, headers }) => {
    const text =
      topic === TOPICS.meta ? value!.replace(TOPICS.snapshots, at.prefix + TOPICS.snapshots) : value;
    return { key, value: text === null ? null : Buffer.from(text), headers, timestampMs: Date.now() };
  });
}
