import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partOf, rangeOf, valueAt } from './scale.ts';

const value = fc.double({ noNaN: true, noDefaultInfinity: true });

describe('the range of values', () => {
  it('is null if there is no value', () => {
    expect(rangeOf([])).toBeNull();
    expect(rangeOf([null, null])).toBeNull();
  });

  it('leaves out points without a value', () => {
    expect(rangeOf([null, 3, null, -2])).toEqual({ low: -2, high: 3 });
  });
});

describe('the part of a range', () => {
  it('is from 0 to 1 for every value of any range, in the order of the values', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), (values) => {
        const range = rangeOf(values)!;
        const parts = [...values].sort((a, b) => a - b).map((each) => partOf(each, range));
        for (const [at, part] of parts.entries()) {
          expect(part).toBeGreaterThanOrEqual(parts[at - 1] ?? 0);
          expect(part).toBeLessThanOrEqual(1);
        }
        if (range.low < range.high) expect([parts[0], parts.at(-1)]).toEqual([0, 1]);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [-Number.MAX_VALUE, 0, Number.MAX_VALUE],
    [0, 0.5, 1],
    [1e300, 1.5e300, 2e300],
  ])('is a half in the middle of %d, %d, %d', (low, middle, high) => {
    expect(partOf(middle, { low, high })).toBe(0.5);
    expect(valueAt(0.5, { low, high })).toBe(middle);
  });

  it('tells the least double from 0', () => {
    expect(partOf(Number.MIN_VALUE, { low: 0, high: Number.MIN_VALUE })).toBe(1);
  });

  it('is the middle of a range without width', () => {
    expect(partOf(7, { low: 7, high: 7 })).toBe(0.5);
  });
});
