import { expect, it } from 'vitest';
import { missingRanges } from './missing-ranges.ts';

const emitters = (...gaps: readonly (readonly [number, number][])[]) =>
  Object.fromEntries(gaps.map((each, at) => [`e${at}`, { last: 999, seen: 9, gaps: [...each] }]));

it.each([
  ['', emitters()],
  ['', emitters([])],
  ['812–848', emitters([[812, 848]])],
  ['7', emitters([[7, 7]])],
  ['812–848, 7', emitters([[812, 848]], [[7, 7]])],
  [
    '1–2, 4 and 2 more',
    emitters(
      [
        [1, 2],
        [4, 4],
        [6, 7],
      ],
      [[1, 1]],
    ),
  ],
])('says %j', (text, of) => {
  expect(missingRanges(of)).toBe(text);
});
