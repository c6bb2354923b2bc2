import type { FeedHealth, FeedState } from '@runlog/schema/http/health';
import type { HeldBack } from './held-back-watch.ts';

/** A log that has not answered for so long has stalled. */
export const STALLED_AFTER_MS = 2_000;

/** `stalledSinceMs` is in milliseconds since the epoch. */
export function feedStateOf(stalledSinceMs: number | null): FeedState {
  return stalledSinceMs === null
    ? { state: 'live' }
    : { state: 'stalled', since: new Date(stalledSinceMs).toISOString() };
}

/** What came since the log fell silent is not known. */
export function feedHealthOf(options: {
  stalledSinceMs: number | null;
  behindRecords: number | null;
  heldBack: HeldBack | null;
}): FeedHealth {
  const { stalledSinceMs, behindRecords, heldBack } = options;
  const state = feedStateOf(stalledSinceMs);
  if (state.state !== 'live') return { ...state, behind_records: null };
  if (heldBack === null) return { ...state, behind_records: behindRecords };
  const { sinceMs, records } = heldBack;
  const held_back = { since: new Date(sinceMs).toISOString(), records };
  return { ...state, behind_records: behindRecords, held_back };
}
