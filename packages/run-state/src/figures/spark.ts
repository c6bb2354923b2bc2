import { SPARK_POINTS_MAX } from '@runlog/schema/limits';
import type { RunFiguresState } from './run-figures.ts';
import { columnOf } from './series.ts';

/** The figures that a spark is made of: the first one that a run has. */
export const sparkFigures = ['accuracy', 'val_accuracy'] as const;

const DIGITS = 5;

/** Returns the newest points of a run's accuracy, oldest first. */
export function sparkOf(state: RunFiguresState): number[] {
  const name = sparkFigures.find((figure) => state.series.has(figure));
  if (name === undefined) return [];
  return sparkFrom(columnOf(state.series.get(name)!, 'last').subarray(-SPARK_POINTS_MAX));
}

/** Returns the newest of the values that are numbers, rounded to what a small drawing can show. */
export function sparkFrom(values: Iterable<number>): number[] {
  const spark: number[] = [];
  for (const value of values) if (Number.isFinite(value)) spark.push(Number(value.toPrecision(DIGITS)));
  return spark.slice(-SPARK_POINTS_MAX);
}
