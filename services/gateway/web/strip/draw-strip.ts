import type { StripModel, StripSpan } from './strip-model.ts';
import { hatchOf, type Surface } from './surface.ts';

/** Heights in CSS pixels: bars above, then a row for each kind of mark. */
const MARK_PX = 5;
const MARK_ROWS_PX = 2 * MARK_PX + 4;

export function drawStrip(context: CanvasRenderingContext2D, model: StripModel, surface: Surface): void {
  const { height, colour } = surface;
  const base = height - MARK_ROWS_PX;
  drawBars(context, model, { base, colour: colour('--strip-bar') });
  drawDimmed(context, model.abandoned, { height, colour: colour('--strip-back') });
  for (const { x0, x1 } of model.gaps) {
    context.fillStyle = colour('--strip-gap-back');
    context.fillRect(x0, 0, x1 - x0, base);
    context.fillStyle = hatchOf(context, colour('--strip-gap'), surface.ratio);
    context.fillRect(x0, 0, x1 - x0, base);
  }
  for (const { x, kind } of model.marks) {
    const top = kind === 'fossilised' ? base + 1 : base + MARK_PX + 3;
    context.fillStyle = colour(kind === 'fossilised' ? '--strip-fossilised' : '--strip-pruned');
    context.fillRect(x - 1, top, 2, MARK_PX);
  }
  drawAttempts(context, model, { height, colour: colour('--strip-attempt'), back: colour('--strip-back') });
  if (model.at !== null) {
    // What came later is not part of what is shown.
    drawDimmed(context, [{ x0: model.at, x1: model.width }], { height, colour: colour('--strip-back') });
  }
  drawWindow(context, model, { height, edge: colour('--strip-window'), back: colour('--strip-window-back') });
  if (model.at !== null) {
    context.fillStyle = colour('--strip-at');
    context.fillRect(Math.min(model.width - 2, Math.max(0, model.at - 1)), 0, 2, height);
  }
}

function drawBars(
  context: CanvasRenderingContext2D,
  { bars, barWidth }: StripModel,
  { base, colour }: { base: number; colour: string },
): void {
  context.fillStyle = colour;
  for (const [index, part] of bars.entries()) {
    if (part === 0) continue;
    const tall = Math.max(1, Math.round(part * (base - 2)));
    context.fillRect(index * (barWidth + 1), base - tall, barWidth, tall);
  }
}

function drawDimmed(
  context: CanvasRenderingContext2D,
  spans: readonly StripSpan[],
  { height, colour }: { height: number; colour: string },
): void {
  context.save();
  context.globalAlpha = 0.6;
  context.fillStyle = colour;
  for (const { x0, x1 } of spans) context.fillRect(x0, 0, x1 - x0, height);
  context.restore();
}

function drawAttempts(
  context: CanvasRenderingContext2D,
  { attempts, width }: StripModel,
  { height, colour, back }: { height: number; colour: string; back: string },
): void {
  context.font = '10px ui-monospace, monospace';
  context.textBaseline = 'top';
  for (const [index, { x, attempt }] of attempts.entries()) {
    context.fillStyle = colour;
    context.fillRect(Math.round(x), 0, 1, height);
    const room = (attempts[index + 1]?.x ?? width) - x;
    const text = [`attempt ${attempt}`, String(attempt)].find((label) => label.length * 6 + 6 < room);
    if (text === undefined) continue;
    context.fillStyle = back;
    context.fillRect(Math.round(x) + 1, 0, context.measureText(text).width + 6, 12);
    context.fillStyle = colour;
    context.fillText(text, Math.round(x) + 4, 1);
  }
}

function drawWindow(
  context: CanvasRenderingContext2D,
  { window }: StripModel,
  { height, edge, back }: { height: number; edge: string; back: string },
): void {
  if (window === null) return;
  const { x0, x1 } = window;
  context.fillStyle = back;
  context.fillRect(x0, 0, x1 - x0, height);
  context.strokeStyle = edge;
  context.lineWidth = 1;
  context.strokeRect(Math.floor(x0) + 0.5, 0.5, Math.max(1, Math.floor(x1) - Math.floor(x0) - 1), height - 1);
}
