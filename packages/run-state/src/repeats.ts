import { REPEAT_RANGES_MAX } from '@runlog/schema/limits';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

type Repeats = RunSnapshot['repeats'];

/**
 * Adds the record at `seq`, which was a repeat. It joins the newest range if that one ends at `previousSeq`, the run's record
 * before it. When there are too many ranges, the oldest one is no longer listed.
 */
export function repeatsWith(repeats: Repeats, at: { previousSeq: number; seq: number }): Repeats {
  const { unknown_below, ranges } = repeats;
  const newest = ranges.at(-1);
  if (newest !== undefined && newest[1] === at.previousSeq) {
    return { unknown_below, ranges: [...ranges.slice(0, -1), [newest[0], at.seq]] };
  }
  const added: Repeats['ranges'] = [...ranges, [at.seq, at.seq]];
  if (added.length <= REPEAT_RANGES_MAX) return { unknown_below, ranges: added };
  return { unknown_below: added[0]![1] + 1, ranges: added.slice(1) };
}

/** Says whether the record of the run at `seq` was folded as a repeat; null if that is no longer known. */
export function isRepeat(repeats: Repeats, seq: number): boolean | null {
  if (seq < repeats.unknown_below) return null;
  return repeats.ranges.some(([from, to]) => from <= seq && seq <= to);
}

/** Says whether it is known that no record of the run from one offset to below another was folded as a repeat. */
export function holdsNoRepeat(repeats: Repeats, range: { from: number; to: number }): boolean {
  if (range.from < repeats.unknown_below) return false;
  return !repeats.ranges.some(([from, to]) => from < range.to && range.from <= to);
}
