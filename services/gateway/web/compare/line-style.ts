/** How the line of a run looks: one of eight colours, and beyond eight runs one of seven dashes. */
export interface LineStyle {
  readonly colour: `--run-${number}`;
  /** Lengths of dashes and gaps in CSS pixels; empty: no dashes. */
  readonly dash: readonly number[];
}

const COLOURS = 8;
const dashes: readonly (readonly number[])[] = [
  [],
  [7, 3],
  [2, 2],
  [10, 3, 2, 3],
  [4, 2, 1, 2],
  [14, 4],
  [6, 2, 2, 2, 2, 2],
];

/** Fifty-six runs have a style of their own. `place` counts from 0. Without colours, the dashes change with each run. */
export function lineStyleOf(place: number, { hasColours = true }: { hasColours?: boolean } = {}): LineStyle {
  return {
    colour: `--run-${(place % COLOURS) + 1}`,
    dash: dashes[(hasColours ? Math.floor(place / COLOURS) : place) % dashes.length]!,
  };
}
