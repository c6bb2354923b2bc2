import { expect, it } from 'vitest';
import { figureOf } from '../../../../test/support/figure-factory.ts';
import { sparkline } from './sparkline.ts';

it.each([
  ['a rise', [0, 1, 2, 3, 4, 5, 6, 7], '▁▂▃▄▅▆▇█'],
  ['what does not change', [5, 5, 5], '▅▅▅'],
  ['a part without a value', [0, null, 7], '▁ █'],
  ['a single point', [3], '▅'],
  ['no value at all', [null, null], '  '],
  ['no point', [], ''],
])('draws %s', (_, values, line) => {
  expect(sparkline(figureOf(values), 40)).toBe(line);
});

it('shows the last value of each part of a longer course', () => {
  expect(sparkline(figureOf([9, 0, 9, null, 0, 9]), 3)).toBe('▁██');
});
