import { describe, expect, it } from 'vitest';
import type { LogRow } from './log-row.ts';
import { RowSlots } from './row-slots.ts';

const rows = (...ids: string[]): LogRow[] => ids.map((id) => ({ id }) as LogRow);

describe('the elements of rows', () => {
  it('stay with their rows, wherever these move', () => {
    const slots = new RowSlots();
    const [a, b, c] = slots.of(rows('a', 'b', 'c'));
    expect(slots.of(rows('x', 'a', 'c'))).toEqual([b, a, c]);
  });

  it('are not more than the rows that were ever drawn together', () => {
    const slots = new RowSlots();
    for (let from = 0; from < 100; from += 1) {
      const drawn = slots.of(rows(...Array.from({ length: 5 }, (_, at) => `e${from * 3 + at}`)));
      expect([...drawn].sort()).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it('that nobody needs for a while are used later', () => {
    const slots = new RowSlots();
    slots.of(rows('a', 'b', 'c', 'd'));
    slots.of(rows('a'));
    expect(new Set(slots.of(rows('a', 'e', 'f', 'g')))).toEqual(new Set([0, 1, 2, 3]));
  });
});
