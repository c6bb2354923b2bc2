import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { figureOf } from '../../../../test/support/figure-factory.ts';
import { type ChartOptions, figureChart } from './figure-chart.ts';

const plain: ChartOptions = { width: 40, rows: 4, paint: (_, text) => text };

describe('a chart', () => {
  it('draws a line between labelled axes', () => {
    expect(figureChart(figureOf([0, 10, 20, 30]), plain)?.split('\n')).toEqual([
      '30 ┤                           ⢀⣀⣀⠤⠤⠒⠒⠊⠉',
      '   │                  ⣀⣀⡠⠤⠔⠒⠒⠉⠉⠁',
      '   │        ⢀⣀⣀⠤⠤⠔⠒⠊⠉⠉',
      ' 0 ┤⣀⡠⠤⠤⠒⠒⠊⠉⠁',
      '   └────────────────────────────────────',
      '    x 0             x 20            x 30',
      '    2026-01-03 23:59:47',
    ]);
  });

  it('shows the whole range of a bucket, which its last value does not', () => {
    const figure = figureOf([5, 5, 5], { stride: 4, points: 12, min: [5, 0, 5], max: [5, 10, 5] });
    const lines = figureChart(figure, plain)!.split('\n');
    expect(lines[0]).toMatch(/^10 ┤ +[⡇⢸]$/u);
    expect(lines[3]).toMatch(/^ 0 ┤ +[⡇⢸]$/u);
  });

  it('leaves a hole where a bucket has no value', () => {
    const lines = figureChart(figureOf([1, 1, null, 1, 1]), plain)!.split('\n');
    expect(lines[2]).toMatch(/^1 ┤⠉+⠁ +⠈⠉+$/u);
  });

  it('marks where attempts begin, and joins no line across', () => {
    const attempt = [1, 1, 1, 2, 2, 2, 3, 3];
    const chart = figureChart(figureOf([9, 9, 9, 0, 0, 0, 9, 9], { attempt }), { ...plain, width: 60 })!;
    const [labels, ...lines] = chart.split('\n');
    expect(labels).toBe(`${' '.repeat(27)}┊attempt 2${' '.repeat(14)}┊3`);
    // The line is at the bottom between the marks, and at the top elsewhere.
    expect(lines[0]).toMatch(/^9 ┤⠉+⠁ {7}┊ {23}⠈⠉+$/u);
    expect(lines[1]).toBe(`  │${' '.repeat(24)}┊${' '.repeat(23)}┊`);
    expect(lines[3]).toMatch(/^0 ┤ {24}⣀+⡀? {7}┊$/u);
  });

  it('labels the number of the point where x goes back within an attempt', () => {
    const x = [1, 2, 1, 2];
    const chart = figureChart(figureOf([0, 1, 2, 3], { x, stride: 2, points: 8 }), { ...plain, width: 60 })!;
    expect(chart).toContain('point 1 ');
    expect(chart).toContain('point 5 ');
    expect(chart).toContain('point 7');
    const again = figureOf([0, 1, 2, 3], { x, attempt: [1, 1, 2, 2] });
    expect(figureChart(again, { ...plain, width: 60 })).toContain('x 1 ');
  });

  it('is null if no point has a value', () => {
    expect(figureChart(figureOf([null, null]), plain)).toBeNull();
    expect(figureChart(figureOf([]), plain)).toBeNull();
  });

  it('says a value that never changes once, in the middle', () => {
    const lines = figureChart(figureOf([7, 7]), { ...plain, rows: 5 })!
      .split('\n')
      .slice(0, 5);
    expect(lines.map((line) => line.startsWith('7'))).toEqual([false, false, true, false, false]);
  });

  it('paints the line, the marks and the axes', () => {
    const inks = new Set<string>();
    const paint: ChartOptions['paint'] = (ink, text) => {
      inks.add(ink);
      return text;
    };
    figureChart(figureOf([1, 2], { attempt: [1, 2] }), { ...plain, paint });
    expect(inks).toEqual(new Set(['axis', 'line', 'mark']));
  });

  it('has as many lines as it says and none wider than the terminal, whatever the values are', () => {
    const bucket = fc.record({
      values: fc.option(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 })),
      x: fc.double({ noNaN: true, noDefaultInfinity: true }),
      t: fc.double(),
      isNewAttempt: fc.boolean(),
    });
    const buckets = fc.array(bucket, { minLength: 1, maxLength: 192 });
    fc.assert(
      fc.property(buckets, fc.integer({ min: 40, max: 240 }), (made, width) => {
        let attempt = 1;
        const column = (of: (values: number[]) => number) =>
          made.map(({ values }) => (values === null ? null : of(values)));
        const figure = figureOf(
          column((values) => values.at(-1)!),
          {
            x: made.map(({ x }) => x),
            t: made.map(({ t }) => t),
            first: column((values) => values[0]!),
            min: column((values) => Math.min(...values)),
            max: column((values) => Math.max(...values)),
            attempt: made.map(({ isNewAttempt }) => {
              attempt += isNewAttempt ? 1 : 0;
              return attempt;
            }),
          },
        );
        const chart = figureChart(figure, { ...plain, width, rows: 12 });
        if (made.every(({ values }) => values === null)) {
          expect(chart).toBeNull();
          return;
        }
        const lines = chart!.split('\n');
        const marks = figure.attempt.some((each) => each !== figure.attempt[0]) ? 1 : 0;
        expect(lines).toHaveLength(12 + 3 + marks);
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
        expect(chart).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: 300 },
    );
  });
});
