import { describe, expect, it } from 'vitest';
import { comparedRun } from '../../../../test/support/compared-run-factory.ts';
import { deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { columnName, columnsFor, labelsOf, rowsOf } from './compared-table.ts';
import type { ComparedRun } from './comparison.ts';

function run(name: string, of: { accuracy?: number[]; kl?: number[]; lr?: string } & Partial<ComparedRun>) {
  const { accuracy, kl, lr, ...overrides } = of;
  return comparedRun(`c1/${name}/g`, {
    figures: runFiguresOf([
      ...(accuracy === undefined ? [] : [figureOf(accuracy, { name: 'accuracy' })]),
      ...(kl === undefined ? [] : [figureOf(kl, { name: 'kl_divergence' })]),
    ]),
    settings: lr === undefined ? null : new Map([['lr', lr]]),
    ...overrides,
  });
}

const columns = columnsFor({ figures: ['accuracy', 'kl_divergence'], settings: ['lr'] });
const runs = [
  run('r1', { accuracy: [10, 90, 80], kl: [0.3, 0.1], lr: '0.003' }),
  run('r2', { accuracy: [50, 85], kl: [0.2], lr: '1e-9' }),
  run('r10', { accuracy: [50, 90], snapshot: deliveredSnapshot({ current_batch: 3, max_batches: 9 }) }),
];
const rowsBy = (sort: string | null) => rowsOf({ runs, columns, sort, standing: () => null });
const named = (rows: ReturnType<typeof rowsBy>) => rows.map(({ label }) => label);
const cellsOf = (id: string) => {
  const at = columns.findIndex((column) => column.id === id);
  return rowsBy(null).map(({ cells }) => cells[at]!);
};

describe('the table of a comparison', () => {
  it('has the best and the last value of each figure, and the settings', () => {
    expect(columns.map(columnName)).toEqual([
      ...['run', 'state', 'round', 'events'],
      ...['best accuracy', 'last accuracy', 'best KL', 'last KL', 'lr'],
    ]);
    expect(cellsOf('best:accuracy').map(({ text }) => text)).toEqual(['90.0%', '85.0%', '90.0%']);
    expect(cellsOf('last:accuracy').map(({ text }) => text)).toEqual(['80.0%', '85.0%', '90.0%']);
    expect(cellsOf('field:lr').map(({ text }) => text)).toEqual(['0.003', '1e-9', '–']);
    expect(cellsOf('round').map(({ text }) => text)).toEqual(['–', '–', '3/9']);
  });

  it('marks the best: the highest or the lowest, as the figure has it, and all that are equal', () => {
    expect(cellsOf('best:accuracy').map(({ isBest }) => isBest)).toEqual([true, false, true]);
    expect(cellsOf('last:accuracy').map(({ isBest }) => isBest)).toEqual([false, false, true]);
    expect(cellsOf('best:kl_divergence').map(({ isBest }) => isBest)).toEqual([true, false, false]);
  });

  it('marks none where all are equal, and none of a figure without a better end', () => {
    const same = [run('a', { accuracy: [5] }), run('b', { accuracy: [5] })];
    const marked = (figures: string[], of = same) =>
      rowsOf({ runs: of, columns: columnsFor({ figures, settings: [] }), sort: null, standing: () => null })
        .flatMap(({ cells }) => cells)
        .some(({ isBest }) => isBest);
    expect(marked(['accuracy'])).toBe(false);
    const entropy = [1, 2].map((value) =>
      comparedRun(`c1/e${value}/g`, { figures: runFiguresOf([figureOf([value], { name: 'entropy' })]) }),
    );
    expect(marked(['entropy'], entropy)).toBe(false);
  });

  it.each([
    [null, ['r1', 'r2', 'r10']],
    ['no such column', ['r1', 'r2', 'r10']],
    ['run', ['r1', 'r2', 'r10']],
    ['-run', ['r10', 'r2', 'r1']],
    ['last:accuracy', ['r1', 'r2', 'r10']],
    ['-last:accuracy', ['r10', 'r2', 'r1']],
    ['field:lr', ['r2', 'r1', 'r10']],
    ['-field:lr', ['r1', 'r2', 'r10']],
    ['-round', ['r10', 'r1', 'r2']],
  ])('sorted by %s has the runs in this order, those without a value last', (sort, order) => {
    expect(named(rowsBy(sort))).toEqual(order);
  });
});

describe('the names of compared runs', () => {
  it('leave out what all have in common, and stay apart', () => {
    expect([...labelsOf(['c1/a/A', 'c1/b/A']).values()]).toEqual(['a', 'b']);
    expect([...labelsOf(['c1/a/A', 'c2/a/A']).values()]).toEqual(['c1/a', 'c2/a']);
    expect([...labelsOf(['c1/a/A', 'c1/a/B']).values()]).toEqual(['a/A', 'a/B']);
    const long = ['x', 'y'].map((end) => `c1/${'long-name-'.repeat(5)}${end}/A`);
    const names = [...labelsOf(long).values()];
    expect(new Set(names).size).toBe(2);
    expect(Math.max(...names.map(({ length }) => length))).toBeLessThanOrEqual(28);
  });
});
