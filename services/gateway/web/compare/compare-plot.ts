import '../side/usable-language.ts';

import uPlot from 'uplot';
import type { Axis } from '../shell/address.ts';
import { figureValueText } from '../side/figure-text.ts';
import { plotRange, plotUnit } from '../side/plot-range.ts';
import { ageText } from '../text/ages.ts';
import { countSteps, stepsThatReadApart, timeSteps, valueSteps } from './axis-steps.ts';
import { type ComparedFigure, type DrawnLine, valueAt } from './compare-lines.ts';

export interface ComparePlotInput {
  readonly width: number;
  readonly height: number;
  readonly axis: Axis;
  /** The font of the axes. */
  readonly font: string;
  /** Each of these is asked at each drawing. */
  shown(): ComparedFigure;
  highlighted(): string | null;
  colour(name: `--${string}`): string;
  /** The pointer is at a place of the axis, near a run's line or near none; null if it has left. */
  onPoint(at: { readonly x: number; readonly key: string | null } | null): void;
  onClick(): void;
}

/** A line is near the pointer within so many CSS pixels. */
const NEAR_PX = 28;
const ROOM = 0.06;

/** Makes a chart of one figure of several runs. uPlot has the axes and the pointer; the lines have places of their own each. */
export function comparePlot(box: HTMLElement, input: ComparePlotInput): uPlot {
  const { width, height, axis, font, colour, shown } = input;
  const { name } = shown();
  const placeText = placeTextOf(axis);
  const placeSteps = axis === 'time' ? timeSteps : countSteps;
  const valueText = (value: number) => figureValueText(name, value * plotUnit(shown().y));
  const line = { stroke: () => colour('--compare-axis'), font, ticks: { show: false } };
  const grid = { stroke: () => colour('--compare-grid'), width: 1 };
  const plot = new uPlot(
    {
      ...{ width, height, padding: [6, 8, 0, 0], legend: { show: false } },
      scales: {
        x: { time: false, range: () => xRange(shown()) },
        y: { range: () => yRange(shown()) },
      },
      axes: [
        {
          ...line,
          grid,
          size: 20,
          gap: 2,
          space: 60,
          incrs: (_plot, _axis, low, high) => stepsThatReadApart(placeSteps, [low, high], placeText),
          values: (_plot, places) => places.map(placeText),
        },
        {
          ...{ ...line, grid, size: 48, gap: 4, space: 28 },
          incrs: (_plot, _axis, low, high) => stepsThatReadApart(valueSteps, [low, high], valueText),
          values: (_plot, values) => values.map(valueText),
        },
      ],
      series: [{}, { scale: 'y', paths: () => null, points: { show: false } }],
      cursor: {
        ...{ y: false, drag: { x: false, y: false, setScale: false } },
        points: { show: false },
      },
      hooks: {
        draw: [(self) => drawLines(self, input)],
        setCursor: [
          (self) => {
            const { left = -1, top = -1 } = self.cursor;
            if (left < 0) input.onPoint(null);
            else
              input.onPoint({
                x: self.posToVal(left, 'x'),
                key: nearestLine(self, shown(), { left, top }),
              });
          },
        ],
      },
    },
    columnsFor(shown()),
    box,
  );
  plot.over.addEventListener('click', () => input.onClick());
  return plot;
}

/** The columns that make uPlot find the ranges anew. */
export function columnsFor(figure: ComparedFigure): uPlot.AlignedData {
  return [xRange(figure), yRange(figure)];
}

/** A place of an axis as it is written. */
export function placeTextOf(axis: Axis): (place: number) => string {
  if (axis === 'time') return (seconds) => (seconds === 0 ? '0' : ageText(seconds * 1_000));
  return (place) => place.toLocaleString('en', { maximumFractionDigits: 1 });
}

function xRange({ x }: ComparedFigure): [number, number] {
  return plotRange(x?.[0] ?? null, x?.[1] ?? null, 0);
}

function yRange({ y }: ComparedFigure): [number, number] {
  if (y === null) return plotRange(null, null, ROOM);
  const unit = plotUnit(y);
  return plotRange(y[0] / unit, y[1] / unit, ROOM);
}

function nearestLine(
  plot: uPlot,
  { lines, y }: ComparedFigure,
  { left, top }: { left: number; top: number },
): string | null {
  const x = plot.posToVal(left, 'x');
  const unit = plotUnit(y);
  let nearest: string | null = null;
  let least = NEAR_PX;
  for (const line of lines) {
    const value = valueAt(line, x);
    if (value === null) continue;
    const distance = Math.abs(plot.valToPos(value / unit, 'y') - top);
    if (distance >= least) continue;
    least = distance;
    nearest = line.key;
  }
  return nearest;
}

const LINE_PX = 1.5;
const HIGHLIGHT_PX = 2.75;
const DIMMED = 0.22;

function drawLines(plot: uPlot, { shown, highlighted, colour }: ComparePlotInput): void {
  const { ctx, bbox } = plot;
  const { lines, y } = shown();
  const unit = plotUnit(y);
  const key = highlighted();
  const chosen = lines.find((line) => line.key === key);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineJoin = 'round';
  const draw = (line: DrawnLine, { alpha, px }: { alpha: number; px: number }) => {
    ctx.globalAlpha = alpha;
    ctx.strokeStyle = colour(line.style.colour);
    ctx.lineWidth = px * devicePixelRatio;
    ctx.lineCap = line.style.dash.length === 0 ? 'round' : 'butt';
    ctx.setLineDash(line.style.dash.map((length) => length * devicePixelRatio));
    ctx.beginPath();
    trace(plot, line, unit);
    ctx.stroke();
  };
  for (const line of lines) {
    if (line !== chosen) draw(line, { alpha: chosen === undefined ? 1 : DIMMED, px: LINE_PX });
  }
  if (chosen !== undefined) draw(chosen, { alpha: 1, px: HIGHLIGHT_PX });
  ctx.restore();
}

function trace(plot: uPlot, { xs, ys }: DrawnLine, unit: number): void {
  const { ctx } = plot;
  let isDown = false;
  for (const [at, value] of ys.entries()) {
    if (value === null) {
      isDown = false;
      continue;
    }
    const x = plot.valToPos(xs[at]!, 'x', true);
    const y = plot.valToPos(value / unit, 'y', true);
    if (isDown) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    // A point between two breaks is seen as a short dash.
    const next = ys[at + 1];
    if (!isDown && (next === null || next === undefined)) ctx.lineTo(x + 2 * devicePixelRatio, y);
    isDown = true;
  }
}
