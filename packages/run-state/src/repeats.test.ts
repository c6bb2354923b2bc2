import { describe, expect, it } from 'vitest';
import { holdsNoRepeat, isRepeat } from './repeats.ts';

const repeats = {
  unknown_below: 100,
  ranges: [[110, 120] as [number, number], [200, 200] as [number, number]],
};

describe('the repeats of a run', () => {
  it.each([
    [99, null],
    [100, false],
    [110, true],
    [120, true],
    [121, false],
    [200, true],
  ])('say of the record at %i: %s', (seq, expected) => {
    expect(isRepeat(repeats, seq)).toBe(expected);
  });

  it.each([
    [99, 105, false],
    [100, 110, true],
    [100, 111, false],
    [115, 116, false],
    [120, 130, false],
    [121, 200, true],
    [121, 201, false],
    [201, 9_999, true],
  ])('say of the records from %i to below %i whether none is one: %s', (from, to, expected) => {
    expect(holdsNoRepeat(repeats, { from, to })).toBe(expected);
  });
});
