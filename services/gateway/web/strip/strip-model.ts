import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { SeedEvent } from '../side/seed-events.ts';
import { abandonedParts, type SeqRange } from './abandoned.ts';
import { gapPlaces, type KnownGap } from './gap-places.ts';
import { eventsBefore, fractionOfSeq, type RunAxis, seqAt } from './run-axis.ts';

/** From `x0` to `x1`, in pixels. */
export interface StripSpan {
  readonly x0: number;
  readonly x1: number;
}

export interface StripMark {
  readonly x: number;
  readonly kind: 'fossilised' | 'pruned';
}

/** The strip of a run's whole life at a width, in CSS pixels. */
export interface StripModel extends WholeStrip, StripPlaces {}

/** What changes as the run goes on. */
export interface WholeStrip {
  readonly width: number;
  readonly barWidth: number;
  /** The height of each bar, from 0 to 1. Bar i begins at i × (barWidth + 1). */
  readonly bars: readonly number[];
  /** One a pixel and kind at most. */
  readonly marks: readonly StripMark[];
  readonly gaps: readonly (StripSpan & { readonly missing: number; readonly isEstimate: boolean })[];
  /** Where attempts after the first one began. */
  readonly attempts: readonly { readonly x: number; readonly attempt: number }[];
  readonly abandoned: readonly StripSpan[];
}

/** What changes as somebody reads. */
export interface StripPlaces {
  /** What the log shows. */
  readonly window: StripSpan | null;
  /** Where the reader has travelled to. */
  readonly at: number | null;
}

export interface StripInput {
  readonly axis: RunAxis;
  readonly timeline: Pick<RunTimeline, 'gaps' | 'attempts' | 'attempt' | 'landmarks' | 'first_seq'>;
  readonly seeds: readonly SeedEvent[];
  readonly emitters?: DeliveredSnapshot['emitters'] | undefined;
  readonly knownGaps?: readonly KnownGap[] | undefined;
  readonly width: number;
}

export interface StripPlacesInput {
  readonly axis: RunAxis;
  readonly window: SeqRange | null;
  readonly at: number | null;
  readonly width: number;
}

const BAR_PX = 3;
const BAR_PITCH_PX = BAR_PX + 1;
/** A gap and the window are seen and hit however short they are. */
const GAP_PX_MIN = 7;
const WINDOW_PX_MIN = 8;

export function stripModel(input: StripInput): WholeStrip {
  const { axis, timeline, width } = input;
  const spanOf = (range: SeqRange, pxMin: number) => spanOn(axis, range, { pxMin, width });
  const gaps = gapPlaces(axis, { gaps: timeline.gaps, emitters: input.emitters, known: input.knownGaps });
  return {
    width,
    barWidth: BAR_PX,
    bars: barsOf(axis, width),
    marks: marksOf(input.seeds, (seq) => Math.round(xOfSeq(axis, seq, width))),
    gaps: gaps.map(({ missing, isEstimate, ...range }) => ({
      ...spanOf(range, GAP_PX_MIN),
      missing,
      isEstimate,
    })),
    attempts: attemptsOf(timeline).map(({ seq, attempt }) => ({ x: xOfSeq(axis, seq, width), attempt })),
    abandoned: abandonedParts(timeline).map((part) => spanOf(part, 0)),
  };
}

export function stripPlaces({ axis, window, at, width }: StripPlacesInput): StripPlaces {
  return {
    window: window === null ? null : spanOn(axis, window, { pxMin: WINDOW_PX_MIN, width }),
    at: at === null ? null : xOfSeq(axis, at, width),
  };
}

function spanOn(
  axis: RunAxis,
  { fromSeq, toSeq }: SeqRange,
  size: { pxMin: number; width: number },
): StripSpan {
  return atLeast({ x0: xOfSeq(axis, fromSeq, size.width), x1: xOfSeq(axis, toSeq, size.width) }, size);
}

/** Returns the pixel at which an offset of the log is. */
export function xOfSeq(axis: RunAxis, seq: number, width: number): number {
  return fractionOfSeq(axis, seq) * width;
}

/** Returns the offset at a pixel; it is one of the run's, or lies between two of them. */
export function seqAtX(axis: RunAxis, x: number, width: number): number {
  return Math.round(seqAt(axis, width === 0 ? 1 : x / width));
}

/** Returns the marks of seeds that ended, one a place and kind at most. */
export function marksOf(seeds: readonly SeedEvent[], placeOf: (seq: number) => number): StripMark[] {
  const marks = new Map<string, StripMark>();
  for (const { seq, kind } of seeds) {
    if (kind !== 'fossilised' && kind !== 'pruned') continue;
    const x = placeOf(seq);
    marks.set(`${kind} ${x}`, { x, kind });
  }
  return [...marks.values()];
}

/** The height is the root of the number of events, so that one burst does not flatten all others. */
function barsOf(axis: RunAxis, width: number): number[] {
  const count = Math.floor((width + 1) / BAR_PITCH_PX);
  if (count < 1) return [];
  const before = Array.from({ length: count + 1 }, (_, index) => eventsBefore(axis, index / count));
  const events = before.slice(1).map((value, index) => value - before[index]!);
  const most = Math.max(...events);
  return events.map((value) => (most > 0 ? Math.sqrt(value / most) : 0));
}

function attemptsOf({ attempts, attempt }: Pick<RunTimeline, 'attempts' | 'attempt'>) {
  const first = attempt - attempts.length + 1;
  return attempts
    .map(({ seq }, index) => ({ seq, attempt: first + index }))
    .filter(({ attempt: number }) => number > 1);
}

function atLeast({ x0, x1 }: StripSpan, { pxMin, width }: { pxMin: number; width: number }): StripSpan {
  if (x1 - x0 >= pxMin) return { x0, x1 };
  const from = Math.min(Math.max(0, (x0 + x1 - pxMin) / 2), Math.max(0, width - pxMin));
  return { x0: from, x1: from + pxMin };
}
