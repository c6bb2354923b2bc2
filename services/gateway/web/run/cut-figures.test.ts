import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { expect, it } from 'vitest';
import { simulatedRun } from '../../../../test/support/drawn-run.ts';
import { fractionOfSeq, runAxisOf, timeAt } from '../strip/run-axis.ts';
import { figuresThrough } from './cut-figures.ts';

const { timeline, head } = simulatedRun();
const axis = runAxisOf({ timeline, head });
const middle = Math.round((axis.firstSeq + axis.lastSeq) / 2);

/** A figure with a point at each tenth of the run. */
function figures(): RunFigures {
  const tenths = Array.from({ length: 11 }, (_, at) => at);
  const figure: Figure = {
    ...{ name: 'accuracy', points: 11, without_value: 0, stride: 1, x: tenths },
    t: tenths.map((tenth) => timeAt(axis, tenth / 10) + axis.skewMs),
    ...{ first: tenths, last: tenths, min: tenths, max: tenths },
    ...{ count: tenths.map(() => 1), attempt: tenths.map(() => 1) },
  };
  return { figures: [figure] } as unknown as RunFigures;
}

it.each([
  ['the middle', middle],
  ['the first event', axis.firstSeq],
  ['the newest event', axis.lastSeq],
])('figures as of %s have the points until then, in every column', (_, seq) => {
  const kept = Math.floor(fractionOfSeq(axis, seq) * 10 + 1e-6) + 1;
  const [figure] = figuresThrough(figures(), { axis, seq }).figures;
  expect(figure!.points).toBe(kept);
  const { x, t, first, last, min, max, count, attempt } = figure!;
  expect([x, t, first, last, min, max, count, attempt].map(({ length }) => length)).toEqual(
    Array.from({ length: 8 }, () => kept),
  );
});
