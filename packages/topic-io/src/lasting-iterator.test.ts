import { describe, expect, it } from 'vitest';
import { lastingIterator } from './lasting-iterator.ts';

describe('an iterator that outlives its loops', () => {
  it('continues in the next loop where the last one was left', async () => {
    let made = 0;
    const iterator = lastingIterator(async () => {
      made += 1;
      return { done: false, value: made };
    });
    const stream = { [Symbol.asyncIterator]: () => iterator };
    const read: number[] = [];
    for (let loop = 0; loop < 3; loop += 1) {
      for await (const value of stream) {
        read.push(value);
        if (read.length % 2 === 0) break;
      }
    }
    expect(read).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('asks for one item at a time, in the order of the calls, and continues after a failure', async () => {
    const asked: (() => void)[] = [];
    let made = 0;
    const iterator = lastingIterator(async () => {
      made += 1;
      const mine = made;
      await new Promise<void>((resolve) => asked.push(resolve));
      if (mine === 1) throw new Error('broken');
      return { done: false, value: mine };
    });
    const first = iterator.next();
    const second = iterator.next();
    await expect.poll(() => asked.length).toBe(1);
    asked[0]!();
    await expect(first).rejects.toThrow('broken');
    await expect.poll(() => asked.length).toBe(2);
    asked[1]!();
    expect(await second).toEqual({ done: false, value: 2 });
  });
});
