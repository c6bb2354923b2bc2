import type { Figure } from '@runlog/schema/run/figures';
import { partOf, rangeOf } from './scale.ts';

const BARS = '▁▂▃▄▅▆▇█';

/**
 * Draws the course of a figure in one line of at most so many letters, each of which shows the last value of its part of the
 * run; a space where a part has no value.
 */
export function sparkline(figure: Pick<Figure, 'last'>, lettersMax: number): string {
  const { last } = figure;
  const letters = Math.min(lettersMax, last.length);
  const values = Array.from({ length: letters }, (_, at) => {
    const from = Math.floor((at * last.length) / letters);
    const to = Math.floor(((at + 1) * last.length) / letters);
    return last.slice(from, to).findLast((value) => value !== null) ?? null;
  });
  const range = rangeOf(values);
  if (range === null) return ' '.repeat(letters);
  return values
    .map((value) => (value === null ? ' ' : BARS[Math.round(partOf(value, range) * (BARS.length - 1))]!))
    .join('');
}
