import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { longestOrdered } from '../strip/knots.ts';
import { fractionOfSeq, fractionsOfTimes, type RunAxis, slackMs, timeAt } from '../strip/run-axis.ts';

/**
 * Returns the figures as they were at an event. `lastEventMs` is the latest time that an event until it says; null while that is
 * not known. Without it, and where a clock was ahead, they end at the event's place on the axis.
 */
export function figuresThrough(
  figures: RunFigures,
  { axis, seq, lastEventMs }: { axis: RunAxis; seq: number; lastEventMs: number | null },
): RunFigures {
  if (seq >= axis.lastSeq) return figures;
  const end = fractionOfSeq(axis, seq);
  const latestMs = timeAt(axis, end) + Math.max(0, axis.skewMs) + slackMs(axis);
  const endMs = lastEventMs !== null && lastEventMs <= latestMs ? lastEventMs : null;
  const behindOf = ({ t }: Figure) =>
    endMs === null ? fractionsOfTimes(axis, t).findIndex((place) => place > end) : firstBehind(t, endMs);
  return {
    ...figures,
    figures: figures.figures.map((figure) => {
      const behind = behindOf(figure);
      return cut(figure, behind < 0 ? figure.t.length : behind);
    }),
  };
}

/** Returns the first point that is later, by clocks that agree; -1 if none is. */
function firstBehind(times: readonly number[], endMs: number): number {
  return longestOrdered(times).find((index) => times[index]! > endMs) ?? -1;
}

function cut(figure: Figure, length: number): Figure {
  const kept = <Value>(column: readonly Value[]): Value[] => column.slice(0, length);
  /** What else the last bucket holds may be from behind the event, and its first point is not. */
  const known = <Value>(column: readonly Value[], first: Value | undefined): Value[] =>
    length === 0 || figure.stride === 1 ? kept(column) : [...column.slice(0, length - 1), first!];
  const firstValue = figure.first[length - 1];
  const count = known(figure.count, 1);
  return {
    ...figure,
    points: count.reduce((sum, each) => sum + each, 0),
    ...{ x: kept(figure.x), t: kept(figure.t), first: kept(figure.first) },
    ...{ last: known(figure.last, firstValue), min: known(figure.min, firstValue) },
    ...{ max: known(figure.max, firstValue), count, attempt: kept(figure.attempt) },
  };
}
