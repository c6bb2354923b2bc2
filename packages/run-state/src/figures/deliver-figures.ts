import { FIGURE_POINTS_MAX } from '@runlog/schema/limits';
import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import type { RunKey } from '@runlog/schema/run/run-key';
import type { FigureStep } from '@runlog/schema/stream/server-frames';
import type { RunFiguresState } from './run-figures.ts';
import { type Column, columnOf, mergeNeighbours, type Series } from './series.ts';

/**
 * Returns the figures as they are delivered: those with the given names, or all, each in at most so many buckets. The state
 * is not changed.
 */
export function deliverFigures(
  state: RunFiguresState,
  of: { names?: readonly string[] | undefined; pointsMax?: number | undefined } = {},
): RunFigures {
  const names = of.names ?? [...state.series.keys()];
  const chosen = names.map((name) => state.series.get(name)).filter((series) => series !== undefined);
  return {
    ...state.run,
    position: state.position.seq < 0 ? null : { ...state.position },
    figures_refused: state.refused.size,
    refused: [...state.refused],
    figures: chosen.map((series) => deliverFigure(series, of.pointsMax ?? FIGURE_POINTS_MAX)),
  };
}

/** Returns a figure whose columns begin at a bucket. */
export function deliverFigureFrom(series: Series, from: number): FigureStep {
  return { ...columnsOf(series, from), from };
}

/** Returns the figures of a run that has no event yet. */
export function noFigures({ cluster_id, run_id, group_id }: RunKey): RunFigures {
  return { cluster_id, run_id, group_id, position: null, figures_refused: 0, refused: [], figures: [] };
}

function deliverFigure(series: Series, pointsMax: number): Figure {
  if (series.buckets <= pointsMax) return columnsOf(series);
  const attempts = series.attempts.map(([bucket, attempt]): [number, number] => [bucket, attempt]);
  // Merging makes new cells, so these are not changed.
  const merged: Series = { ...series, attempts };
  while (merged.buckets > pointsMax) mergeNeighbours(merged);
  return columnsOf(merged);
}

function columnsOf(series: Series, from = 0): Figure {
  const { name, points, withoutValue, stride } = series;
  const values = (column: Column) => Array.from(columnOf(series, column).subarray(from), valueOrNull);
  const x = Array.from(columnOf(series, 'x').subarray(from));
  return {
    name,
    points,
    without_value: withoutValue,
    stride,
    x,
    t: Array.from(columnOf(series, 't').subarray(from)),
    first: values('first'),
    last: values('last'),
    min: values('min'),
    max: values('max'),
    count: x.map((_, index) => Math.min(stride, points - (from + index) * stride)),
    attempt: attemptsOf(series).slice(from),
  };
}

function attemptsOf({ buckets, attempts }: Series): number[] {
  let run = -1;
  return Array.from({ length: buckets }, (_, bucket) => {
    while (run + 1 < attempts.length && attempts[run + 1]![0] <= bucket) run += 1;
    return attempts[run]![1];
  });
}

function valueOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
