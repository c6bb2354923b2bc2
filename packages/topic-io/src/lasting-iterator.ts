/**
 * Makes the iterator of a stream that outlives its loops: leaving a loop does not end it, and the next loop continues
 * from there. Calls of `next` run one at a time, in the order in which they were made.
 */
export function lastingIterator<Item>(next: () => Promise<IteratorResult<Item>>): AsyncIterator<Item> {
  let turn: Promise<unknown> = Promise.resolve();
  return {
    next: () => {
      const answer = turn.then(() => next());
      turn = answer.catch(() => undefined);
      return answer;
    },
    return: async () => ({ done: true, value: undefined }),
  };
}
