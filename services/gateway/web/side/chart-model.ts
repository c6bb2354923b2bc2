import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { eventsBefore, fractionsOfTimes, type RunAxis, seqAt, timeAt } from '../strip/run-axis.ts';
import { EVENT_RATE, figureLabel } from './figure-text.ts';

/** A figure as it is drawn: one point a bucket, in the order of the log. */
export interface ChartSeries {
  readonly name: string;
  readonly label: string;
  /** Where on the run's axis the points are, from 0 to 1; they never go back. */
  readonly fractions: readonly number[];
  /** The last value of each bucket; null where it has none, and the line is broken. */
  readonly values: readonly (number | null)[];
  /** The least and the greatest value of each bucket. Null where a bucket is one point. */
  readonly band: {
    readonly min: readonly (number | null)[];
    readonly max: readonly (number | null)[];
  } | null;
  /** The time of each bucket's first point, in milliseconds, by the senders' clocks. */
  readonly times: readonly number[];
  /** The newest value, and the range of all. */
  readonly last: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

const RATE_POINTS = 64;

/** The figures that a chart shows unless others are chosen. Of each line the first that the run has is taken. */
const defaults: readonly (readonly string[])[] = [
  ['accuracy', 'val_accuracy'],
  ['reward', 'total_reward'],
  ['entropy'],
  ['clip_fraction'],
  ['kl_divergence'],
];
export const CHARTS_DEFAULT = 6;
/** Beyond it the drawing would no longer be cheap, and nobody could look at so many. */
export const CHARTS_MAX = 24;

/**
 * Returns the names of the figures to draw. If nobody has chosen, they are the usual five as far as the run has them, filled up
 * with its own, and the rate of events. Names that the run does not have yet are kept.
 */
export function chosenNames(available: readonly string[], chosen: readonly string[] | null): string[] {
  if (chosen !== null) return [...new Set(chosen)].slice(0, CHARTS_MAX);
  const usual = defaults.flatMap((names) => names.filter((name) => available.includes(name)).slice(0, 1));
  const alike = new Set(defaults.flat());
  const own = available.filter((name) => !alike.has(name) && name !== EVENT_RATE);
  return [...[...usual, ...own].slice(0, CHARTS_DEFAULT - 1), EVENT_RATE];
}

/** Returns the names that can be chosen, in the order in which the run's figures began. */
export function availableNames(figures: RunFigures | null): string[] {
  return [...(figures?.figures ?? []).map(({ name }) => name), EVENT_RATE];
}

/** `end` is the place of the event as of which it is drawn; the figure ends there already. */
export function seriesOf(axis: RunAxis, figure: Figure, end = 1): ChartSeries {
  const [low, high] = rangeOf([figure.min, figure.max]);
  return {
    name: figure.name,
    label: figureLabel(figure.name),
    fractions: fractionsOfTimes(axis, figure.t, end),
    values: figure.last,
    band: figure.stride > 1 ? { min: figure.min, max: figure.max } : null,
    times: figure.t,
    last: figure.last.findLast((value) => value !== null) ?? null,
    low,
    high,
  };
}

/** Returns the events per second over the run's life, up to a place of it. There are none where the axis has no clock. */
export function eventRateSeries(axis: RunAxis, end = 1): ChartSeries {
  const seconds = (axis.endMs - axis.startMs) / 1_000;
  const hasClock = axis.clock !== 'order' && seconds > 0;
  const edges = edgesUntil(end);
  const before = edges.map((edge) => eventsBefore(axis, edge));
  const parts = edges
    .slice(1)
    .map((to, at) => ({ from: edges[at]!, to, events: before[at + 1]! - before[at]! }));
  const values = parts.map(({ from, to, events }) => (hasClock ? events / ((to - from) * seconds) : null));
  const fractions = parts.map(({ from, to }) => (from + to) / 2);
  const [low, high] = rangeOf([values]);
  return {
    ...{ name: EVENT_RATE, label: EVENT_RATE, fractions, values, band: null },
    times: fractions.map((fraction) => timeAt(axis, fraction) + axis.skewMs),
    ...{ last: values.at(-1) ?? null, low, high },
  };
}

/** A part of less than half the usual width would swing: it is left out unless it is the only one. */
function edgesUntil(end: number): number[] {
  const whole = Math.floor(end * RATE_POINTS);
  const edges = Array.from({ length: whole + 1 }, (_, at) => at / RATE_POINTS);
  const rest = end * RATE_POINTS - whole;
  return rest >= 0.5 || (whole === 0 && rest > 0) ? [...edges, end] : edges;
}

/** An empty series: for a figure that was chosen and that the run does not have. */
export function noSeries(name: string): ChartSeries {
  return {
    ...{ name, label: figureLabel(name), fractions: [], values: [], band: null, times: [] },
    ...{ last: null, low: null, high: null },
  };
}

/** Returns the point next to a place of the axis that has a value, or null if none has. */
export function nearestPoint(series: ChartSeries, fraction: number): number | null {
  let nearest: number | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, at] of series.fractions.entries()) {
    const distance = Math.abs(at - fraction);
    if (series.values[index] === null || distance >= least) continue;
    nearest = index;
    least = distance;
  }
  return nearest;
}

/** Returns the place in the log that a point of a series stands for. */
export function placeOfPoint(axis: RunAxis, series: ChartSeries, index: number): ChartPlace {
  return {
    name: series.name,
    seq: Math.round(seqAt(axis, series.fractions[index]!)),
    atMs: series.times[index]!,
    value: series.values[index]!,
  };
}

/** A point that was clicked. `seq` is near it, and `atMs` is its exact time by the sender's clock. */
export interface ChartPlace {
  readonly name: string;
  readonly seq: number;
  readonly atMs: number;
  readonly value: number | null;
}

function rangeOf(columns: readonly (readonly (number | null)[])[]): [number | null, number | null] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const column of columns) {
    for (const value of column) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low > high ? [null, null] : [low, high];
}
