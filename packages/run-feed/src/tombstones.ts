import { snapshotTopicSettings } from '@runlog/schema/log/topics';
import { TopicIoError } from '@runlog/topic-io/topic-io';

const HOUR_MS = 3_600_000;
/** Half of the least time for which tombstones are kept, because brokers count from different moments. */
const READ_MS_MAX = Number(snapshotTopicSettings().settings['delete.retention.ms']) / 2;

/**
 * Throws if reading the snapshots took longer than tombstones are kept, for example because the machine slept. A reader
 * keeps a snapshot until it reads its tombstone. It may then have missed one and would bring a retired run back, so it
 * must read anew.
 */
export function refuseMissedTombstones(read: { topic: string; begunMs: number; endedMs: number }): void {
  const { topic, begunMs, endedMs } = read;
  if (endedMs - begunMs <= READ_MS_MAX) return;
  throw new TopicIoError(
    'unavailable',
    `reading ${topic} took ${Math.round((endedMs - begunMs) / HOUR_MS)} hours: tombstones may have been removed meanwhile; reading anew`,
  );
}
