import { EventEmitter, once } from 'node:events';
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

  it('gets bytes back that are still in use only when they are not', async () => {
    const budget = new ByteBudget({ bytesMax: 10 });
    const share = budget.share();
    share.grow(6);
    const gate = new EventEmitter();
    share.keepUntil(once(gate, 'open'));
    share.keepUntil(Promise.reject(new Error('failed, and so not in use any more')));
    share[Symbol.dispose]();
    expect(budget.bytesHeld).toBe(6);
    gate.emit('open');
    await expect.poll(() => budget.bytesHeld).toBe(0);
  });
});
