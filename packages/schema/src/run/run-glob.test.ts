import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob } from './run-glob.ts';

describe('a glob', () => {
  it.each([
    ['*', 'c1/r1/default', true],
    ['c1/*', 'c1/r1/default', true],
    ['c1/*', 'c10/r1/default', false],
    ['*/default', 'c1/r1/default', true],
    ['c1/*/b', 'c1/r1/default', false],
    ['c*r*t', 'c1/r1/default', true],
    ['c1/r1/default', 'c1/r1/default', true],
    ['ab*ba', 'aba', false],
    ['a.c', 'abc', false],
  ])('%s on %s: %s', (glob, text, expected) => {
    expect(compileGlob(glob)(text)).toBe(expected);
  });

  it('agrees with the regular expression it stands for', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 10 });
    fc.assert(
      fc.property(part, text, (glob, candidate) => {
        const pattern = new RegExp(`^${glob.replaceAll('/', '\\/').replaceAll('*', '.*')}$`);
        expect(compileGlob(glob)(candidate)).toBe(pattern.test(candidate));
      }),
      { numRuns: 2_000 },
    );
  });
});
