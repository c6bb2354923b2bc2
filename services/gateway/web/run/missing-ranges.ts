import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';

const RANGES_SHOWN = 2;

/** Writes the numbers that are missing: `812–848, 901 and 3 more`. Empty if no emitter knows which they are. */
export function missingRanges(emitters: DeliveredSnapshot['emitters']): string {
  const ranges = Object.values(emitters).flatMap(({ gaps }) => gaps);
  const shown = ranges
    .slice(0, RANGES_SHOWN)
    .map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`))
    .join(', ');
  const more = ranges.length - RANGES_SHOWN;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
