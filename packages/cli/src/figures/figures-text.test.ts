import { describe, expect, it } from 'vitest';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { bucketsText, figuresText, figureText, refusedText } from './figures-text.ts';

const accuracy = figureOf([40.25, 61.5, 60]);
const loss = figureOf([2.5, null, 0.123456789], { name: 'val_loss' });

describe('the list of figures', () => {
  it('has a line a figure', () => {
    expect(figuresText([accuracy], { width: null })).toBe(
      [
        'FIGURE        FIRST → LAST    MIN   MAX  POINTS',
        'val_accuracy    40.25 → 60  40.25  61.5       3',
      ].join('\n'),
    );
  });

  it('draws the course of each on a terminal, and counts points without a value', () => {
    expect(figuresText([accuracy, loss], { width: 80 }).split('\n').slice(1)).toEqual([
      'val_accuracy  ▁██      40.25 → 60     40.25  61.5       3         0',
      'val_loss      █ ▁  2.5 → 0.123457  0.123457   2.5       3         1',
    ]);
  });

  it('says nothing of the values of a figure that has none', () => {
    expect(figuresText([figureOf([null])], { width: null })).toContain('- → -');
  });

  it('lets no control character of a name through', () => {
    expect(figuresText([figureOf([1], { name: 'a\u001b[2J\u202eb' })], { width: null })).toContain('a�[2J�b');
  });
});

describe('one figure', () => {
  const use = { width: 60, paint: (_: unknown, text: string) => text };

  it('has its numbers above its chart', () => {
    const merged = { ...loss, stride: 8, points: 1_234 };
    const lines = figureText(runFiguresOf([merged]), { figure: merged, ...use }).split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'val_loss of c1/r1/default: 1,234 points, 1 without a value (NaN or infinite), 8 to a bucket',
      '2.5 → 0.123457, min 0.123457, max 2.5',
      '',
    ]);
    expect(lines).toHaveLength(3 + 12 + 3);
  });

  it('says that there is nothing to draw', () => {
    const figure = figureOf([null]);
    expect(figureText(runFiguresOf([figure]), { figure, ...use })).toBe(
      'val_accuracy of c1/r1/default: 1 point, 1 without a value (NaN or infinite)\nNothing to draw: every point was NaN or infinite.',
    );
  });

  it('is a table of its buckets where nobody looks', () => {
    expect(bucketsText(figureOf([40.25, null], { attempt: [1, 2] }))).toBe(
      [
        ' X  TIME (UTC)           FIRST   LAST    MIN    MAX  POINTS  ATTEMPT',
        ' 0  2026-01-03 23:59:47  40.25  40.25  40.25  40.25       1        1',
        '10  2026-01-04 00:00:47      -      -      -      -       1        2',
      ].join('\n'),
    );
  });
});

describe('what is said of refused figures', () => {
  it.each([
    [0, [], null],
    [1, ['a'], '1 more figure is not kept, because a run keeps its first 48: a'],
    [2, ['a', 'b\u0007'], '2 more figures are not kept, because a run keeps its first 48: a, b�'],
  ])('is right for %d', (figures_refused, refused, text) => {
    expect(refusedText(runFiguresOf([], { figures_refused, refused }))).toBe(text);
  });

  it('is a lower bound where no more names are told apart', () => {
    const refused = Array.from({ length: 64 }, (_, at) => `m${at}`);
    expect(refusedText(runFiguresOf([], { figures_refused: 64, refused }))).toBe(
      'at least 64 more figures are not kept, because a run keeps its first 48: m0, m1, m2, m3, m4, m5, m6, m7 and 56 more',
    );
  });
});
