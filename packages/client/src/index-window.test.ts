import { describe, expect, it } from 'vitest';
import { indexRow, stateCounts } from '../../../test/support/index-factory.ts';
import { IndexWindow } from './index-window.ts';

const ids = (window: IndexWindow) => window.rows.map((row) => row.run_id);
const at = (second: number) => ({ last_received_at: `2026-01-04T00:00:0${second}.000Z` });

describe('the window of an index view', () => {
  it('is empty and unknown before the first answer', () => {
    const window = new IndexWindow();
    expect([window.rows, window.total, window.counts]).toEqual([[], null, null]);
  });

  it('keeps rows in the order of the view, however they arrive', () => {
    const window = new IndexWindow();
    const counts = stateCounts({ running: 3 });
    const rows = [indexRow({ run_id: 'a', ...at(1) }), indexRow({ run_id: 'b', ...at(3) })];
    window.receive({ rows, total: 2, counts });
    expect(ids(window)).toEqual(['b', 'a']);
    const moved = [indexRow({ run_id: 'a', ...at(5) }), indexRow({ run_id: 'c', ...at(4) })];
    window.receive({ rows: moved, gone: [], total: 3, counts });
    expect(ids(window)).toEqual(['a', 'c', 'b']);
    expect(window.total).toBe(3);
    expect(window.counts).toEqual(counts);
  });

  it('keeps the rows of each group together, in the order of the groups, and says how many there are', () => {
    const window = new IndexWindow({ sort: '-state', group_by: 'task_name' });
    const counts = stateCounts();
    const rows = [
      indexRow({ run_id: 'a', task_name: null }),
      indexRow({ run_id: 'b', task_name: 'y', state: 'failed' }),
      indexRow({ run_id: 'c', task_name: 'x' }),
      indexRow({ run_id: 'd', task_name: 'y', ...at(1) }),
      indexRow({ run_id: 'e', task_name: 'y', ...at(2) }),
    ];
    const groups = [['x', 1] as const, ['y', 30] as const, [null, 1] as const];
    window.receive({ rows, total: 32, counts, groups });
    expect(ids(window)).toEqual(['c', 'e', 'd', 'b', 'a']);
    expect(window.groups).toEqual(groups);
    window.receive({ rows: [], gone: ['c1/c/default'], total: 31, counts, groups: groups.slice(1) });
    expect(window.groups).toEqual([
      ['y', 30],
      [null, 1],
    ]);
  });

  it('drops rows that left, and everything at a new answer', () => {
    const window = new IndexWindow({ sort: 'run_id' });
    const counts = stateCounts();
    const rows = ['a', 'b', 'c'].map((run_id) => indexRow({ run_id }));
    window.receive({ rows, total: 3, counts });
    window.receive({ rows: [indexRow({ run_id: 'd' })], gone: ['c1/b/default'], total: 3, counts });
    expect(ids(window)).toEqual(['a', 'c', 'd']);
    window.receive({ rows: [indexRow({ run_id: 'e' })], total: 1, counts });
    expect(ids(window)).toEqual(['e']);
  });

  it('keeps a row that began anew in the step that ends it', () => {
    const window = new IndexWindow();
    const counts = stateCounts();
    window.receive({ rows: [indexRow({ seq: 1 })], total: 1, counts });
    window.receive({ rows: [indexRow({ seq: 9 })], gone: ['c1/r1/default'], total: 1, counts });
    expect(window.rows.map((row) => row.seq)).toEqual([9]);
  });
});
