import { describe, expect, it } from 'vitest';
import { sparkPath } from './spark-path.ts';

const box = { width: 60, height: 20, line: 2 };

describe('the path of a sparkline', () => {
  it.each([
    ['nothing without values', [], ''],
    ['a short line for one value', [5], 'M0 10h7.5'],
    ['a line in the middle if all are alike', [3, 3], 'M0 10L60 10'],
    ['from the least at the bottom to the greatest at the top', [1, 2, 3], 'M0 19L30 10L60 1'],
    ['within the box for any values', [-1.7e308, 1.7e308], 'M0 19L60 1'],
  ])('is %s', (_name, values, expected) => {
    expect(sparkPath(values, box)).toBe(expected);
  });
});
