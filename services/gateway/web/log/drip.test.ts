import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { DRIP_TICK_MS, Drip } from './drip.ts';

const seqs = (entries: readonly EventLogEntry[]) => entries.map(({ seq }) => seq);
const individual = (seq: number) => entryOf({ seq, event_type: 'SEED_PRUNED', message: 'Pruned' });
const rolledUp = (seq: number) => entryOf({ seq });

/** Ticks on a clock of its own until a time, and returns when each entry was let go. */
function tickUntil(drip: Drip, from: number, to: number): [seq: number, atMs: number][] {
  const shown: [number, number][] = [];
  for (let nowMs = from; nowMs <= to; nowMs += DRIP_TICK_MS) {
    for (const { seq } of drip.tick(nowMs)) shown.push([seq, nowMs]);
  }
  return shown;
}

describe('the drip', () => {
  it('holds an individual event for a second, and says how long', () => {
    const drip = new Drip();
    expect(drip.push([individual(1)], 0)).toEqual([]);
    expect(tickUntil(drip, 0, 900)).toEqual([]);
    expect(drip.delayMs(950)).toBe(950);
    expect(tickUntil(drip, 1_000, 1_000)).toEqual([[1, 1_000]]);
    expect(drip.delayMs(1_000)).toBe(0);
  });

  it('lets rolled-up events pass at once, but none overtakes one that is held', () => {
    const drip = new Drip();
    expect(seqs(drip.push([rolledUp(1), individual(2), rolledUp(3)], 0))).toEqual([1]);
    expect(drip.waiting).toBe(2);
    expect(tickUntil(drip, 100, 1_000)).toEqual([
      [2, 1_000],
      [3, 1_000],
    ]);
  });

  it('lets go at most three lines a tick, at the rate of the events', () => {
    const drip = new Drip();
    drip.push(
      Array.from({ length: 50 }, (_, at) => (at < 20 ? individual(at) : rolledUp(at))),
      0,
    );
    const shown = tickUntil(drip, 0, 1_800).filter(([seq]) => seq < 20);
    // 50 events in five seconds are ten a second. The budget is 11 after 1.0 s.
    const perTick = new Map<number, number>();
    for (const [, atMs] of shown) perTick.set(atMs, (perTick.get(atMs) ?? 0) + 1);
    expect([...perTick.values()].slice(0, 6)).toEqual([3, 3, 3, 3, 3, 1]);
    expect(Math.max(...perTick.values())).toBe(3);
    expect(shown).toHaveLength(19);
  });

  it('hurries when a line has waited for 1.9 s', () => {
    const drip = new Drip();
    drip.push(
      Array.from({ length: 70 }, (_, at) => individual(at)),
      0,
    );
    const shown = tickUntil(drip, 0, 2_000);
    expect(shown).toHaveLength(70);
    expect(shown.at(-1)![1]).toBe(1_900);
  });

  it('is off above fifteen lines a second, and holds again when there are fewer', () => {
    const drip = new Drip();
    expect(
      drip.push(
        Array.from({ length: 75 }, (_, at) => individual(at)),
        0,
      ),
    ).toEqual([]);
    expect(drip.isHolding(0)).toBe(true);
    expect(drip.push([individual(75)], 50)).toHaveLength(76);
    expect(drip.isHolding(50)).toBe(false);
    expect(drip.push([individual(76)], 5_100)).toEqual([]);
  });

  it('counts only individual lines for that: a flood of epochs passes by', () => {
    const drip = new Drip();
    expect(
      drip.push(
        Array.from({ length: 5_000 }, (_, at) => rolledUp(at)),
        0,
      ),
    ).toHaveLength(5_000);
    expect(drip.push([individual(5_000)], 10)).toEqual([]);
  });

  it('shows all that waits when it is switched off, and holds nothing then', () => {
    const drip = new Drip();
    drip.push([individual(1), rolledUp(2)], 0);
    expect(seqs(drip.switch(false))).toEqual([1, 2]);
    expect(seqs(drip.push([individual(3)], 100))).toEqual([3]);
    expect(new Drip({ isOn: false }).isHolding(0)).toBe(false);
  });

  it('loses nothing, keeps the order, holds nothing for long, and holds little', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 1, max: 700 }),
      kinds: fc.array(fc.boolean(), { maxLength: 30 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const drip = new Drip();
        const cameAt: number[] = [];
        const shown: number[] = [];
        let nowMs = 0;
        const show = (entries: readonly EventLogEntry[]) => {
          for (const { seq } of entries) {
            shown.push(seq);
            expect(nowMs - cameAt[seq]!).toBeLessThanOrEqual(2_000 + DRIP_TICK_MS);
          }
        };
        let nextTickMs = 0;
        const goTo = (toMs: number) => {
          for (; nextTickMs <= toMs; nextTickMs += DRIP_TICK_MS) {
            nowMs = nextTickMs;
            show(drip.tick(nowMs));
          }
          nowMs = toMs;
        };
        for (const { afterMs, kinds } of steps) {
          goTo(nowMs + afterMs);
          const made = kinds.map((isHeld) => {
            const seq = cameAt.push(nowMs) - 1;
            return isHeld ? individual(seq) : rolledUp(seq);
          });
          show(drip.push(made, nowMs));
          expect(drip.waiting).toBeLessThanOrEqual(2_000);
        }
        goTo(nowMs + 3_000);
        expect(shown).toEqual(cameAt.map((_, seq) => seq));
      }),
      { numRuns: 100 },
    );
  });
});
