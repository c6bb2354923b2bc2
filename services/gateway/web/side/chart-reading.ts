import { clockText } from '../text/dates.ts';
import type { ChartSeries } from './chart-model.ts';
import { figureValueText } from './figure-text.ts';

/** How a chart is read with the keys of a slider. */

const GREAT_STEP = 10;

/** Returns the newest point that has a value, or null. */
export function lastPoint({ values }: Pick<ChartSeries, 'values'>): number | null {
  const at = values.findLastIndex((value) => value !== null);
  return at === -1 ? null : at;
}

/**
 * Returns the point that a key leads to from `here`, which is null while no point is read: then the newest is next. Points
 * without a value are passed over. Undefined for a key that does nothing here, null if no point has a value.
 */
export function pointOfKey(
  event: { readonly key: string; readonly shiftKey: boolean },
  { series, here }: { series: Pick<ChartSeries, 'values'>; here: number | null },
): number | null | undefined {
  const step = stepOfKey(event);
  if (step === undefined) return undefined;
  const points = series.values.flatMap((value, index) => (value === null ? [] : [index]));
  const newest = points.length - 1;
  if (newest < 0) return null;
  if (here === null && Math.abs(step) !== Number.POSITIVE_INFINITY) return points[newest]!;
  const from = here === null ? newest : Math.max(0, points.indexOf(here));
  return points[Math.min(newest, Math.max(0, from + step))]!;
}

/** What a reader is told of a point; of none, the last value and the range. */
export function pointText(
  { name, values, times, last, low, high }: Omit<ChartSeries, 'fractions' | 'band'>,
  point: number | null,
): string {
  const text = (value: number | null) => figureValueText(name, value);
  if (point !== null) return `${text(values[point]!)} at ${clockText(times[point]!)}`;
  return last === null ? 'no values yet' : `${text(last)}, between ${text(low)} and ${text(high)}`;
}

function stepOfKey({ key, shiftKey }: { key: string; shiftKey: boolean }): number | undefined {
  switch (key) {
    case 'ArrowLeft':
      return shiftKey ? -GREAT_STEP : -1;
    case 'ArrowRight':
      return shiftKey ? GREAT_STEP : 1;
    case 'PageDown':
      return -GREAT_STEP;
    case 'PageUp':
      return GREAT_STEP;
    case 'Home':
      return Number.NEGATIVE_INFINITY;
    case 'End':
      return Number.POSITIVE_INFINITY;
    default:
      return undefined;
  }
}
