/**
 * The iterator of a stream that outlives its loops: leaving a loop ends nothing, and the next loop goes on from there.
 * `next` runs once at a time, in the order of the calls.
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
