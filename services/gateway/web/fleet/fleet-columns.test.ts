import { describe, expect, it } from 'vitest';
import { fleetColumns, nextSort, sortByNextColumn, sortOf } from './fleet-columns.ts';

const column = (id: string) => fleetColumns.find((each) => each.id === id)!;

describe('the order of the fleet', () => {
  it.each([
    [null, 'state'],
    ['-accuracy', '-accuracy'],
    ['run_id', 'run_id'],
    ['nonsense', 'state'],
    ['--events', 'state'],
  ])('that an address calls %s is %s', (named, sort) => {
    expect(sortOf(named)).toBe(sort);
  });

  it.each([
    ['accuracy', 'state', '-accuracy'],
    ['accuracy', '-accuracy', 'accuracy'],
    ['accuracy', 'accuracy', null],
    ['state', 'state', '-state'],
    ['state', '-state', null],
    ['state', '-events', null],
    ['rate', '-events', null],
  ] as const)('becomes, by a press on %s while it is %s, %s', (id, held, next) => {
    expect(nextSort(column(id), held)).toBe(next);
  });

  it('goes from column to column, and back to the usual one', () => {
    const seen = ['state'];
    for (let sort = sortByNextColumn('state'); sort !== null; sort = sortByNextColumn(sort)) seen.push(sort);
    expect(seen).toEqual(fleetColumns.flatMap(({ sort }) => (sort === null ? [] : [sort])));
  });
});
