import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { lineOf, placesOf, type RunLine } from '../compare/run-line.ts';
import { fractionsOfTimes, type RunAxis, seqAt } from '../strip/run-axis.ts';
import { countText, NO_NUMBER } from '../text/numbers.ts';
import { chosenNames } from './chart-model.ts';
import { EVENT_RATE, figureLabel, figureValueText } from './figure-text.ts';
import type { RoundEnd } from './state-at-round.ts';

/** Two runs, A and B, as of the round that both have reached. */

/** The figures of A and B that are compared; beyond it a table is no longer read. */
const FIGURES_MAX = 12;
/** The figures that a chart shows both of, each the first that a run has. */
const overlaid: readonly (readonly string[])[] = [
  ['accuracy', 'val_accuracy'],
  ['reward', 'total_reward'],
];

/** A line of the table. The difference is B − A. */
export interface ComparedRow {
  readonly name: string;
  readonly a: string;
  readonly b: string;
  readonly difference: string;
}

export interface AbSide {
  readonly figures: RunFigures | null;
  readonly startedAt: string | null;
}

/** Returns the round that both have reached, and which of them has gone on since. */
export function commonRound(
  a: Pick<DeliveredSnapshot, 'current_batch'>,
  b: Pick<DeliveredSnapshot, 'current_batch'>,
): { readonly round: number; readonly ahead: 'a' | 'b' | null } {
  const [ofA, ofB] = [a.current_batch, b.current_batch];
  return { round: Math.min(ofA, ofB), ahead: ofA === ofB ? null : ofA > ofB ? 'a' : 'b' };
}

/** Returns those of the seeds' events that came until an event; null: all. */
export function seedsUntil<Seed extends { readonly seq: number }>(
  seeds: readonly Seed[],
  untilSeq: number | null,
): readonly Seed[] {
  return untilSeq === null ? seeds : seeds.filter(({ seq }) => seq <= untilSeq);
}

/** Returns the line of a figure over rounds, up to one of them; null if the run does not have it. */
export function lineUntil(
  { figures, startedAt }: AbSide,
  { name, round }: { name: string; round: number },
): RunLine | null {
  const figure = figures?.figures.find((each) => each.name === name);
  if (figures === null || figure === undefined) return null;
  const { xs, ys } = lineOf(figure, 'round', placesOf(figures, startedAt));
  const end = xs.findIndex((x) => x > round);
  return end === -1 ? { xs, ys } : { xs: xs.slice(0, end), ys: ys.slice(0, end) };
}

/** Returns the names of the figures of which one chart shows A and B. */
export function overlaidNames(a: RunFigures | null, b: RunFigures | null): string[] {
  const names = new Set([...namesOf(a), ...namesOf(b)]);
  return overlaid.flatMap((alike) => alike.filter((name) => names.has(name)).slice(0, 1));
}

/** The last value of each figure that comes up to the round. */
export function figureRows(a: AbSide, b: AbSide, round: number): ComparedRow[] {
  const names = [...new Set([...usualNames(a.figures), ...usualNames(b.figures)])].slice(0, FIGURES_MAX);
  return names.map((name) => {
    const [ofA, ofB] = [a, b].map((side) => lastOf(lineUntil(side, { name, round })));
    const difference = ofA == null || ofB == null ? null : ofB - ofA;
    return {
      name: figureLabel(name),
      a: figureValueText(name, ofA ?? null),
      b: figureValueText(name, ofB ?? null),
      difference: signed(figureValueText(name, difference), difference),
    };
  });
}

const counters = [
  ['episode', 'current_episode'],
  ['germinated', 'cumulative_germinated'],
  ['fossilised', 'cumulative_fossilized'],
  ['pruned', 'cumulative_pruned'],
  ['events', 'total_events_received'],
  ['duplicates', 'duplicates'],
  ['missing', 'missing'],
] as const satisfies readonly (readonly [string, keyof DeliveredSnapshot])[];

/** The counters of two states; nothing of a state that is not there yet. */
export function counterRows(
  a: Pick<DeliveredSnapshot, (typeof counters)[number][1]> | null,
  b: Pick<DeliveredSnapshot, (typeof counters)[number][1]> | null,
): ComparedRow[] {
  return counters.map(([name, field]) => {
    const [ofA, ofB] = [a?.[field] ?? null, b?.[field] ?? null];
    const difference = ofA === null || ofB === null ? null : ofB - ofA;
    return {
      name,
      a: ofA === null ? NO_NUMBER : countText(ofA),
      b: ofB === null ? NO_NUMBER : countText(ofB),
      difference: difference === null ? NO_NUMBER : signed(countText(difference), difference),
    };
  });
}

/** Returns where a round ended, as the figures that come with it tell; null if they do not. */
export function endOfRound(figures: RunFigures | null, axis: RunAxis, round: number): RoundEnd | null {
  if (figures === null) return null;
  const { rounds } = placesOf(figures, null);
  const at = rounds?.round.lastIndexOf(round) ?? -1;
  if (rounds === null || at === -1) return null;
  const fractions = fractionsOfTimes(axis, rounds.t);
  const behind = fractions[at + 2];
  return {
    seq: Math.max(axis.firstSeq, Math.min(axis.lastSeq, Math.ceil(seqAt(axis, fractions[at]!)))),
    beforeSeq: behind === undefined ? axis.lastSeq + 1 : Math.ceil(seqAt(axis, behind)) + 1,
    atMs: rounds.t[at]!,
  };
}

function namesOf(figures: RunFigures | null): string[] {
  return (figures?.figures ?? []).map(({ name }) => name);
}

function usualNames(figures: RunFigures | null): string[] {
  return chosenNames(namesOf(figures), null).filter((name) => name !== EVENT_RATE);
}

function lastOf(line: RunLine | null): number | null {
  return line?.ys.findLast((value) => value !== null) ?? null;
}

/** With a sign that is as wide as a digit. */
function signed(text: string, difference: number | null): string {
  if (difference === null || difference === 0) return text;
  return difference > 0 ? `+${text}` : text.replace(/^-/, '−');
}
