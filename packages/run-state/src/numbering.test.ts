import { EMITTERS_MAX, RUN_EMITTER_IDS_MAX, RUN_GAPS_MAX } from '@runlog/schema/limits';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents } from '../../../test/support/event-factory.ts';
import { hashEventId, windowHas, windowWith } from './event-id-window.ts';

function numbered(emitter_id: string, emitter_seq: number) {
  return epochCompleted({ event_id: `${emitter_id}-${emitter_seq}`, emitter_id, emitter_seq });
}

function fold(numbers: readonly number[], emitter = 'e1') {
  return foldEvents(numbers.map((n) => numbered(emitter, n)));
}

describe('numbering', () => {
  it.each([
    ['in order', [1, 2, 3], { duplicates: 0, missing: 0 }],
    ['with a gap', [1, 5], { duplicates: 0, missing: 3 }],
    ['that starts late', [4], { duplicates: 0, missing: 3 }],
    ['with a late heal', [1, 5, 3, 2, 4], { duplicates: 0, missing: 0 }],
    ['with a repeat', [1, 2, 2, 1], { duplicates: 2, missing: 0 }],
    ['with a repeat inside a healed gap', [1, 5, 3, 3], { duplicates: 1, missing: 2 }],
  ])('counts a delivery %s', (_name, numbers, expected) => {
    expect(fold(numbers)).toMatchObject({ ...expected, unsure: 0, total_events_received: numbers.length });
  });

  it('says exactly what came and what is missing, for any delivery of few gaps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 30 })), {
          minLength: 1,
          maxLength: 120,
        }),
        (deliveries) => {
          const state = foldEvents(deliveries.map(([emitter, n]) => numbered(emitter, n)));
          const distinct = new Set(deliveries.map(([emitter, n]) => `${emitter}-${n}`));
          const lasts = new Map<string, number>();
          for (const [emitter, n] of deliveries) lasts.set(emitter, Math.max(lasts.get(emitter) ?? 0, n));
          const sent = [...lasts.values()].reduce((sum, last) => sum + last, 0);
          expect(state.total_events_received - state.duplicates).toBe(distinct.size);
          expect(state.missing).toBe(sent - distinct.size);
          expect(state.unsure).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('lets the event id decide below an evicted gap, and says that it was unsure', () => {
    // Thirty gaps of one: the oldest ten are evicted.
    const odd = Array.from({ length: 31 }, (_, index) => index * 2 + 1);
    const state = fold(odd);
    expect(state.emitters.e1!.gaps).toHaveLength(20);
    expect(state.missing).toBe(30);
    const healed = foldEvents([numbered('e1', 2), numbered('e1', 60)], state);
    expect(healed).toMatchObject({ missing: 28, duplicates: 0, unsure: 1 });
    const repeated = foldEvents([numbered('e1', 2)], healed);
    expect(repeated).toMatchObject({ missing: 28, duplicates: 1, unsure: 1 });
  });

  it('decides a repeat below evicted gaps by number again once all of them came', () => {
    const state = fold(Array.from({ length: 22 }, (_, index) => index * 2 + 1));
    expect(state.emitters.e1!.forgotten).toEqual({ through: 2, missing: 1 });
    const healed = foldEvents([numbered('e1', 2)], state);
    expect(healed.emitters.e1!.forgotten).toEqual({ through: 2, missing: 0 });
    // Pushed out of the log and never in the window: only the number can tell.
    const flooded = foldEvents(
      Array.from({ length: 150 }, (_, index) => numbered('e2', index + 1)),
      healed,
    );
    expect(foldEvents([numbered('e1', 2)], flooded).duplicates).toBe(1);
  });

  it('forgets the emitter not heard of for longest, and treats its return as unsure', () => {
    const many = Array.from({ length: EMITTERS_MAX + 1 }, (_, index) => numbered(`e${index}`, 1));
    const state = foldEvents(many);
    expect(Object.keys(state.emitters)).toHaveLength(EMITTERS_MAX);
    expect(state.emitters.e0).toBeUndefined();
    const back = foldEvents([numbered('e0', 7)], state);
    expect(back).toMatchObject({ missing: 0, unsure: 1, duplicates: 0, emitters_evicted: 2 });
    expect(foldEvents([numbered('e0', 7)], back).duplicates).toBe(1);
  });

  it('tells what is missing of 128 emitters exactly', () => {
    const emitters = Array.from({ length: 128 }, (_, index) => `rank-${index}`);
    const sent = emitters.flatMap((emitter, index) =>
      [1, 2, 3, 4].filter((n) => n !== 3 || index % 4 !== 0).map((n) => numbered(emitter, n)),
    );
    expect(foldEvents(sent)).toMatchObject({ missing: 32, missing_is_exact: true, unsure: 0 });
  });

  it('forgets emitters without gaps first, which costs no knowledge of what is missing', () => {
    const state = foldEvents([
      numbered('gap', 2),
      ...Array.from({ length: EMITTERS_MAX + 50 }, (_, index) => numbered(`e${index}`, 1)),
    ]);
    expect(state.emitters.gap).toMatchObject({ gaps: [[1, 1]] });
    expect(state).toMatchObject({ missing: 1, missing_is_exact: true, emitters_evicted: 51 });
    const healed = foldEvents([numbered('gap', 1)], state);
    expect(healed).toMatchObject({ missing: 0, missing_is_exact: true, unsure: state.unsure });
  });

  it('says that missing is not exact once an emitter with gaps was forgotten', () => {
    const state = foldEvents(
      Array.from({ length: EMITTERS_MAX + 1 }, (_, index) => numbered(`e${index}`, 2)),
    );
    expect(state).toMatchObject({ missing: EMITTERS_MAX + 1, missing_is_exact: false });
  });

  it('says that missing is not exact once a forgotten emitter may have come back', () => {
    const state = foldEvents(
      Array.from({ length: EMITTERS_MAX + 1 }, (_, index) => numbered(`e${index}`, 1)),
    );
    expect(state.missing_is_exact).toBe(true);
    expect(foldEvents([numbered('new', 1)], state).missing_is_exact).toBe(true);
    expect(foldEvents([numbered('e0', 5)], state).missing_is_exact).toBe(false);
  });

  it('shares gaps and ids evenly among many emitters', () => {
    const state = foldEvents(
      Array.from({ length: 400 }, (_, index) =>
        Array.from({ length: 80 }, (_, n) => numbered(`e${index}`, 2 * n + 1)),
      ).flat(),
    );
    const emitters = Object.values(state.emitters);
    expect(emitters.reduce((sum, { gaps }) => sum + gaps.length, 0)).toBeLessThanOrEqual(RUN_GAPS_MAX);
    const ids = emitters.reduce((sum, emitter) => sum + emitter.ids.length / 8, 0);
    expect(ids).toBeLessThanOrEqual(RUN_EMITTER_IDS_MAX);
    expect(state.missing).toBe(400 * 79);
  });

  it('tells a conflict from a repeat also among numbers that came after a later one', () => {
    const state = fold([3, 1]);
    const again = (event_id: string) => epochCompleted({ event_id, emitter_id: 'e1', emitter_seq: 1 });
    expect(foldEvents([again('e1-1')], state)).toMatchObject({ duplicates: 1, conflicts: 0 });
    expect(foldEvents([again('another')], state)).toMatchObject({ duplicates: 0, conflicts: 1, missing: 1 });
  });

  it('folds a number that comes again with another id, and counts the conflict', () => {
    const other = (n: number, id: string) =>
      epochCompleted({ event_id: id, emitter_id: 'e1', emitter_seq: n });
    const state = fold([1, 2, 3, 4]);
    const conflicting = foldEvents([other(2, 'another'), other(2, 'another'), numbered('e1', 2)], state);
    expect(conflicting).toMatchObject({ conflicts: 1, duplicates: 2, missing: 0 });
    expect(conflicting.event_log.map((entry) => entry.metadata.event_id)).toContain('another');
  });

  it.each([
    ['knows the ids of the newest 64 numbers', 37, 1],
    ['lets the number decide below them', 36, 0],
  ])('%s', (_name, n, conflicts) => {
    const state = fold(Array.from({ length: 100 }, (_, index) => index + 1));
    const again = epochCompleted({ event_id: 'another', emitter_id: 'e1', emitter_seq: n });
    expect(foldEvents([again], state)).toMatchObject({ conflicts, duplicates: 1 - conflicts });
  });

  it('keeps the id of a number that healed a gap', () => {
    const state = fold([1, 2, 9, 5]);
    const again = (id: string) => epochCompleted({ event_id: id, emitter_id: 'e1', emitter_seq: 5 });
    expect(foldEvents([again('e1-5')], state)).toMatchObject({ duplicates: 1, conflicts: 0 });
    expect(foldEvents([again('another')], state)).toMatchObject({ duplicates: 0, conflicts: 1 });
  });

  it('is not fooled by emitters named like properties of an object', () => {
    const state = foldEvents([
      numbered('constructor', 1),
      numbered('constructor', 1),
      numbered('toString', 2),
    ]);
    expect(state).toMatchObject({ duplicates: 1, missing: 1 });
  });

  it('recognises unnumbered events by their ids, as far back as the largest body', () => {
    const body = Array.from({ length: 1_000 }, (_, index) => epochCompleted({ event_id: `u-${index}` }));
    const state = foldEvents([...body, ...body]);
    expect(state).toMatchObject({ total_events_received: 2_000, duplicates: 1_000 });
  });
});

describe('the window of event ids', () => {
  // Stored in snapshots: these may never change.
  it.each([
    ['', 'qNHxH6m6'],
    ['1027c4d1-c386-4bc4-8d61-3e30d8f16adf', '99IB5la0'],
    ['event-1', 'aiIPMgME'],
  ])('hashes %s the same for ever', (id, hash) => {
    expect(hashEventId(id)).toBe(hash);
  });

  it('finds whole hashes only', () => {
    const window = windowWith(windowWith('', 'aaaabbbb'), 'ccccdddd');
    expect(windowHas(window, 'ccccdddd')).toBe(true);
    expect(windowHas(window, 'bbbbcccc')).toBe(false);
  });

  it('spreads ids that differ in little', () => {
    const hashes = new Set<string>();
    for (let index = 0; index < 200_000; index += 1) hashes.add(hashEventId(`emitter-${index}`));
    expect(hashes.size).toBe(200_000);
  });
});
