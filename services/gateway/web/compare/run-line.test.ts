import { describe, expect, it } from 'vitest';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { lineOf, placesOf } from './run-line.ts';

const START = '2026-01-03T23:59:47Z';
const START_MS = Date.parse(START);
const after = (...seconds: number[]) => seconds.map((each) => START_MS + each * 1_000);

/** Rounds 1, 2, 3 end after 10, 20 and 30 s. */
const accuracy = figureOf([10, 20, 30], { name: 'accuracy', x: [1, 2, 3], t: after(10, 20, 30) });
const placesFor = (...figures: Parameters<typeof runFiguresOf>[0]) => placesOf(runFiguresOf(figures), START);

describe('a line over time', () => {
  it('begins at the start of its run', () => {
    expect(lineOf(accuracy, 'time', placesFor(accuracy))).toEqual({ xs: [10, 20, 30], ys: [10, 20, 30] });
  });

  it('begins with its first point if no start is known', () => {
    expect(lineOf(accuracy, 'time', placesOf(runFiguresOf([accuracy]), null)).xs).toEqual([0, 10, 20]);
  });
});

describe('a line over rounds', () => {
  it('has the rounds of the run at its points, and parts of them in between', () => {
    const entropy = figureOf([1, 2, 3, 4], { name: 'entropy', t: after(5, 10, 15, 99) });
    expect(lineOf(entropy, 'round', placesFor(accuracy, entropy)).xs).toEqual([0.5, 1, 1.5, 3]);
  });

  it('has its steps if the run says nothing of rounds', () => {
    const loss = figureOf([1, 2], { name: 'loss', x: [100, 200] });
    expect(lineOf(loss, 'round', placesFor(loss)).xs).toEqual([100, 200]);
  });

  it('keeps what the newest attempt did again, and what came before that', () => {
    const again = figureOf([10, 20, 30, 21, 31], {
      ...{ name: 'accuracy', x: [1, 2, 3, 2, 3], attempt: [1, 1, 1, 2, 2], t: after(10, 20, 30, 60, 70) },
    });
    expect(lineOf(again, 'round', placesFor(again))).toEqual({ xs: [1, 2, 3], ys: [10, 21, 31] });
    const entropy = figureOf([1, 2, 3, 4], {
      ...{ name: 'entropy', attempt: [1, 1, 2, 2], t: after(15, 35, 55, 65) },
    });
    const { xs, ys } = lineOf(entropy, 'round', placesFor(again, entropy));
    expect(ys).toEqual([1, 3, 4]);
    expect(xs[0]).toBe(1.5);
    expect(xs[1]).toBeCloseTo(1 + 25 / 30, 10);
    expect(xs[2]).toBe(2.5);
  });
});

describe('a line over steps', () => {
  it('has the steps of its events', () => {
    expect(lineOf(accuracy, 'step', placesFor(accuracy)).xs).toEqual([1, 2, 3]);
  });

  it('counts its points if their counter starts over', () => {
    const epochs = figureOf([1, 2, 3, 4], { x: [1, 2, 1, 2], stride: 2 });
    expect(lineOf(epochs, 'step', placesFor(epochs))).toEqual({ xs: [0, 2, 4, 6], ys: [1, 2, 3, 4] });
  });

  it('keeps its breaks', () => {
    const broken = figureOf([1, null, 3]);
    expect(lineOf(broken, 'step', placesFor(broken)).ys).toEqual([1, null, 3]);
  });
});
