import { describe, expect, it } from 'vitest';
import { comparedRun } from '../../../../test/support/compared-run-factory.ts';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { comparedFigures, valueAt } from './compare-lines.ts';

const runWith = (key: string, place: number, ...figures: Parameters<typeof runFiguresOf>[0]) =>
  comparedRun(key, { place, figures: runFiguresOf(figures) });

describe('the charts of several runs', () => {
  const runs = [
    runWith('c1/a/g', 0, figureOf([1, 5], { name: 'loss' }), figureOf([9], { name: 'lr', x: [70] })),
    runWith('c1/b/g', 9, figureOf([3, 2, 8], { name: 'loss' })),
    comparedRun('c1/c/g'),
    comparedRun('c1/d/g', {
      failure: { kind: 'deleted', key: 'c1/d/g' },
      figures: runFiguresOf([figureOf([99], { name: 'loss' })]),
    }),
  ];
  const charts = (axis: 'round' | 'step' | 'time', hasColours = true) =>
    comparedFigures({ runs, names: ['loss', 'lr', 'none'], axis, hasColours });

  it('have a line of each run that has the figure and can be shown', () => {
    const [loss, lr, none] = charts('step');
    expect(loss).toMatchObject({ x: [0, 20], y: [1, 8] });
    expect(loss!.lines.map(({ key }) => key)).toEqual(['c1/a/g', 'c1/b/g']);
    expect(lr!.lines.map(({ key }) => key)).toEqual(['c1/a/g']);
    expect(none).toMatchObject({ lines: [], x: null, y: null });
  });

  it('share one axis of rounds and of time, and have steps of their own', () => {
    expect(charts('step').map(({ x }) => x)).toEqual([[0, 20], [70, 70], null]);
    expect(charts('time').map(({ x }) => x)).toEqual([
      [0, 120],
      [0, 120],
      [0, 120],
    ]);
    expect(charts('round').map(({ x }) => x)).toEqual([
      [0, 70],
      [0, 70],
      [0, 70],
    ]);
  });

  it('tell lines apart by dashes if there are no colours, and else beyond eight', () => {
    const dashes = (hasColours: boolean) =>
      charts('step', hasColours)[0]!.lines.map(({ style }) => style.dash.length > 0);
    expect(dashes(true)).toEqual([false, true]);
    expect(dashes(false)).toEqual([false, true]);
  });
});

describe('the value of a line', () => {
  const line = { xs: [0, 10, 20, 30], ys: [1, 3, null, 5] };
  it.each([
    [-1, null],
    [0, 1],
    [5, 2],
    [10, 3],
    [15, null],
    [20, null],
    [30, 5],
    [31, null],
  ])('at %d is %j', (x, value) => {
    expect(valueAt(line, x)).toBe(value);
  });

  it('is a number between values whose difference is none', () => {
    expect(valueAt({ ...line, xs: [0, 10], ys: [-1e308, 1e308] }, 5)).toBe(0);
  });
});
