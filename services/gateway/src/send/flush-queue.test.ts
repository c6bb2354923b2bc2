import { expect, it } from 'vitest';
import { FlushQueue } from './flush-queue.ts';

it('flushes everything of one tick in order by one callback, and what is added meanwhile in the next', () => {
  const due: (() => void)[] = [];
  const flushed: string[] = [];
  const queue = new FlushQueue((run) => due.push(run));
  const flushable = (name: string) => ({ flush: () => flushed.push(name) });
  queue.add(flushable('a'));
  queue.add({
    flush() {
      flushed.push('b');
      queue.add(flushable('d'));
    },
  });
  queue.add(flushable('c'));
  expect(due).toHaveLength(1);
  due.shift()!();
  expect(flushed).toEqual(['a', 'b', 'c']);
  expect(due).toHaveLength(1);
  due.shift()!();
  expect(flushed).toEqual(['a', 'b', 'c', 'd']);
  expect(due).toHaveLength(0);
});
