import type { Figure, RunFigures } from '@runlog/schema/run/figures';

/** A figure whose buckets hold one point each: x counts tens, and a point comes every minute. */
export function figureOf(values: readonly (number | null)[], overrides: Partial<Figure> = {}): Figure {
  return {
    name: 'val_accuracy',
    points: values.length,
    without_value: values.filter((value) => value === null).length,
    stride: 1,
    x: values.map((_, at) => at * 10),
    t: values.map((_, at) => Date.parse('2026-01-03T23:59:47Z') + at * 60_000),
    ...{ first: [...values], last: [...values], min: [...values], max: [...values] },
    count: values.map(() => 1),
    attempt: values.map(() => 1),
    ...overrides,
  };
}

/** The figures of the run `c1/r1/default`. */
export function runFiguresOf(figures: readonly Figure[], overrides: Partial<RunFigures> = {}): RunFigures {
  return {
    ...{ cluster_id: 'c1', run_id: 'r1', group_id: 'default' },
    position: { epoch: 'test-1', seq: 1 },
    ...{ figures_refused: 0, refused: [] },
    figures: [...figures],
    ...overrides,
  };
}
