import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareAddress, fleetAddress, runAddress } from './address.ts';
import { goalOf, goalText } from './go-to.ts';

const LAST_MS = Date.UTC(2026, 10, 27, 7, 12, 38);

describe('the box that goes to something', () => {
  it.each([
    ['c1/run/A', { kind: 'address', address: runAddress('c1/run/A') }],
    ['c1/run', { kind: 'address', address: runAddress('c1/run/default') }],
    ['#c1/run/A?at=7', { kind: 'address', address: runAddress('c1/run/A', { at: 7 }) }],
    ['http://host/x/#c1/run/A?at=7', { kind: 'address', address: runAddress('c1/run/A', { at: 7 }) }],
    ['#compare?runs=c1/a/b', { kind: 'address', address: compareAddress(['c1/a/b']) }],
    [' resnet ', { kind: 'address', address: fleetAddress({ q: 'resnet' }) }],
    ['why #3 failed', { kind: 'address', address: fleetAddress({ q: 'why #3 failed' }) }],
    ['', null],
    ['   ', null],
  ])('takes %j anywhere', (typed, goal) => {
    expect(goalOf(typed, { lastMs: null })).toEqual(goal);
    expect(goalOf(typed, { lastMs: LAST_MS })).toEqual(goal);
  });

  it.each([
    ['9471', { kind: 'event', seq: 9_471 }],
    ['#9471', { kind: 'event', seq: 9_471 }],
    ['07:12', { kind: 'time', ms: Date.UTC(2026, 10, 27, 7, 12) }],
    ['7:12:38', { kind: 'time', ms: LAST_MS }],
    ['07:12:39', { kind: 'time', ms: LAST_MS + 1_000 - 86_400_000 }],
    ['23:59 utc', { kind: 'time', ms: Date.UTC(2026, 10, 26, 23, 59) }],
    ['2026-11-25 08:00', { kind: 'time', ms: Date.UTC(2026, 10, 25, 8) }],
    ['2026-11-25T08:00:01.5Z', { kind: 'time', ms: Date.UTC(2026, 10, 25, 8, 0, 1) }],
  ])('takes %j in a run', (typed, goal) => {
    expect(goalOf(typed, { lastMs: LAST_MS })).toEqual(goal);
  });

  it.each(['9471', '07:12'])('looks for %j among the runs where there is no run', (typed) => {
    expect(goalOf(typed, { lastMs: null })).toEqual({ kind: 'address', address: fleetAddress({ q: typed }) });
  });

  it('takes any text, and says what it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), fc.boolean(), (typed, isInRun) => {
        expect(goalText(goalOf(typed, { lastMs: isInRun ? LAST_MS : null }))).not.toBe('');
      }),
      { numRuns: 500 },
    );
  });
});
