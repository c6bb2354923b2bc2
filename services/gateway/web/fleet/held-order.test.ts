import type { RunRow } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FleetRows, type FleetStep, HeldOrder } from './held-order.ts';

const row = (name: string, events = 1): RunRow =>
  ({ cluster_id: 'c1', run_id: name, group_id: 'default', total_events_received: events }) as RunRow;
const step = (names: string, over: Partial<FleetStep> = {}): FleetStep => ({
  ...{ view: 'v', offset: 0, rows: [...names].map((name) => row(name)), total: names.length, groups: [] },
  ...over,
});
const drawn = (rows: FleetRows | null, from = 0, to = rows?.total ?? 0) =>
  Array.from({ length: to - from }, (_, at) => rows?.rowAt(from + at)?.run_id ?? '.').join('');

describe('the order of the rows', () => {
  it('is the newest while nobody holds it', () => {
    const order = new HeldOrder();
    order.receive(step('abc'), false);
    const rows = order.receive(step('cab'), false);
    expect([drawn(rows), rows.moved]).toEqual(['cab', 0]);
  });

  it('stays while it is held, says how many would move, and moves them when it is released', () => {
    const order = new HeldOrder();
    order.receive(step('abc'), false);
    const held = order.receive(step('cab'), true);
    expect([drawn(held), held.moved]).toEqual(['abc', 1]);
    const released = order.release();
    expect([drawn(released), released?.moved]).toEqual(['cab', 0]);
  });

  it.each([
    ['abc', 'abc', 0],
    ['abc', 'xabc', 1],
    ['abc', 'ab', 1],
    ['abc', 'cba', 2],
    ['abcd', 'xbad', 2],
  ])('counts in %s, which would be %s, %d moved', (before, after, moved) => {
    const order = new HeldOrder();
    order.receive(step(before), false);
    const held = order.receive(step(after), true);
    expect([drawn(held), held.moved]).toEqual([before, moved]);
  });

  it('has values change in place while it is held', () => {
    const order = new HeldOrder();
    order.receive(step('ab'), false);
    const rows = order.receive(step('', { rows: [row('b', 9), row('a', 7)], total: 2 }), true);
    expect([0, 1].map((at) => rows.rowAt(at)?.total_events_received)).toEqual([7, 9]);
  });

  it('keeps what a run last was when it leaves the window while it is held', () => {
    const order = new HeldOrder();
    order.receive(step('ab'), false);
    expect(drawn(order.receive(step('b', { total: 1 }), true))).toBe('ab');
  });

  it('is new at once when other runs are asked for', () => {
    const order = new HeldOrder();
    order.receive(step('ab'), false);
    expect(drawn(order.receive(step('xy', { view: 'w' }), true))).toBe('xy');
  });

  it('keeps the rows that two windows share, and shows none twice', () => {
    const order = new HeldOrder();
    order.receive(step('abcd', { total: 8 }), false);
    // A new run at the top has moved all others on by one.
    const rows = order.receive(step('bcdefg', { offset: 2, total: 9 }), true);
    expect(drawn(rows, 2, 8)).toBe('cdbefg');
    expect(rows.positionOf('c1/d/default')).toBe(3);
  });

  it('never shows a run twice, and never moves a row while it is held', () => {
    const names = fc.shuffledSubarray([...'abcdefghij'], { minLength: 1 });
    fc.assert(
      fc.property(names, names, fc.nat(6), (before, after, offset) => {
        const order = new HeldOrder();
        const first = drawn(order.receive(step(before.join('')), false));
        const next = step(after.slice(offset).join(''), { offset, total: after.length });
        const rows = order.receive(next, true);
        const now = Array.from({ length: 12 }, (_, at) => rows.rowAt(at)?.run_id ?? null);
        const shown = now.filter((name) => name !== null);
        expect(new Set(shown).size).toBe(shown.length);
        now.forEach((name, at) => {
          if (name !== null && at < first.length) expect(name).toBe(first[at]);
        });
      }),
    );
  });
});
