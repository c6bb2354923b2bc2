import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.ts';

describe('a byte budget', () => {
  it('refuses bytes that do not fit, takes none of them, and gets everything back', () => {
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

  it('gets bytes back only when they are no longer in use', async () => {
    const budget = new ByteBudget({ bytesMax: 10 });
    const share = budget.share();
    share.grow(6);
    const gate = new EventEmitter();
    share.keepUntil(once(gate, 'open'));
    share.keepUntil(Promise.reject(new Error('failed, and therefore no longer in use')));
    share[Symbol.dispose]();
    expect(budget.bytesHeld).toBe(6);
    gate.emit('open');
    await expect.poll(() => budget.bytesHeld).toBe(0);
  });

  it('lets an announced body take its reservation, and more if there is room', () => {
    const budget = new ByteBudget({ bytesMax: 10 });
    const share = budget.share();
    expect(share.reserve(4)).toBe(true);
    expect(budget.bytesHeld).toBe(4);
    expect(share.grow(3)).toBe(true);
    expect(budget.bytesHeld).toBe(4);
    expect(share.grow(5)).toBe(true);
    expect(budget.bytesHeld).toBe(8);
    share[Symbol.dispose]();
    expect(budget.bytesHeld).toBe(0);
  });

  it('admits nothing, once full, until a quarter is free', () => {
    const budget = new ByteBudget({ bytesMax: 8 });
    const holders = Array.from({ length: 4 }, () => budget.share());
    for (const holder of holders) expect(holder.reserve(2)).toBe(true);
    const late = budget.share();
    expect(late.reserve(1)).toBe(false);
    holders[0]![Symbol.dispose]();
    expect(budget.bytesHeld).toBe(6);
    expect(late.reserve(1)).toBe(true);
    expect(late.reserve(2)).toBe(false);
    expect(late.reserve(1)).toBe(false);
    holders[1]![Symbol.dispose]();
    expect(late.reserve(1)).toBe(true);
  });
});
