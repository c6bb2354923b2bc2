import { describe, expect, it } from 'vitest';
import { FleetItems } from './fleet-items.ts';

const lines = (items: FleetItems) =>
  Array.from({ length: items.count }, (_, line) => {
    const item = items.at(line);
    return item.kind === 'run' ? item.index : `${item.value} ${item.runs}`;
  });

describe('the lines of the table', () => {
  it('are its runs if nothing groups them', () => {
    expect(lines(new FleetItems({ total: 3, groups: [] }))).toEqual([0, 1, 2]);
    expect(new FleetItems({ total: 0, groups: [] }).count).toBe(0);
  });

  it('have a head before each group, also before runs whose group is beyond the bound', () => {
    const items = new FleetItems({
      total: 6,
      groups: [
        ['c1', 2],
        [null, 1],
        ['c3', 1],
      ],
    });
    expect(lines(items)).toEqual(['c1 2', 0, 1, 'null 1', 2, 'c3 1', 3, 4, 5]);
    for (let index = 0; index < 6; index += 1) {
      expect(items.at(items.lineOf(index))).toEqual({ kind: 'run', index });
      expect(items.indexAt(items.lineOf(index))).toBe(index);
    }
    expect([items.indexAt(0), items.indexAt(3), items.indexAt(5), items.indexAt(9)]).toEqual([0, 2, 3, 6]);
  });
});
