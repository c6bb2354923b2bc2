import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutLetters, cutText } from './cut-text.ts';

describe('text cut to a number of letters', () => {
  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['😀😀😀', 3, '😀😀😀'],
    ['😀😀😀😀', 3, '😀😀…'],
    ['abcdefgh😀xyz', 10, 'abcdefgh😀…'],
    ['abcdefghi😀xyz', 10, 'abcdefghi…'],
    ['', 3, ''],
  ])('of %j to %d is %j', (text, lettersMax, expected) => {
    expect(cutLetters(text, lettersMax)).toBe(expected);
  });

  it('is the text itself or its beginning, with half a pair only where the text has one', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('a', '😀', '\ud83d', '\ude00') }),
    );
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 12 }), (whole, lettersMax) => {
        const letters = Array.from(whole);
        const expected =
          letters.length <= lettersMax ? whole : `${letters.slice(0, lettersMax - 1).join('')}…`;
        expect(cutLetters(whole, lettersMax)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});

it('text cut to its bytes never ends in half a pair', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '😀', '✓', '"'), maxLength: 60 });
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 40 }), (whole, charsMax) => {
      const cut = cutText(whole, { charsMax, jsonBytesMax: 100 });
      expect(cut).not.toMatch(/\p{Cs}/u);
      expect(cut.length).toBeLessThanOrEqual(charsMax);
      expect(Buffer.byteLength(JSON.stringify(cut)) - 2).toBeLessThanOrEqual(100);
    }),
    { numRuns: 2_000 },
  );
});
