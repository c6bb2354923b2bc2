import type { ReaderOptions, TopicIo } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../made-up/manual-clock.ts';
import { whileLogAnswers } from './while-log-answers.ts';

/** A log that never answers, with what a caller may learn of it. */
function silentLog() {
  const clock = new ManualClock(0);
  const aborted: boolean[] = [];
  const never = () => new Promise<never>(() => undefined);
  const io = {
    bounds: never,
    throttledMs: () => 0,
    reader: ({ signal }: ReaderOptions) => {
      signal?.addEventListener('abort', () => aborted.push(true));
      return {
        ...{ add: () => undefined, remove: () => undefined },
        [Symbol.asyncIterator]: () => ({ next: never }),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
  } as unknown as TopicIo;
  /** The time passes in steps, as it does for a process that runs. */
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 50) clock.advance(50);
  };
  return { clock, io, aborted, pass };
}

describe('a read of the log for a client', () => {
  it.each(['bounds', 'reader'] as const)('ends within 2 s when the %s gets no answer', async (which) => {
    const { clock, io, aborted, pass } = silentLog();
    const log = { io, clock, signal: new AbortController().signal };
    let ended = false;
    const read = whileLogAnswers(log, async (watched, signal) => {
      if (which === 'bounds') return watched.bounds('events');
      const reader = watched.reader({ topic: 'events', signal });
      reader.add({ partition: 0, offset: 0 });
      return await reader[Symbol.asyncIterator]().next();
    }).finally(() => {
      ended = true;
    });
    pass(1_000);
    await Promise.resolve();
    expect(ended).toBe(false);
    pass(900);
    await expect(read).rejects.toMatchObject({ code: 'unavailable' });
    expect(aborted).toEqual(which === 'reader' ? [true] : []);
    expect(clock.pending).toBe(0);
  });

  it('ends when the client goes', async () => {
    const { clock, io } = silentLog();
    const gone = new AbortController();
    const read = whileLogAnswers({ io, clock, signal: gone.signal }, (watched) => watched.bounds('events'));
    gone.abort();
    await expect(read).rejects.toMatchObject({ code: 'unavailable' });
    expect(clock.pending).toBe(0);
  });

  it('may take long while the log answers', async () => {
    const { clock, io, pass } = silentLog();
    const log = { io: { ...io, bounds: async () => [] }, clock, signal: new AbortController().signal };
    const read = whileLogAnswers(log, async (watched) => {
      for (let asked = 0; asked < 10; asked += 1) {
        await watched.bounds('events');
        pass(1_000);
      }
      return 'done';
    });
    expect(await read).toBe('done');
  });
});
