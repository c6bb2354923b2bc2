import { describe, expect, test } from 'vitest';
import { nearestName } from './nearest-name.ts';

const commands = ['up', 'simulate', 'import', 'runs', 'show', 'tail', 'topics'];

describe('a mistyped command', () => {
  test.each([
    ['improt', 'import'],
    ['simulat', 'simulate'],
    ['sim', 'simulate'],
    ['RUNS', 'runs'],
    ['run', 'runs'],
    ['tial', 'tail'],
    ['topic', 'topics'],
    ['u', 'up'],
  ])('%s suggests %s', (typed, meant) => {
    expect(nearestName(typed, commands)).toBe(meant);
  });

  test.each(['deploy', 'x', 'kubernetes', ''])('%s resembles none of them', (typed) => {
    expect(nearestName(typed, commands)).toBeNull();
  });
});
