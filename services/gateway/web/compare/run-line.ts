import { instantOf } from '@runlog/schema/events/instant';
import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import type { Axis } from '../shell/address.ts';

/** A figure of one run as it is drawn over an axis that several runs share. */
export interface RunLine {
  /** Rounds, steps, or seconds since the run's start; each above the one before. */
  readonly xs: readonly number[];
  /** The last value of each bucket; null where it has none, and the line is broken. */
  readonly ys: readonly (number | null)[];
}

/** When a run was in which of its rounds. */
export interface Rounds {
  /** Milliseconds, in the order of the log. */
  readonly t: readonly number[];
  readonly round: readonly number[];
  readonly attempt: readonly number[];
}

/** What the places of a run's points are told by. */
export interface RunPlaces {
  /** When the run started, in milliseconds by its senders' clocks. */
  readonly startMs: number;
  /** Null if the run has reported no round. */
  readonly rounds: Rounds | null;
}

/** The figures that come with the end of a round, whose x is the round. */
const roundFigures = ['accuracy', 'reward', 'rolling_accuracy'];

export function placesOf(figures: RunFigures, startedAt: string | null): RunPlaces {
  let startMs = startedAt === null ? Number.POSITIVE_INFINITY : instantOf(startedAt);
  for (const { t } of figures.figures) if (t.length > 0) startMs = Math.min(startMs, t[0]!);
  const told = roundFigures
    .map((name) => figures.figures.find((figure) => figure.name === name))
    .find((figure) => figure !== undefined && figure.x.length > 0);
  return {
    startMs: Number.isFinite(startMs) ? startMs : 0,
    rounds: told === undefined ? null : { t: told.t, round: told.x, attempt: told.attempt },
  };
}

/**
 * Returns the line of a figure. What a later attempt did again replaces what came before it, so a line never goes back. A run
 * without rounds has its steps instead.
 */
export function lineOf(figure: Figure, axis: Axis, places: RunPlaces): RunLine {
  const xs = xsOf(figure, axis, places);
  const kept: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let at = xs.length - 1; at >= 0; at -= 1) {
    if (!(xs[at]! < least)) continue;
    least = xs[at]!;
    kept.push(at);
  }
  kept.reverse();
  return { xs: kept.map((at) => xs[at]!), ys: kept.map((at) => figure.last[at]!) };
}

function xsOf(figure: Figure, axis: Axis, { startMs, rounds }: RunPlaces): readonly number[] {
  switch (axis) {
    case 'time':
      return figure.t.map((ms) => (ms - startMs) / 1_000);
    case 'round':
      if (rounds === null) return stepsOf(figure);
      if (figure.t === rounds.t) return rounds.round;
      return figure.t.map((ms, at) => roundAt(rounds, { ms, attempt: figure.attempt[at]!, startMs }));
    case 'step':
      return stepsOf(figure);
    default: {
      const unreachable: never = axis;
      throw new Error(`unknown axis ${String(unreachable)}`);
    }
  }
}

/** A counter that starts over within an attempt, such as the epochs of one environment, is no step: then points are counted. */
function stepsOf({ x, attempt, stride }: Figure): readonly number[] {
  const startsOver = x.some((step, at) => at > 0 && attempt[at] === attempt[at - 1] && step <= x[at - 1]!);
  return startsOver ? x.map((_, at) => at * stride) : x;
}

/** Returns the round at a time, with the part of it that was over. A point belongs to the round that ends after it. */
function roundAt(rounds: Rounds, at: { ms: number; attempt: number; startMs: number }): number {
  const { t, round, attempt } = rounds;
  const next = firstAtOrAfter(t, at.ms);
  const ends = round[next];
  const before = round[next - 1];
  if (ends === undefined) return before!;
  const from = before === undefined ? at.startMs : t[next - 1]!;
  const part = t[next]! > from ? (at.ms - from) / (t[next]! - from) : 1;
  const isNewAttempt = before !== undefined && ends <= before;
  // Between two attempts there is no way from one round to the next.
  if (isNewAttempt && attempt[next] !== at.attempt) return before;
  const begins = before === undefined || isNewAttempt ? Math.max(0, ends - 1) : before;
  return begins + part * (ends - begins);
}

function firstAtOrAfter(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
