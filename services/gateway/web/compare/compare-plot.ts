import '../side/usable-language.ts';

import uPlot from 'uplot';
import type { Axis } from '../shell/address.ts';
import { figureValueText } from '../side/figure-text.ts';
import { ageText } from '../text/ages.ts';
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
  const line = { stroke: () => colour('--compare-axis'), font, ticks: { show: false } };
  const grid = { stroke: () => colour('--compare-grid'), width: 1 };
  const plot = new uPlot(
    {
      ...{ width, height, padding: [6, 8, 0, 0], legend: { show: false } },
      scales: {
        x: { time: false, range: () => roomy(shown().x, 0) },
        y: { range: () => roomy(shown().y, ROOM) },
      },
      axes: [
        {
          ...line,
          grid,
          size: 20,
          gap: 2,
          space: 60,
          values: (_plot, places) => places.map(placeTextOf(axis)),
        },
        {
          ...{ ...line, grid, size: 48, gap: 4, space: 28 },
          values: (_plot, values) => values.map((value) => figureValueText(name, value)),
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
                key: nearestLine(self, shown().lines, left, top),
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
export function columnsFor({ x, y }: ComparedFigure): uPlot.AlignedData {
  return [[...(x ?? [0, 1])], [...(y ?? [0, 1])]];
}

/** A place of an axis as it is written. */
export function placeTextOf(axis: Axis): (place: number) => string {
  if (axis === 'time') return (seconds) => (seconds === 0 ? '0' : ageText(seconds * 1_000));
  return (place) => place.toLocaleString('en', { maximumFractionDigits: 1 });
}

function roomy(range: readonly [number, number] | null, room: number): [number, number] {
  if (range === null) return [0, 1];
  const [low, high] = range;
  if (high > low) return [low - (high - low) * room, high + (high - low) * room];
  const around = Math.abs(low) * 0.1 || 1;
  return [low - around, high + around];
}

function nearestLine(plot: uPlot, lines: readonly DrawnLine[], left: number, top: number): string | null {
  const x = plot.posToVal(left, 'x');
  let nearest: string | null = null;
  let least = NEAR_PX;
  for (const line of lines) {
    const value = valueAt(line, x);
    if (value === null) continue;
    const distance = Math.abs(plot.valToPos(value, 'y') - top);
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
  const { lines } = shown();
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
    trace(plot, line);
    ctx.stroke();
  };
  for (const line of lines) {
    if (line !== chosen) draw(line, { alpha: chosen === undefined ? 1 : DIMMED, px: LINE_PX });
  }
  if (chosen !== undefined) draw(chosen, { alpha: 1, px: HIGHLIGHT_PX });
  ctx.restore();
}

function trace(plot: uPlot, { xs, ys }: DrawnLine): void {
  const { ctx } = plot;
  let isDown = false;
  for (const [at, value] of ys.entries()) {
    if (value === null) {
      isDown = false;
      continue;
    }
    const x = plot.valToPos(xs[at]!, 'x', true);
    const y = plot.valToPos(value, 'y', true);
    if (isDown) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    // A point between two breaks is seen as a short dash.
    const next = ys[at + 1];
    if (!isDown && (next === null || next === undefined)) ctx.lineTo(x + 2 * devicePixelRatio, y);
    isDown = true;
  }
}
