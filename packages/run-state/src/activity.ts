import { ACTIVITY_BUCKET_SECONDS, ACTIVITY_BUCKETS_MAX } from '@runlog/schema/limits';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

type Activity = RunSnapshot['activity'];

/**
 * Counts one event at the time it was received. Changes the array in place, but replaces its pairs and never writes into
 * one. Drops buckets that are more than 10 min older than the newest one, and events that would fall into them.
 */
export function countActivity(activity: Activity, receivedAtMs: number): void {
  const bucket =
    Math.floor(Math.max(receivedAtMs, 0) / 1_000 / ACTIVITY_BUCKET_SECONDS) * ACTIVITY_BUCKET_SECONDS;
  const newest = activity.at(-1);
  if (newest === undefined) {
    activity.push([bucket, 1]);
    return;
  }
  if (bucket === newest[0]) {
    activity[activity.length - 1] = [bucket, newest[1] + 1];
    return;
  }
  const span = ACTIVITY_BUCKET_SECONDS * ACTIVITY_BUCKETS_MAX;
  if (bucket > newest[0]) {
    const kept = activity.findIndex(([second]) => second > bucket - span);
    activity.splice(0, kept === -1 ? activity.length : kept);
    activity.push([bucket, 1]);
    return;
  }
  if (bucket <= newest[0] - span) return;
  const index = activity.findIndex(([second]) => second >= bucket);
  const at = activity[index]!;
  if (at[0] === bucket) activity[index] = [bucket, at[1] + 1];
  else activity.splice(index, 0, [bucket, 1]);
}
