import { fractionOfSeq, type RunAxis } from '../strip/run-axis.ts';
import type { LanesModel, LifeEnd, SeedLife, StageClass } from './lanes-model.ts';

/** Pixels of a lane, and of the space between two environments. */
export const LANE_PX = 15;
const ENV_GAP_PX = 3;
/** A life is seen and hit however short it is. */
const LIFE_PX_MIN = 3;
/** How far beside a life a pointer still means it. */
const HIT_PX = 5;

export interface LaneBox {
  readonly top: number;
  /** Whether the lane above is of another environment. */
  readonly isFirstOfEnv: boolean;
  readonly lives: readonly LifeBox[];
}

export interface LifeBox {
  readonly x0: number;
  readonly x1: number;
  readonly segments: readonly { readonly x0: number; readonly x1: number; readonly stage: StageClass }[];
  readonly end: LifeEnd | null;
  readonly hasBeginning: boolean;
}

export interface LanesLayout {
  readonly width: number;
  readonly height: number;
  readonly lanes: readonly LaneBox[];
}

/** Which life of which lane. */
export interface LifeAddress {
  readonly lane: number;
  readonly life: number;
}

/** Returns the height of the drawing, and the top of each lane in it. */
export function laneTops(lanes: LanesModel['lanes']): { height: number; tops: number[] } {
  let height = 0;
  const tops = lanes.map(({ env }, index) => {
    if (index > 0 && lanes[index - 1]!.env !== env) height += ENV_GAP_PX;
    const top = height;
    height += LANE_PX;
    return top;
  });
  return { height, tops };
}

/** Open lives reach to `untilSeq`, as of which the lanes are drawn; without it to the end. */
export function lanesLayout(
  axis: RunAxis,
  { lanes }: LanesModel,
  { width, untilSeq = null }: { width: number; untilSeq?: number | null },
): LanesLayout {
  const { height, tops } = laneTops(lanes);
  const xOf = (seq: number) => fractionOfSeq(axis, seq) * width;
  const endX = untilSeq === null ? width : xOf(untilSeq);
  return {
    ...{ width, height },
    lanes: lanes.map(({ env, lives }, index) => ({
      top: tops[index]!,
      isFirstOfEnv: index > 0 && lanes[index - 1]!.env !== env,
      lives: lives.map((life) => lifeBox(life, { xOf, width, endX })),
    })),
  };
}

/** Returns the life that a pointer means, or null. Of several that are as near, it is the newest. */
export function lifeAt(layout: LanesLayout, { x, y }: { x: number; y: number }): LifeAddress | null {
  const lane = layout.lanes.findIndex(({ top }) => y >= top && y < top + LANE_PX);
  let nearest: LifeAddress | null = null;
  let least = HIT_PX;
  for (const [life, { x0, x1 }] of (layout.lanes[lane]?.lives ?? []).entries()) {
    const distance = Math.max(x0 - x, x - x1, 0);
    if (distance > least) continue;
    least = distance;
    nearest = { lane, life };
  }
  return nearest;
}

/** Returns the life next to another in a direction, or null if there is none. */
export function nextLife(
  layout: LanesLayout,
  { lane, life }: LifeAddress,
  direction: 'left' | 'right' | 'up' | 'down',
): LifeAddress | null {
  if (direction === 'left' || direction === 'right') {
    const next = life + (direction === 'left' ? -1 : 1);
    return layout.lanes[lane]?.lives[next] === undefined ? null : { lane, life: next };
  }
  const toLane = lane + (direction === 'up' ? -1 : 1);
  const lives = layout.lanes[toLane]?.lives;
  const middle = middleOf(layout.lanes[lane]?.lives[life]);
  if (lives === undefined || middle === null) return null;
  const distances = lives.map((other) => Math.abs(middleOf(other)! - middle));
  return { lane: toLane, life: distances.indexOf(Math.min(...distances)) };
}

function lifeBox(
  life: SeedLife,
  { xOf, width, endX }: { xOf: (seq: number) => number; width: number; endX: number },
): LifeBox {
  const x0 = xOf(life.fromSeq);
  const x1 = life.end === null ? endX : xOf(life.toSeq);
  const segments = life.segments.map(({ stage, fromSeq, toSeq }) => ({
    stage,
    x0: xOf(fromSeq),
    x1: toSeq === null ? endX : xOf(toSeq),
  }));
  const { end, hasBeginning } = life;
  if (x1 - x0 >= LIFE_PX_MIN) return { x0, x1, segments, end, hasBeginning };
  const from = Math.max(0, Math.min(x0, width - LIFE_PX_MIN));
  const stage = segments.at(-1)?.stage;
  const [short0, short1] = [from, from + LIFE_PX_MIN];
  return {
    ...{ x0: short0, x1: short1, end, hasBeginning },
    segments: stage === undefined ? [] : [{ stage, x0: short0, x1: short1 }],
  };
}

function middleOf(box: LifeBox | undefined): number | null {
  return box === undefined ? null : (box.x0 + box.x1) / 2;
}
