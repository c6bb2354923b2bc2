import type { IndexListener, IndexUpdate, IndexView } from '@runlog/client/index-channel';
import { describe, expect, it } from 'vitest';
import { followViews } from './view-follower.ts';

const update = (total: number): IndexUpdate => ({ kind: 'rows', rows: [], total, counts: {}, groups: [] });

function world() {
  const open: { view: IndexView | undefined; listener: IndexListener }[] = [];
  const asked: (string | null | undefined)[] = [];
  const seen: [string | null | undefined, number][] = [];
  const refused: string[] = [];
  const follower = followViews<IndexView>({
    client: {
      subscribeIndex(_glob, listener, view) {
        const one = { view, listener };
        open.push(one);
        asked.push(view?.q);
        return () => open.splice(open.indexOf(one), 1);
      },
    },
    glob: '*',
    onUpdate: ({ total }, { q }) => seen.push([q, total]),
    onRefused: ({ code }) => refused.push(code),
  });
  return {
    follower,
    open,
    asked,
    seen,
    refused,
    answer: (total: number) => open[0]!.listener(update(total)),
  };
}

describe('a follower of views', () => {
  it('asks for the newest wish alone while an answer is awaited', () => {
    const { follower, open, asked, seen, answer } = world();
    for (const q of ['a', 'ab', 'abc']) follower.ask({ q });
    expect(asked).toEqual(['a']);
    answer(9);
    expect([asked, open.length]).toEqual([['a', 'abc'], 1]);
    answer(1);
    expect(seen).toEqual([
      ['a', 9],
      ['abc', 1],
    ]);
  });

  it('does not ask again for what it follows', () => {
    const { follower, asked, answer } = world();
    follower.ask({ q: 'a' });
    answer(1);
    follower.ask({ q: 'a' });
    expect(asked).toEqual(['a']);
  });

  it('forgets a wish when the view that it follows is wished for again', () => {
    const { follower, asked, answer } = world();
    for (const q of ['a', 'b', 'a']) follower.ask({ q });
    answer(1);
    answer(1);
    expect(asked.at(-1)).toBe('a');
  });

  it('ends what it follows when nothing is wanted, and tells of a refusal', () => {
    const { follower, open, refused } = world();
    follower.ask({ q: 'a' });
    open[0]!.listener({ kind: 'refused', code: 'unauthorized', message: '' } as never);
    follower.ask(null);
    expect([refused, open]).toEqual([['unauthorized'], []]);
  });
});
