import { eventTypes } from '@runlog/schema/events/event-types';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Skipped } from '@runlog/schema/stream/server-frames';
import { segmentAt } from './landmarks.ts';

/** The types of events that make no entry. */
const unlogged = Object.entries(eventTypes)
  .filter(([, { page }]) => page.class === 'unlogged')
  .map(([type]) => type);

/**
 * Returns the range of entries after `seq` that are no longer in the event log, or null if all of them are. Their number is
 * given where it is certain.
 */
export function skippedSince(state: RunSnapshot, seq: number): Skipped | null {
  const { event_log, evicted_seq } = state;
  const oldest = event_log[0];
  if (evicted_seq === null || seq >= evicted_seq || oldest === undefined) return null;
  return { after: seq, before: oldest.seq, count: countSkipped(state, seq) };
}

/**
 * Between two landmarks whose offsets are as far apart as their ordinals, every record is a distinct event of this run, so
 * each of them has a known ordinal.
 */
function countSkipped(state: RunSnapshot, seq: number): number | null {
  const { counts, landmarks, event_log } = state;
  // Types beyond the bound count as `other`, and may be among them.
  if ([...unlogged, 'other'].some((type) => Object.hasOwn(counts, type))) return null;
  const segment = segmentAt(state, seq);
  const landmark = landmarks.findLast(([at]) => at <= seq);
  if (segment === null || landmark === undefined) return null;
  const [from, ordinal] = landmark;
  if (seq !== from && segment.to - segment.from !== segment.events) return null;
  const distinct = state.total_events_received - state.duplicates;
  return Math.max(0, distinct - event_log.length - (ordinal + seq - from));
}
