import { FIGURES_MAX, FIGURES_REFUSED_MAX } from '@runlog/schema/limits';
import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { printable } from '@runlog/service-kit/printable';
import { formatCount, formatLowerBound, formatNumber } from '../format.ts';
import { type Column, textTable } from '../text-table.ts';
import { type ChartOptions, figureChart } from './figure-chart.ts';
import { momentText } from './moment-text.ts';
import { rangeOf } from './scale.ts';
import { sparkline } from './sparkline.ts';

const CHART_ROWS = 12;
const SPARKLINE_CHARS_MAX = 40;
const SPARKLINE_CHARS_MIN = 8;
const NAMES_SHOWN_MAX = 8;

/** Formats a line a figure. With the width of a terminal, each has its course drawn in as much of it as is left. */
export function figuresText(figures: readonly Figure[], { width }: { width: number | null }): string {
  const name: Column<Figure> = { title: 'FIGURE', text: (figure) => figure.name };
  const hasGaps = figures.some((figure) => figure.without_value > 0);
  const numbers: Column<Figure>[] = [
    { title: 'FIRST → LAST', text: (figure) => `${firstOf(figure)} → ${lastOf(figure)}`, right: true },
    { title: 'MIN', text: (figure) => numberText(rangeOf(figure.min)?.low), right: true },
    { title: 'MAX', text: (figure) => numberText(rangeOf(figure.max)?.high), right: true },
    { title: 'POINTS', text: (figure) => formatCount(figure.points), right: true },
    ...(hasGaps ? [withoutValue] : []),
  ];
  const plain = textTable(figures, [name, ...numbers]);
  if (width === null) return plain;
  const taken = Math.max(...plain.split('\n').map((line) => line.length)) + 2;
  const chars = Math.min(SPARKLINE_CHARS_MAX, Math.max(SPARKLINE_CHARS_MIN, width - taken));
  return textTable(figures, [name, { title: '', text: (figure) => sparkline(figure, chars) }, ...numbers]);
}

const withoutValue: Column<Figure> = {
  title: 'NO VALUE',
  text: (figure) => formatCount(figure.without_value),
  right: true,
};

/** Formats one figure as a chart with its numbers above. */
export function figureText(
  run: RunFigures,
  { figure, width, paint }: { figure: Figure } & Omit<ChartOptions, 'rows'>,
): string {
  const title = `${printable(figure.name)} of ${formatRunKey(run)}: ${pointsText(figure)}`;
  const chart = figureChart(figure, { width, rows: CHART_ROWS, paint });
  if (chart === null) return `${title}\nNothing to draw: every point was NaN or infinite.`;
  const least = numberText(rangeOf(figure.min)?.low);
  const greatest = numberText(rangeOf(figure.max)?.high);
  return `${title}\n${firstOf(figure)} → ${lastOf(figure)}, min ${least}, max ${greatest}\n\n${chart}`;
}

function pointsText({ points, without_value: without, stride }: Figure): string {
  const all = points === 1 ? '1 point' : `${formatCount(points)} points`;
  const lacking = without === 0 ? '' : `, ${formatCount(without)} without a value (NaN or infinite)`;
  const merged = stride === 1 ? '' : `, ${formatCount(stride)} to a bucket`;
  return `${all}${lacking}${merged}`;
}

/** Formats the buckets of one figure as a table. */
export function bucketsText(figure: Figure): string {
  const cell = (column: 'first' | 'last' | 'min' | 'max') => (bucket: number) =>
    numberText(figure[column][bucket]);
  return textTable(
    [...figure.x.keys()],
    [
      { title: 'X', text: (bucket) => formatNumber(figure.x[bucket]!), right: true },
      { title: 'TIME (UTC)', text: (bucket) => momentText(figure.t[bucket]!) },
      { title: 'FIRST', text: cell('first'), right: true },
      { title: 'LAST', text: cell('last'), right: true },
      { title: 'MIN', text: cell('min'), right: true },
      { title: 'MAX', text: cell('max'), right: true },
      { title: 'POINTS', text: (bucket) => formatCount(figure.count[bucket]!), right: true },
      { title: 'ATTEMPT', text: (bucket) => String(figure.attempt[bucket]), right: true },
    ],
  );
}

/** Says which figures of the run are not kept. Null if all are. */
export function refusedText({ figures_refused: refused, refused: names }: RunFigures): string | null {
  if (refused === 0) return null;
  const isExact = refused < FIGURES_REFUSED_MAX;
  const figures =
    refused === 1 ? '1 more figure is' : `${formatLowerBound(refused, isExact)} more figures are`;
  return `${figures} not kept, because a run keeps its first ${FIGURES_MAX}: ${namesText(names)}`;
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).map(printable).join(', ');
  const others = names.length - NAMES_SHOWN_MAX;
  return others > 0 ? `${shown} and ${formatCount(others)} more` : shown;
}

function firstOf(figure: Figure): string {
  return numberText(figure.first.find((value) => value !== null));
}

function lastOf(figure: Figure): string {
  return numberText(figure.last.findLast((value) => value !== null));
}

function numberText(value: number | null | undefined): string {
  return value == null ? '-' : formatNumber(value);
}
