import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { expect, it } from 'vitest';
import { simulatedRun } from '../../../../test/support/drawn-run.ts';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
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
  const [figure] = figuresThrough(figures(), { axis, seq, lastEventMs: null }).figures;
  expect(figure!.points).toBe(kept);
  const { x, t, first, last, min, max, count, attempt } = figure!;
  expect([x, t, first, last, min, max, count, attempt].map(({ length }) => length)).toEqual(
    Array.from({ length: 8 }, () => kept),
  );
});

/** An hour of events by their own clocks, which came within three seconds and, a minute later, within six. */
const START_MS = Date.parse('2026-11-27T07:00:00Z');
const at = (ms: number) => new Date(START_MS + ms).toISOString();
const resent = runAxisOf({
  timeline: timelineOf({
    landmarks: [
      [0, 1, at(0), 0],
      [25_000, 25_001, at(3_000), 0],
      [25_001, 25_002, at(63_000), 0],
      [60_000, 60_001, at(69_000), 0],
    ],
    position: { epoch: 'e', seq: 60_000 },
  }),
  head: { seq: 60_000, receivedAtMs: START_MS + 69_000, occurredAtMs: START_MS + 60_000, events: 60_001 },
});
const sentMs = (minute: number) => START_MS + (minute - 59) * 60_000;
const minutes = Array.from({ length: 60 }, (_, minute) => minute);

it('figures as of an event end with it by its own time, though it came long after', () => {
  const figure = figureOf(minutes, { t: minutes.map(sentMs) });
  const of = { axis: resent, seq: 15_000, lastEventMs: sentMs(15) };
  expect(figuresThrough(runFiguresOf([figure]), of).figures[0]!.last).toEqual(minutes.slice(0, 16));
});

it('a clock that is ahead does not let figures go on behind the event', () => {
  const figure = figureOf(minutes, { t: minutes.map(sentMs) });
  const of = { axis: resent, seq: 15_000, lastEventMs: sentMs(59) + 3_600_000 };
  expect(figuresThrough(runFiguresOf([figure]), of).figures[0]!.last.length).toBeLessThan(59);
});

it('the last bucket has no value from behind the event', () => {
  const figure = figureOf([1, 2, 3, 4], {
    ...{ stride: 4, count: [4, 4, 4, 2], t: [0, 10, 20, 30].map(sentMs), first: [1, 1.5, 2.5, 3.5] },
  });
  const of = { axis: resent, seq: 15_000, lastEventMs: sentMs(15) };
  const [cut] = figuresThrough(runFiguresOf([figure]), of).figures;
  expect(cut).toMatchObject({ last: [1, 1.5], min: [1, 1.5], max: [1, 1.5], count: [4, 1], points: 5 });
});
