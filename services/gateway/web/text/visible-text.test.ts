import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visibleText } from './visible-text.ts';

describe('text of others', () => {
  it.each([
    ['', ''],
    ['CUDA out of memory', 'CUDA out of memory'],
    ['first\nsecond\r\n\tthird', 'first␊second␍␊␉third'],
    ['\u0000\u001b[31mred\u007f', '␀␛[31mred␡'],
    ['\u0085\u009b', '<0085><009B>'],
    ['abc\u202egnp.exe', 'abc<202E>gnp.exe'],
    ['\u2066a\u2069\u200f\u061c', '<2066>a<2069><200F><061C>'],
    ['zero\u200bwidth\ufeff', 'zero<200B>width<FEFF>'],
    ['one\u2028two\u2029three', 'one<2028>two<2029>three'],
    ['half \ud83d of a pair', 'half <D83D> of a pair'],
    ['\u{e0041}', '<E0041>'],
    ['שלום مرحبا 你好 😀 é', 'שלום مرحبا 你好 😀 é'],
    ['👩\u200d🔬 and क्\u200dष', '👩\u200d🔬 and क्\u200dष'],
  ])('%j is shown as %j', (text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  it('is one line of characters that can be seen, and is not changed twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const shown = visibleText(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(visibleText(shown)).toBe(shown);
      }),
      { numRuns: 1_000 },
    );
  });
});
