import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interpolate, longestOrdered } from './knots.ts';

describe('a map through points', () => {
  const from = [0, 10, 10, 30];
  const to = [0, 5, 7, 8];
  it.each([
    [-1, 0],
    [0, 0],
    [5, 2.5],
    [10, 7],
    [20, 7.5],
    [30, 8],
    [99, 8],
  ])('leads from %d to %d', (value, expected) => {
    expect(interpolate(value, from, to)).toBe(expected);
  });
});

describe('the longest ordered part', () => {
  it.each([
    [[], []],
    [[5], [0]],
    [
      [1, 2, 2, 3],
      [0, 1, 2, 3],
    ],
    [
      [1, 900, 2, 3, 4],
      [0, 2, 3, 4],
    ],
    [
      [10, 11, 3, 12, 13],
      [0, 1, 3, 4],
    ],
  ])('of %j has the indexes %j', (values, expected) => {
    expect(longestOrdered(values)).toEqual(expected);
  });

  it('is ordered, and no shorter than any other', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 9 }), (values) => {
        const found = longestOrdered(values);
        const isOrdered = (indexes: readonly number[]) =>
          indexes.every((index, at) => at === 0 || values[index]! >= values[indexes[at - 1]!]!);
        expect(isOrdered(found)).toBe(true);
        for (let subset = 0; subset < 2 ** values.length; subset += 1) {
          const indexes = values.map((_, index) => index).filter((index) => subset & (1 << index));
          if (indexes.length > found.length) expect(isOrdered(indexes)).toBe(false);
        }
      }),
    );
  });
});
