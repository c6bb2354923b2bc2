import { FIGURE_POINTS_MAX } from '@runlog/schema/limits';
import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import type { RunKey } from '@runlog/schema/run/run-key';
import type { RunFiguresState } from './run-figures.ts';
import { mergeNeighbours, type Series } from './series.ts';

/**
 * Returns the figures as they are delivered: those with the given names, or all, each in at most so many buckets. The state
 * is not changed.
 */
export function deliverFigures(
  state: RunFiguresState,
  of: { names?: readonly string[]; pointsMax?: number } = {},
): RunFigures {
  const names = of.names ?? [...state.series.keys()];
  const chosen = names.map((name) => state.series.get(name)).filter((series) => series !== undefined);
  return {
    ...state.run,
    position: state.position.seq < 0 ? null : state.position,
    figures_refused: state.refused.size,
    refused: [...state.refused],
    figures: chosen.map((series) => deliverFigure(series, of.pointsMax ?? FIGURE_POINTS_MAX)),
  };
}

/** Returns the figures of a run that has no event yet. */
export function noFigures({ cluster_id, run_id, group_id }: RunKey): RunFigures {
  return { cluster_id, run_id, group_id, position: null, figures_refused: 0, refused: [], figures: [] };
}

function deliverFigure(series: Series, pointsMax: number): Figure {
  if (series.x.length <= pointsMax) return columnsOf(series);
  const merged = copyOf(series);
  while (merged.x.length > pointsMax) mergeNeighbours(merged);
  return columnsOf(merged);
}

function copyOf(series: Series): Series {
  const { x, t, last, first, min, max, attempts } = series;
  const columns = { x: [...x], t: [...t], last: [...last], first: [...first], min: [...min], max: [...max] };
  return { ...series, ...columns, attempts: attempts.map(([bucket, attempt]) => [bucket, attempt]) };
}

function columnsOf(series: Series): Figure {
  const { name, points, withoutValue, stride, x, t } = series;
  const last = series.last.map(valueOrNull);
  const ranges =
    stride === 1
      ? { first: last, last, min: last, max: last }
      : {
          first: series.first.map(valueOrNull),
          last,
          min: series.min.map(valueOrNull),
          max: series.max.map(valueOrNull),
        };
  return {
    name,
    points,
    without_value: withoutValue,
    stride,
    x: [...x],
    t: [...t],
    ...ranges,
    count: x.map((_, bucket) => Math.min(stride, points - bucket * stride)),
    attempt: attemptsOf(series),
  };
}

function attemptsOf({ x, attempts }: Series): number[] {
  let run = -1;
  return x.map((_, bucket) => {
    while (run + 1 < attempts.length && attempts[run + 1]![0] <= bucket) run += 1;
    return attempts[run]![1];
  });
}

function valueOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
