import type { FeedState } from '@runlog/schema/http/health';

/** A log that has not answered for so long has stalled. */
export const STALLED_AFTER_MS = 2_000;

/** `stalledSinceMs` is in milliseconds since the epoch. */
export function feedStateOf(stalledSinceMs: number | null): FeedState {
  return stalledSinceMs === null
    ? { state: 'live' }
    : { state: 'stalled', since: new Date(stalledSinceMs).toISOString() };
}
