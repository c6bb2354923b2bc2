import { snapshotTopicSettings } from '@runlog/schema/log/topics';
import { TopicIoError } from '@runlog/topic-io/topic-io';

const HOUR_MS = 3_600_000;
/** Half of what tombstones live at least, because brokers count it from one moment or another. */
const READ_MS_MAX = Number(snapshotTopicSettings().settings['delete.retention.ms']) / 2;

/**
 * A snapshot that was read stays until its tombstone is read. Who needs longer than tombstones live, because the
 * machine slept, may have missed one, would bring a retired run back, and must read anew.
 */
export function refuseMissedTombstones(read: { topic: string; begunMs: number; endedMs: number }): void {
  const { topic, begunMs, endedMs } = read;
  if (endedMs - begunMs <= READ_MS_MAX) return;
  throw new TopicIoError(
    'unavailable',
    `reading ${topic} took ${Math.round((endedMs - begunMs) / HOUR_MS)} hours: tombstones may have gone meanwhile; reading anew`,
  );
}
