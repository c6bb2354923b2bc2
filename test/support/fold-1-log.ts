import { readFileSync } from 'node:fs';
import { topicNames } from '@runlog/schema/log/topics';

const TOPICS = topicNames('');

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
