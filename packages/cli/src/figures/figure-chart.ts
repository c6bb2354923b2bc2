import type { Figure } from '@runlog/schema/run/figures';
import { formatCount, formatNumber } from '../format.ts';
import { attemptMarks, type Mark, markLabels } from './attempt-marks.ts';
import { BrailleCanvas } from './braille-canvas.ts';
import { momentText } from './moment-text.ts';
import { partOf, type Range, rangeOf, valueAt } from './scale.ts';

/** The parts of a chart that may have a colour. */
export type Ink = 'line' | 'mark' | 'axis';

export interface ChartOptions {
  /** The columns that the whole chart may take. A chart takes 24 at least. */
  readonly width: number;
  /** The lines of the field that is drawn in. */
  readonly rows: number;
  /** Gives text its colour. It must not change how wide the text is. */
  readonly paint: (ink: Ink, text: string) => string;
}

const WIDTH_MIN = 24;
/** A line of the field in four has a label. */
const LABEL_EVERY = 4;

/**
 * Draws a figure in the order of its points, so that attempts and environments that count x anew stand one after the other.
 * Every bucket shows its whole range, and lines join the last values. Null if no point has a value.
 */
export function figureChart(figure: Figure, options: ChartOptions): string | null {
  const range = rangeOf([...figure.min, ...figure.max]);
  if (range === null) return null;
  const { paint, rows } = options;
  const labels = yLabels(range, rows);
  const gutter = Math.max(...labels.map((label) => label.length));
  const columns = Math.max(WIDTH_MIN, options.width) - gutter - 2;
  const canvas = new BrailleCanvas({ columns, rows });
  draw(canvas, figure, range);
  const buckets = figure.x.length;
  const marks = attemptMarks(figure.attempt, (bucket) =>
    BrailleCanvas.columnOf(dotX(bucket, { buckets, dotsWide: canvas.dotsWide })),
  );
  const margin = ' '.repeat(gutter + 2);
  const lines = labels.map((label, row) => {
    const axis = paint('axis', `${label.padStart(gutter)} ${label === '' ? '│' : '┤'}`);
    return `${axis}${rowText(canvas.row(row), { marks, paint })}`;
  });
  return [
    ...(marks.length === 0 ? [] : [`${margin}${paint('mark', markLabels(marks, columns))}`]),
    ...lines,
    paint('axis', `${' '.repeat(gutter)} └${'─'.repeat(columns)}`),
    ...xLabels(figure, columns).map((line) => `${margin}${paint('axis', line)}`),
  ].join('\n');
}

function draw(canvas: BrailleCanvas, figure: Figure, range: Range): void {
  const { attempt, last, min, max } = figure;
  const dotY = (value: number) => Math.round((1 - partOf(value, range)) * (canvas.dotsHigh - 1));
  const at = { buckets: last.length, dotsWide: canvas.dotsWide };
  for (const [bucket, value] of last.entries()) {
    if (value === null) continue;
    const x = dotX(bucket, at);
    canvas.line({ x, y: dotY(min[bucket] ?? value) }, { x, y: dotY(max[bucket] ?? value) });
    const before = last[bucket - 1] ?? null;
    if (before === null || attempt[bucket - 1] !== attempt[bucket]) continue;
    canvas.line({ x: dotX(bucket - 1, at), y: dotY(before) }, { x, y: dotY(value) });
  }
}

/** Buckets are spread evenly from the left edge to the right one; a single one stands in the middle. */
function dotX(bucket: number, at: { buckets: number; dotsWide: number }): number {
  const part = at.buckets === 1 ? 0.5 : bucket / (at.buckets - 1);
  return Math.round(part * (at.dotsWide - 1));
}

function rowText(
  letters: readonly string[],
  { marks, paint }: { marks: readonly Mark[]; paint: ChartOptions['paint'] },
): string {
  const marked = new Set(marks.map(({ column }) => column));
  const isMark = (column: number) => letters[column] === ' ' && marked.has(column);
  const end = letters.findLastIndex((letter, column) => letter !== ' ' || marked.has(column)) + 1;
  let text = '';
  for (let column = 0; column < end; ) {
    const begin = column;
    const mark = isMark(begin);
    while (column < end && isMark(column) === mark) column += 1;
    text += mark
      ? paint('mark', '┊'.repeat(column - begin))
      : paint('line', letters.slice(begin, column).join(''));
  }
  return text;
}

/** Labels some lines of the field, from top to bottom. The first and the last say the exact bounds. */
function yLabels(range: Range, rows: number): string[] {
  if (range.low === range.high) {
    const middle = Math.floor(rows / 2);
    return Array.from({ length: rows }, (_, row) => (row === middle ? formatNumber(range.low) : ''));
  }
  return Array.from({ length: rows }, (_, row) => {
    if (row === 0) return formatNumber(range.high);
    if (row === rows - 1) return formatNumber(range.low);
    if (row % LABEL_EVERY !== 0 || row > rows - 3) return '';
    return formatNumber(rounded(valueAt(1 - (row + 0.5) / rows, range), range));
  });
}

/** Rounds to a hundredth of the range or so: a label need not be more exact than a line is high. */
function rounded(value: number, { low, high }: Range): number {
  const decimals = 2 - Math.floor(Math.log10(high - low));
  return decimals <= 100 ? Number(value.toFixed(Math.max(0, decimals))) : value;
}

/** Says where the first, the middle and the last bucket begin: their x, if x grows within each attempt, and their time. */
function xLabels(figure: Figure, columns: number): string[] {
  const { x, t, stride } = figure;
  const newest = x.length - 1;
  const grows = x.every(
    (value, at) => at === 0 || figure.attempt[at - 1] !== figure.attempt[at] || x[at - 1]! <= value,
  );
  const at = x.length < 3 ? [0, newest] : [0, Math.round(newest / 2), newest];
  const place = (bucket: number) =>
    grows ? `x ${formatNumber(x[bucket]!)}` : `point ${formatCount(bucket * stride + 1)}`;
  return [
    spread(at.map(place), columns),
    spread(
      at.map((bucket) => momentText(t[bucket]!)),
      columns,
    ),
  ];
}

/** Sets two texts at the edges, and a third between them if there is room. */
function spread(texts: readonly string[], columns: number): string {
  if (texts[0] === texts.at(-1)) return texts[0]!;
  const left = texts[0]!;
  const right = texts.at(-1)!;
  const room = columns - left.length - right.length;
  if (room < 1) return left;
  const middle = texts.length === 3 ? texts[1]! : '';
  if (middle === '' || room < middle.length + 4) return `${left}${' '.repeat(room)}${right}`;
  const begin = Math.max(left.length + 2, Math.round((columns - middle.length) / 2));
  const after = columns - begin - middle.length - right.length;
  if (after < 2) return `${left}${' '.repeat(room)}${right}`;
  return `${left}${' '.repeat(begin - left.length)}${middle}${' '.repeat(after)}${right}`;
}
