import { ACTIVITY_BUCKET_SECONDS, ACTIVITY_BUCKETS_MAX } from '@runlog/schema/limits';
import type { RunSnapshot } from '@runlog/schema/snapshot';

type Activity = RunSnapshot['activity'];

/** Counts one event received at the time; buckets older than 10 min before the newest fall out, late events with them. */
export function countActivity(activity: Activity, receivedAtMs: number): Activity {
  const bucket =
    Math.floor(Math.max(receivedAtMs, 0) / 1_000 / ACTIVITY_BUCKET_SECONDS) * ACTIVITY_BUCKET_SECONDS;
  const newest = activity.at(-1);
  if (newest === undefined) return [[bucket, 1]];
  if (bucket === newest[0]) return [...activity.slice(0, -1), [bucket, newest[1] + 1]];
  const span = ACTIVITY_BUCKET_SECONDS * ACTIVITY_BUCKETS_MAX;
  if (bucket > newest[0]) return [...activity.filter(([second]) => second > bucket - span), [bucket, 1]];
  if (bucket <= newest[0] - span) return activity;
  const index = activity.findIndex(([second]) => second >= bucket);
  const at = activity[index]!;
  const counted: [number, number][] = at[0] === bucket ? [[bucket, at[1] + 1]] : [[bucket, 1], at];
  return [...activity.slice(0, index), ...counted, ...activity.slice(index + 1)];
}
