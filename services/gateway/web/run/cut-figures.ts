import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { fractionOfSeq, fractionsOfTimes, type RunAxis } from '../strip/run-axis.ts';

/** Returns the figures without the points that are drawn behind an event. */
export function figuresThrough(
  figures: RunFigures,
  { axis, seq }: { axis: RunAxis; seq: number },
): RunFigures {
  const end = fractionOfSeq(axis, seq);
  return { ...figures, figures: figures.figures.map((figure) => cut(figure, { axis, end })) };
}

function cut(figure: Figure, { axis, end }: { axis: RunAxis; end: number }): Figure {
  const behind = fractionsOfTimes(axis, figure.t).findIndex((fraction) => fraction > end);
  if (behind < 0) return figure;
  const first = <Value>(column: readonly Value[]): Value[] => column.slice(0, behind);
  const { x, t, first: firsts, last, min, max, count, attempt } = figure;
  return {
    ...figure,
    points: count.slice(0, behind).reduce((sum, each) => sum + each, 0),
    ...{
      x: first(x),
      t: first(t),
      first: first(firsts),
      last: first(last),
      min: first(min),
      max: first(max),
    },
    ...{ count: first(count), attempt: first(attempt) },
  };
}
