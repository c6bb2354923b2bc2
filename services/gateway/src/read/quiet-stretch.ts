import { type Segment, segmentAt } from '@runlog/run-state/landmarks';
import { holdsNoRepeat } from '@runlog/run-state/repeats';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { PageReading, Window } from './page-reading.ts';
import type { OffsetRange } from './partition-reader.ts';
import type { PastEvent } from './past-event.ts';

/**
 * A run that paused has a stretch of the log behind it that holds only records of others, perhaps millions. Landmarks say
 * how many events a segment has. When all of them are found, the rest of it need not be read. Records of the run that no fold
 * can read are not among those events, and may be left out with the rest.
 */

/** A shorter stretch is read. */
const QUIET_RECORDS_MIN = 8_192;
const FIRST_LOOK_RECORDS = 1_000;
/** So many records are read to count the events that a page leaves out of its first segment. */
const COUNTED_RECORDS_MAX = 5_000;
/** So many records are read at either end of a segment to find the events before and behind a pause. */
const PROBED_RECORDS = 2_000;

/** Returns the number of records after which it is worth to look whether the run has paused. */
export function firstLookMax(run: RunSnapshot, to: number): number {
  const segment = segmentAt(run, to - 1);
  return segment !== null && to - segment.from >= QUIET_RECORDS_MIN
    ? FIRST_LOOK_RECORDS
    : Number.POSITIVE_INFINITY;
}

/**
 * Looks from `reached` up, where the page has just read records of others only. Returns where the run's next event may be,
 * or null if there may be one before that. `events` are all of the run from `from` to `reached`.
 */
export async function quietUntil(
  reading: PageReading,
  page: { run: RunSnapshot; events: readonly PastEvent[]; from: number; reached: number },
): Promise<number | null> {
  const { run, events, from, reached } = page;
  const segment = segmentAt(run, reached);
  if (segment === null || segment.to - reached < QUIET_RECORDS_MIN) return null;
  const mayHaveMore = !holdsNoRepeat(run.repeats, { from: reached, to: segment.to });
  if (mayHaveMore || segment.from < run.repeats.unknown_below) return null;
  const before = await countIn(reading, { from: segment.from, to: from });
  if (before === null) return null;
  const left = segment.events - before - countOf(events, segment);
  if (left <= 0) return left === 0 ? segment.to : null;
  const probed = { from: segment.to - PROBED_RECORDS, to: segment.to };
  return (await countIn(reading, probed)) === left ? probed.from : null;
}

/**
 * Looks from `to` down, where the page has just read records of others only. Returns the rest of the segment, of which only
 * the beginning was read, or null if that does not hold all of its events. `events` are all of the run from `to` to `begin`.
 */
export async function stretchBelow(
  reading: PageReading,
  page: { run: RunSnapshot; events: readonly PastEvent[]; to: number; begin: number },
): Promise<Window | null> {
  const { run, events, to, begin } = page;
  const segment = segmentAt(run, to - 1);
  if (segment === null || to - segment.from < QUIET_RECORDS_MIN) return null;
  if (segment.from < Math.max(reading.oldest, run.repeats.unknown_below)) return null;
  const above = await countIn(reading, { from: begin, to: segment.to });
  if (above === null) return null;
  let left = segment.events - above - countOf(events, segment);
  const found: PastEvent[] = [];
  for await (const part of reading.read({ from: segment.from, to })) {
    found.push(...part.events);
    left -= countOf(part.events, segment);
    if (left <= 0) {
      const isQuiet = holdsNoRepeat(run.repeats, { from: part.nextOffset, to });
      return left === 0 && isQuiet ? { events: found, from: segment.from, records: to - segment.from } : null;
    }
    if (part.nextOffset - segment.from >= PROBED_RECORDS || reading.isSpent) return null;
  }
  return null;
}

/** Counts the distinct events of a short range. Returns null if it is too long to be read. */
async function countIn(reading: PageReading, { from, to }: OffsetRange): Promise<number | null> {
  if (from >= to) return 0;
  if (to - from > COUNTED_RECORDS_MAX) return null;
  let count = 0;
  for await (const { events } of reading.read({ from, to })) {
    count += countOf(events, { from, to });
    if (reading.isSpent) return null;
  }
  return count;
}

function countOf(events: readonly PastEvent[], { from, to }: OffsetRange | Segment): number {
  return events.filter(({ seq, record, duplicate }) => {
    return from <= seq && seq < to && record !== null && duplicate === false;
  }).length;
}
