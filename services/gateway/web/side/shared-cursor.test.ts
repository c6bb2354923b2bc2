import { describe, expect, it } from 'vitest';
import { createSharedCursor } from './shared-cursor.ts';

describe('the shared cursor', () => {
  it('is where the last source put it, until that source leaves', () => {
    const cursor = createSharedCursor();
    expect(cursor.seq.value).toBeNull();
    cursor.point(12.5, 'strip');
    cursor.point(14, 'lanes');
    cursor.leave('strip');
    expect([cursor.seq.value, cursor.source.value]).toEqual([14, 'lanes']);
    cursor.leave('lanes');
    expect([cursor.seq.value, cursor.source.value]).toEqual([null, null]);
  });
});
