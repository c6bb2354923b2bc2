import { describe, expect, it } from 'vitest';
import { extendedTo, markedRange } from './marked-rows.ts';

const rows = ['d1', 'e1', 'r2', 'gap2', 'e5'].map((id) => ({ id }));

describe('marked rows', () => {
  it('go from where the marking began to where it was taken to, in either direction', () => {
    const first = extendedTo(null, { from: 'r2', to: 'e5' });
    expect(markedRange(rows, first)).toEqual({ from: 2, to: 4 });
    const back = extendedTo(first, { from: 'e5', to: 'e1' });
    expect(markedRange(rows, back)).toEqual({ from: 1, to: 2 });
  });

  it('are none when nothing is marked, or when an end of them is not loaded any more', () => {
    expect(markedRange(rows, null)).toBeNull();
    expect(markedRange(rows, { anchor: 'e1', head: 'e99' })).toBeNull();
  });
});
