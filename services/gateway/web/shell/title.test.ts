import { expect, it } from 'vitest';
import { titleOf } from './title.ts';

it.each([
  [[], 'runlog'],
  [['', 'run-7'], 'run-7 · runlog'],
  [['✗ failed', 'run-7'], '✗ failed · run-7 · runlog'],
  [['a\nb'], 'a␊b · runlog'],
])('the title of %j is %s', (parts, title) => {
  expect(titleOf(parts)).toBe(title);
});
