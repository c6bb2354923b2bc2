import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.ts';

describe('a byte budget', () => {
  it('refuses what does not fit, takes nothing of it, and gets everything back', () => {
    const budget = new ByteBudget({ bytesMax: 10 });
    const one = budget.share();
    const other = budget.share();
    expect(one.grow(6)).toBe(true);
    expect(other.grow(5)).toBe(false);
    expect(other.grow(4)).toBe(true);
    expect(budget.bytesHeld).toBe(10);
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    expect(budget.bytesHeld).toBe(4);
    other[Symbol.dispose]();
    expect(budget.bytesHeld).toBe(0);
  });
});
