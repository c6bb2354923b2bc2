import type { Axis } from '../shell/address.ts';
import type { ComparedRun } from './comparison.ts';
import { type LineStyle, lineStyleOf } from './line-style.ts';
import { lineOf, placesOf, type RunLine } from './run-line.ts';

/** The line of one run in the chart of one figure. */
export interface DrawnLine extends RunLine {
  readonly key: string;
  readonly style: LineStyle;
}

/** One chart: a figure of all runs that have it. */
export interface ComparedFigure {
  readonly name: string;
  readonly lines: readonly DrawnLine[];
  readonly x: readonly [low: number, high: number] | null;
  readonly y: readonly [low: number, high: number] | null;
}

/** Returns the charts. All share one range of rounds or of time; the steps of two figures have nothing to do with each other. */
export function comparedFigures(of: {
  readonly runs: readonly ComparedRun[];
  readonly names: readonly string[];
  readonly axis: Axis;
  readonly hasColours: boolean;
}): readonly ComparedFigure[] {
  const places = new Map(
    of.runs.flatMap(({ figures, snapshot }) =>
      figures === null ? [] : [[figures, placesOf(figures, snapshot?.started_at ?? null)] as const],
    ),
  );
  const charts = of.names.map((name) => {
    const lines = of.runs.flatMap(({ key, place, figures, failure }): DrawnLine[] => {
      const figure = failure === null ? figures?.figures.find((each) => each.name === name) : undefined;
      if (figure === undefined || figures === null) return [];
      const line = lineOf(figure, of.axis, places.get(figures)!);
      return [{ ...line, key, style: lineStyleOf(place, { hasColours: of.hasColours }) }];
    });
    return {
      ...{ name, lines },
      x: rangeOf(lines.map(({ xs }) => xs)),
      y: rangeOf(lines.map(({ ys }) => ys)),
    };
  });
  if (of.axis === 'step') return charts;
  const x = rangeOf(charts.flatMap((chart) => (chart.x === null ? [] : [chart.x])));
  return charts.map((chart) => ({ ...chart, x }));
}

/** Returns the value of a line at a place, on the way from one point to the next; null before, behind, and in its breaks. */
export function valueAt({ xs, ys }: RunLine, x: number): number | null {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle]! < x) low = middle + 1;
    else high = middle;
  }
  const next = ys[low];
  if (next === undefined) return null;
  if (xs[low] === x) return next;
  const before = ys[low - 1];
  if (next === null || before === null || before === undefined) return null;
  const part = (x - xs[low - 1]!) / (xs[low]! - xs[low - 1]!);
  // Not by their difference, which may be beyond what a number can be.
  return before * (1 - part) + next * part;
}

function rangeOf(columns: readonly (readonly (number | null)[])[]): [number, number] | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const column of columns) {
    for (const value of column) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low > high ? null : [low, high];
}
