import { describe, expect, it } from 'vitest';
import type { GapRow } from '../log/gap-rows.ts';
import { GAPS_LISTED_MAX, proofOf } from './proof-model.ts';

type Counted = Parameters<typeof proofOf>[0];

const counted = (overrides: Partial<Counted> = {}): Counted => ({
  ...{ total_events_received: 9_496, duplicates: 25, missing: 37, missing_is_exact: true },
  ...{ conflicts: 0, unsure: 0, emitters_evicted: 0, status: 'running' },
  emitters: { rank0: { last: 9_508, gaps: [[812, 848]], seen: 9_400 } },
  ...overrides,
});
const gapRow = (overrides: Partial<GapRow> = {}): GapRow => ({
  ...{ kind: 'gap', id: 'gap-rank0-812', after: 800, cause: 'numbers', emitterId: 'rank0' },
  ...{ from: 812, to: 848, count: 37, missing: 37, state: 'waiting', sinceMs: 1_000, reason: null },
  ...overrides,
});

describe('the proof', () => {
  it('adds up: emitted = received − duplicates + missing', () => {
    const { emitted, received, duplicates, missing, unnumbered } = proofOf(counted(), []);
    expect([emitted, received, duplicates, missing]).toEqual([9_508, 9_496, 25, 37]);
    expect(received - duplicates + missing).toBe(emitted);
    expect(unnumbered).toBe(0);
  });

  it('says of each emitter which numbers arrived, and which are missing since when', () => {
    const [emitter] = proofOf(counted(), [gapRow()]).emitters;
    expect(emitter).toEqual({
      ...{ id: 'rank0', last: 9_508, arrived: 9_471, missing: 37, isExact: true, seenSeq: 9_400 },
      gaps: [{ from: 812, to: 848, count: 37, state: 'waiting', sinceMs: 1_000, after: 800 }],
      gapsLeftOut: 0,
    });
  });

  it('keeps the age of a gap that has closed in part', () => {
    const emitters = { rank0: { last: 9_508, gaps: [[820, 848] as [number, number]], seen: 9_400 } };
    const [emitter] = proofOf(counted({ emitters, missing: 29 }), [gapRow({ missing: 29 })]).emitters;
    expect(emitter!.gaps).toEqual([
      { from: 820, to: 848, count: 29, state: 'waiting', sinceMs: 1_000, after: 800 },
    ]);
  });

  it.each([
    ['running', 'waiting'],
    ['finished', 'not_coming'],
    ['failed', 'not_coming'],
  ] as const)('of a run that is %s has open gaps that are %s', (status, state) => {
    const [emitter] = proofOf(counted({ status }), []).emitters;
    expect(emitter!.gaps).toEqual([{ from: 812, to: 848, count: 37, state, sinceMs: null, after: null }]);
  });

  it('lists gaps that have closed, from the log, newest first', () => {
    const closed = [
      gapRow({ id: 'a', from: 10, to: 20, missing: 0, state: 'recovered' }),
      gapRow({ id: 'b', from: 900, to: 901, missing: 2, state: 'not_coming' }),
      gapRow({ id: 'c', emitterId: 'other', from: 1, to: 2 }),
      gapRow({ id: 'd', cause: 'stream', emitterId: null, from: 1, to: 2 }),
    ];
    const [emitter] = proofOf(counted(), closed).emitters;
    expect(emitter!.gaps.map(({ from, state, count }) => [from, state, count])).toEqual([
      [900, 'not_coming', 2],
      [812, 'waiting', 37],
      [10, 'recovered', 0],
    ]);
  });

  it('lists a bounded number of gaps', () => {
    const gaps = Array.from({ length: 60 }, (_, at): [number, number] => [at * 10 + 1, at * 10 + 2]);
    const [emitter] = proofOf(counted({ emitters: { a: { last: 700, gaps, seen: 1 } } }), []).emitters;
    expect(emitter!.gaps).toHaveLength(GAPS_LISTED_MAX);
    expect(emitter!.gapsLeftOut).toBe(10);
    expect(emitter!.gaps[0]!.from).toBe(591);
  });

  it.each([
    ['numbers that are no longer known', { forgotten: { through: 90, missing: null } }, 0],
    ['emitters that were forgotten', {}, 3],
  ])('does not tell how many events have no number where there are %s', (_name, forgotten, evicted) => {
    const emitters = { a: { last: 100, gaps: [], seen: 1, ...forgotten } };
    const proof = proofOf(counted({ emitters, emitters_evicted: evicted, missing_is_exact: false }), []);
    expect(proof.unnumbered).toBeNull();
    expect(proof.isExact).toBe(false);
  });

  it('counts the events that no emitter numbered', () => {
    const emitters = { a: { last: 100, gaps: [], seen: 1 } };
    const proof = proofOf(counted({ emitters, total_events_received: 130, duplicates: 5, missing: 0 }), []);
    expect(proof.unnumbered).toBe(25);
  });
});
