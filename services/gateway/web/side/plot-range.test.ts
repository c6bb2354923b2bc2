import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plotRange, plotUnit } from './plot-range.ts';

it.each([
  [[0, 1], 1],
  [[-84.8, 12], 1],
  [[null, null], 1],
  [null, 1],
  [[1e15, 1e15], 1],
  [[-1e308, 1e308], 1e308],
  [[-3e20, 5], 1e20],
] as const)('the values between %j are drawn in units of %d', (range, unit) => {
  expect(plotUnit(range)).toBe(unit);
});

it.each([
  [0, 10, 0.1, [-1, 11]],
  [5, 5, 0.1, [4.5, 5.5]],
  [0, 0, 0.1, [-1, 1]],
  [null, null, 0.1, [0, 1]],
  [0, 9, 0, [0, 9]],
])('from %j to %j with room %d is %j', (low, high, room, expected) => {
  expect(plotRange(low, high, room)).toEqual(expected);
});

it('any values have a range that can be drawn', () => {
  const value = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(value, value, (one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      const unit = plotUnit([low, high]);
      const [from, to] = plotRange(low / unit, high / unit, 0.06);
      expect(Number.isFinite(to - from)).toBe(true);
      expect(to).toBeGreaterThanOrEqual(from);
    }),
  );
});
