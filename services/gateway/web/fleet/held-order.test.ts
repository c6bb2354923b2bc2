import type { RunRow } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { HeldOrder } from './held-order.ts';

const row = (run_id: string, seq = 0): RunRow =>
  ({ cluster_id: 'c1', run_id, group_id: 'default', seq }) as unknown as RunRow;
const shown = (order: HeldOrder) => order.shown.rows.map(({ run_id, seq }) => `${run_id}${seq}`);

describe('the order of the rows', () => {
  it('is the newest as long as nobody points at them', () => {
    const order = new HeldOrder();
    order.take({ offset: 0, rows: [row('a'), row('b')] });
    order.take({ offset: 0, rows: [row('b', 1), row('a')] });
    expect(shown(order)).toEqual(['b1', 'a0']);
    expect(order.moved).toBe(0);
  });

  it('stays while it is held, and values go on', () => {
    const order = new HeldOrder();
    order.take({ offset: 0, rows: [row('a'), row('b'), row('c')] });
    order.hold(true);
    order.take({ offset: 0, rows: [row('x'), row('b', 1), row('a', 2)] });
    expect(shown(order)).toEqual(['a2', 'b1', 'c0']);
    expect(order.moved).toBe(2);
    order.release();
    expect(shown(order)).toEqual(['x0', 'b1', 'a2']);
    order.take({ offset: 0, rows: [row('a', 3), row('b', 1), row('x')] });
    expect(shown(order)).toEqual(['x0', 'b1', 'a3']);
    order.hold(false);
    expect(shown(order)).toEqual(['a3', 'b1', 'x0']);
  });

  it('does not count rows that only changed', () => {
    const order = new HeldOrder();
    order.take({ offset: 0, rows: [row('a'), row('b')] });
    order.hold(true);
    order.take({ offset: 0, rows: [row('a', 9), row('b', 9)] });
    expect(order.moved).toBe(0);
    expect(shown(order)).toEqual(['a9', 'b9']);
  });

  it('is taken as it is in a part of the table that was not shown', () => {
    const order = new HeldOrder();
    order.take({ offset: 0, rows: [row('a')] });
    order.hold(true);
    order.take({ offset: 100, rows: [row('m')] });
    expect(shown(order)).toEqual(['m0']);
  });
});
