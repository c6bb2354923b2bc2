import './usable-language.ts';

import uPlot from 'uplot';
import type { StripMark } from '../strip/strip-model.ts';
import type { ChartSeries } from './chart-model.ts';
import { plotRange, plotUnit } from './plot-range.ts';

/** What a plot shows beside its line. Places are fractions of the run's axis. */
export interface PlotMarks {
  readonly marks: readonly StripMark[];
  readonly abandoned: readonly { readonly x0: number; readonly x1: number }[];
  readonly attempts: readonly number[];
}

export interface PlotInput {
  readonly width: number;
  readonly height: number;
  readonly series: ChartSeries;
  /** Asked at each drawing, so that the theme may change. */
  colour(name: `--${string}`): string;
  /** Asked at each drawing. */
  marks(): PlotMarks;
  /** The pointer is at this place of the axis; null if it has left. */
  onPoint(fraction: number | null): void;
  onClick(fraction: number): void;
}

/** Makes a plot of one series over the run's life. Whoever makes it destroys it. */
export function figurePlot(box: HTMLElement, input: PlotInput): uPlot {
  const { width, height, series, colour } = input;
  const line = () => colour('--chart-line');
  const edge = { scale: 'y', width: 0, points: { show: false } };
  const plot = new uPlot(
    {
      ...{ width, height, padding: [3, 3, 3, 3], legend: { show: false } },
      scales: {
        x: { time: false, range: () => [0, 1] },
        y: { range: (_plot, low, high) => plotRange(low ?? null, high ?? null, ROOM) },
      },
      axes: [{ show: false }, { show: false }],
      series: [
        {},
        {
          scale: 'y',
          width: 1.25,
          stroke: line,
          points: { show: false, size: 3, fill: line, filter: alone },
        },
        edge,
        edge,
      ],
      bands: [{ series: [2, 3], fill: (() => translucent(colour('--chart-line'))) as unknown as string }],
      cursor: {
        ...{ y: false, drag: { x: false, y: false, setScale: false } },
        points: {
          size: 5,
          fill: line,
          stroke: line,
          show: (self, index) => (index === 1 ? pointOf(self) : hidden()),
        },
      },
      hooks: {
        draw: [(self) => drawMarks(self, { ...input.marks(), colour })],
        setCursor: [({ cursor: { left = -1 } }) => input.onPoint(left < 0 ? null : plot.posToVal(left, 'x'))],
      },
    },
    columnsOf(series),
    box,
  );
  plot.over.addEventListener('click', ({ clientX }) => {
    input.onClick(plot.posToVal(clientX - plot.over.getBoundingClientRect().left, 'x'));
  });
  return plot;
}

/** Returns the columns of a plot. Where a bucket is one point, the band has no height. */
export function columnsOf({ fractions, values, band, low, high }: ChartSeries): uPlot.AlignedData {
  const unit = plotUnit([low, high]);
  const drawn = (column: readonly (number | null)[]) =>
    column.map((value) => (value === null ? null : value / unit));
  return [[...fractions], drawn(values), drawn(band?.max ?? values), drawn(band?.min ?? values)];
}

/** The room above and below the line, as a part of the range. */
const ROOM = 0.06;

/** A point between two gaps has no line, so it is drawn as a point. */
function alone(plot: uPlot, seriesIndex: number): number[] | null {
  const values = plot.data[seriesIndex]!;
  const points: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    if (values[index] != null && values[index - 1] == null && values[index + 1] == null) points.push(index);
  }
  return points.length === 0 ? null : points;
}

/** The band has the colour of its line. */
function translucent(colour: string): string {
  return `color-mix(in srgb, ${colour} 22%, transparent)`;
}

function pointOf(_plot: uPlot): HTMLElement {
  return document.createElement('div');
}

function hidden(): HTMLElement {
  const none = document.createElement('div');
  none.hidden = true;
  return none;
}

const MARK_PX = 4;

function drawMarks(plot: uPlot, of: PlotMarks & { colour: PlotInput['colour'] }): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const xOf = (fraction: number) => plot.valToPos(fraction, 'x', true);
  const bottom = bbox.top + bbox.height;
  ctx.save();
  ctx.globalAlpha = 0.65;
  ctx.fillStyle = of.colour('--chart-back');
  for (const { x0, x1 } of of.abandoned) ctx.fillRect(xOf(x0), bbox.top, xOf(x1) - xOf(x0), bbox.height);
  ctx.globalAlpha = 1;
  ctx.fillStyle = of.colour('--chart-attempt');
  for (const at of of.attempts) ctx.fillRect(Math.round(xOf(at)), bbox.top, ratio, bbox.height);
  for (const { x, kind } of of.marks) {
    const isFossil = kind === 'fossilised';
    ctx.fillStyle = of.colour(isFossil ? '--chart-fossilised' : '--chart-pruned');
    // Fossils stand at the bottom, what was pruned hangs from the top, so that they differ without colours too.
    ctx.fillRect(Math.round(xOf(x)), isFossil ? bottom - MARK_PX * ratio : bbox.top, ratio, MARK_PX * ratio);
  }
  ctx.restore();
}
