import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FleetLayout, groupsOf } from './fleet-layout.ts';

const heights = { row: 28, head: 24 };
const layout = (total: number, groups: [string | null, number][] | null = null) =>
  new FleetLayout({ total, groups: groups === null ? null : groupsOf(groups, total), heights });
const drawn = (of: FleetLayout, view: { top: number; height: number }) => {
  const { items, ...rest } = of.slice(view);
  return { ...rest, items: items.map((item) => (item.kind === 'run' ? item.position : item.group.value)) };
};

describe('the layout of the fleet', () => {
  it('is as high as all rows, and draws those in view with a few around them', () => {
    const of = layout(10_000);
    expect(of.height).toBe(280_000);
    const { items, above, below, from, to } = drawn(of, { top: 2_800, height: 280 });
    expect([from, to]).toEqual([100, 110]);
    expect([items[0], items.at(-1)]).toEqual([92, 117]);
    expect([above, below]).toEqual([92 * 28, 280_000 - 118 * 28]);
  });

  it('has a head above the rows of each group', () => {
    const of = layout(5, [
      ['a', 2],
      [null, 3],
    ]);
    expect(drawn(of, { top: 0, height: 500 }).items).toEqual(['a', 0, 1, null, 2, 3, 4]);
    expect(of.topOf(0)).toBe(24);
    expect(of.topOf(2)).toBe(2 * 28 + 2 * 24);
  });

  it('has one head for the runs of all groups that the server does not name', () => {
    expect(groupsOf([['a', 2]], 5).at(-1)).toEqual({ value: null, runs: 3, from: 2, isRest: true });
  });

  it('draws nothing of nothing', () => {
    expect(drawn(layout(0), { top: 0, height: 500 })).toEqual({
      items: [],
      above: 0,
      below: 0,
      from: 0,
      to: 0,
    });
  });

  it('leaves out nothing that is in view, and what it draws and leaves out is as high as all', () => {
    const runs = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(fc.array(runs, { maxLength: 12 }), fc.nat(2_000), fc.boolean(), (sizes, top, isGrouped) => {
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const groups = sizes.map((size, at): [string, number] => [`g${at}`, size]);
        const of = layout(total, isGrouped ? groups : null);
        const { items, above, below } = of.slice({ top, height: 300 });
        const high = items.reduce((sum, { kind }) => sum + (kind === 'run' ? heights.row : heights.head), 0);
        if (items.length > 0) expect(above + high + below).toBe(of.height);
        for (let position = 0; position < total; position += 1) {
          const at = of.topOf(position);
          if (at + heights.row <= top || at >= top + 300) continue;
          expect(items).toContainEqual({ kind: 'run', position });
        }
      }),
    );
  });
});
