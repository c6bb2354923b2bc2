import type { SeqRange } from '../strip/abandoned.ts';
import { fractionOfSeq, type RunAxis } from '../strip/run-axis.ts';
import type { Surface } from '../strip/surface.ts';
import { LANE_PX, type LanesLayout, type LifeAddress, type LifeBox } from './lanes-layout.ts';
import type { StageClass } from './lanes-model.ts';

const BAR_PX = 9;
const BAR_TOP_PX = (LANE_PX - BAR_PX) / 2;
const END_PX = 4;
/** The widest segment that is drawn without a line at its end, so that neighbours are told apart without colours. */
const LINE_PX_MIN = 4;

const stageColours: Readonly<Record<StageClass, `--${string}`>> = {
  germ: '--stage-germ',
  train: '--stage-train',
  blend: '--stage-blend',
  hold: '--stage-hold',
  other: '--stage-other',
};

export interface DrawnLanes {
  readonly axis: RunAxis;
  readonly layout: LanesLayout;
  readonly abandoned: readonly SeqRange[];
  /** Where the lanes begin if older events are left out; null if they are whole. */
  readonly oldestSeq: number | null;
  readonly attempts: readonly { readonly seq: number }[];
}

export function drawLanes(context: CanvasRenderingContext2D, drawn: DrawnLanes, surface: Surface): void {
  const { axis, layout } = drawn;
  const { width, height, colour } = surface;
  const xOf = (seq: number) => fractionOfSeq(axis, seq) * layout.width;
  for (const { top, isFirstOfEnv, lives } of layout.lanes) {
    context.fillStyle = colour('--lane-line');
    if (isFirstOfEnv) context.fillRect(0, top - 2, width, 1);
    for (const life of lives) drawLife(context, { life, top, colour: surface.colour });
  }
  context.fillStyle = colour('--lane-back');
  context.globalAlpha = 0.6;
  for (const { fromSeq, toSeq } of drawn.abandoned) {
    context.fillRect(xOf(fromSeq), 0, xOf(toSeq) - xOf(fromSeq), height);
  }
  context.globalAlpha = 1;
  context.fillStyle = colour('--lane-attempt');
  for (const { seq } of drawn.attempts) context.fillRect(Math.round(xOf(seq)), 0, 1, height);
  if (drawn.oldestSeq !== null) context.fillRect(Math.round(xOf(drawn.oldestSeq)), 0, 1, height);
}

/** Draws a frame around a life that the keyboard or the pointer is at. */
export function drawChosen(
  context: CanvasRenderingContext2D,
  { layout, chosen, surface }: { layout: LanesLayout; chosen: LifeAddress; surface: Surface },
): void {
  const lane = layout.lanes[chosen.lane];
  const life = lane?.lives[chosen.life];
  if (lane === undefined || life === undefined) return;
  context.strokeStyle = surface.colour('--lane-chosen');
  context.lineWidth = 1;
  const [x, y] = [Math.floor(life.x0) - 0.5, lane.top + BAR_TOP_PX - 1.5];
  context.strokeRect(x, y, Math.ceil(life.x1 - life.x0) + 1, BAR_PX + 3);
}

function drawLife(
  context: CanvasRenderingContext2D,
  { life, top, colour }: { life: LifeBox; top: number; colour: Surface['colour'] },
): void {
  const y = top + BAR_TOP_PX;
  for (const { x0, x1, stage } of life.segments) {
    context.fillStyle = colour(stageColours[stage]);
    context.fillRect(x0, y, Math.max(1, x1 - x0), BAR_PX);
    if (x1 - x0 < LINE_PX_MIN) continue;
    context.fillStyle = colour('--lane-back');
    context.fillRect(x1 - 0.5, y, 0.5, BAR_PX);
  }
  if (!life.hasBeginning && life.segments.length > 0) {
    // A notch says that the seed is older than what is drawn.
    context.fillStyle = colour('--lane-back');
    context.fillRect(life.x0, y + BAR_PX / 3, 2, BAR_PX / 3);
  }
  drawEnd(context, { life, y: top + LANE_PX / 2, colour });
}

function drawEnd(
  context: CanvasRenderingContext2D,
  { life: { end, x1: x }, y, colour }: { life: LifeBox; y: number; colour: Surface['colour'] },
): void {
  if (end === 'fossilised') {
    context.fillStyle = colour('--lane-fossilised');
    context.beginPath();
    context.moveTo(x, y - END_PX - 0.5);
    context.lineTo(x + END_PX + 0.5, y);
    context.lineTo(x, y + END_PX + 0.5);
    context.lineTo(x - END_PX - 0.5, y);
    context.closePath();
    context.fill();
    // Its edge tells it from the stage before it, where both have one colour.
    context.strokeStyle = colour('--lane-back');
    context.lineWidth = 1;
    context.stroke();
  } else if (end === 'pruned') {
    context.strokeStyle = colour('--lane-pruned');
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - END_PX, y - END_PX);
    context.lineTo(x + END_PX, y + END_PX);
    context.moveTo(x + END_PX, y - END_PX);
    context.lineTo(x - END_PX, y + END_PX);
    context.stroke();
  }
}
