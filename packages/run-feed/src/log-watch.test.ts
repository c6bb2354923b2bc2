import { ManualClock } from '@runlog/gateway/made-up/manual-clock';
import {
  type FetchAnswered,
  type Fetched,
  type ReaderOptions,
  type TopicIo,
  TopicIoError,
} from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { LogWatch } from './log-watch.ts';

const START_MS = Date.UTC(2026, 0, 3, 23, 59, 50);
const SILENT_MS = 2_000;
const none: readonly string[] = [];

/** A log that answers only when the test says so. */
function setUp() {
  const clock = new ManualClock(START_MS);
  const said: (number | null)[] = [];
  const watch = new LogWatch({
    ...{ clock, silentMsMax: SILENT_MS },
    onChange: (since) => said.push(since === null ? null : since - START_MS),
  });
  let throttledUntilMs = 0;
  const throttle = (ms: number) => {
    throttledUntilMs = clock.now() + ms;
  };
  let answer: (answered: FetchAnswered) => void = () => undefined;
  const waiting: ((result: IteratorResult<Fetched>) => void)[] = [];
  const asked: { resolve: (bounds: []) => void; reject: (error: Error) => void }[] = [];
  const io = watch.watch({
    engine: 'kafka',
    throttledMs: () => throttledUntilMs - clock.now(),
    bounds: () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
    reader: ({ onAnswer }: ReaderOptions) => {
      answer = onAnswer ?? answer;
      const next = () => new Promise<IteratorResult<Fetched>>((resolve) => waiting.push(resolve));
      return {
        ...{ add: () => undefined, remove: () => undefined },
        [Symbol.asyncIterator]: () => ({ next }),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
  } as unknown as TopicIo);
  /** Lets time pass in steps that are short enough for the watch, and has partitions answer in each. */
  const pass = (ms: number, answering: readonly number[] = []) => {
    for (let left = ms; left > 0; left -= 250) {
      clock.advance(Math.min(left, 250));
      for (const partition of answering) answer({ partition, stableEnd: 0, highWatermark: 0 });
    }
  };
  return { clock, watch, said, io, waiting, asked, pass, throttle };
}

/** A reader of two partitions whose caller waits. */
function reading(of: ReturnType<typeof setUp>) {
  const reader = of.io.reader({ topic: 'events' });
  for (const partition of [0, 1]) reader.add({ partition, offset: 0 });
  const iterator = reader[Symbol.asyncIterator]();
  return { reader, iterator, next: iterator.next() };
}

describe('a watch of the log', () => {
  it('does not take it for silence that the log has this process wait, and notices silence afterwards', () => {
    const log = setUp();
    reading(log);
    log.pass(500, [0, 1]);
    log.throttle(60_000);
    log.pass(60_000);
    expect(log.said).toEqual([]);
    log.pass(SILENT_MS + 500);
    expect(log.said).toEqual([500]);
  });

  it('takes empty answers for life', () => {
    const log = setUp();
    reading(log);
    log.pass(60_000, [0, 1]);
    expect(log.said).toEqual(none);
  });

  it('says since when one partition has been silent, once, and when all of them answer again', () => {
    const log = setUp();
    reading(log);
    log.pass(1_000, [0, 1]);
    log.pass(1_750, [0]);
    expect(log.said).toEqual(none);
    log.pass(750, [0]);
    expect(log.said).toEqual([1_000]);
    expect(log.watch.stalledSinceMs).toBe(START_MS + 1_000);
    log.pass(30_000, [0]);
    expect(log.said).toEqual([1_000]);
    log.pass(250, [1]);
    expect(log.said).toEqual([1_000, null]);
    expect(log.watch.stalledSinceMs).toBeNull();
  });

  it('is not deceived by a reader that begins anew while the log is silent', () => {
    const log = setUp();
    const { reader } = reading(log);
    log.pass(3_000);
    void reader[Symbol.asyncDispose]();
    reading(log);
    log.pass(250, [0]);
    expect(log.said).toEqual([0]);
    log.pass(250, [1]);
    expect(log.said).toEqual([0, null]);
  });

  it('forgets a partition that nobody reads any more', () => {
    const log = setUp();
    const { reader } = reading(log);
    reader.remove(1);
    log.pass(10_000, [0]);
    expect(log.said).toEqual(none);
  });

  it('does not count time in which the caller was busy', async () => {
    const log = setUp();
    const { next } = reading(log);
    log.waiting[0]!({
      done: false,
      value: {
        kind: 'records',
        partition: 0,
        records: [],
        bytes: 0,
        nextOffset: 0,
        stableEnd: 0,
        startOffset: 0,
      },
    });
    await next;
    log.pass(10_000);
    expect(log.said).toEqual(none);
  });

  it('does not count time in which this process did not run', () => {
    const log = setUp();
    reading(log);
    log.clock.advance(250);
    // Every timer of the pause runs at its end.
    const after = log.clock.now() + 60_000;
    const { now } = log.clock;
    log.clock.now = () => after;
    log.clock.advance(500);
    log.clock.now = now;
    expect(log.said).toEqual(none);
  });

  it('notices a lost log although the clock was set back meanwhile', () => {
    const log = setUp();
    reading(log);
    log.pass(1_000, [0, 1]);
    const now = log.clock.now.bind(log.clock);
    log.clock.now = () => now() - 3_600_000;
    log.pass(3_000);
    expect(log.said).toEqual([1_000]);
    log.pass(250, [0, 1]);
    expect(log.said).toEqual([1_000, null]);
  });

  it('counts a request that is not answered, and one that ended without an answer', async () => {
    const log = setUp();
    const bounds = log.io.bounds('events').catch(() => undefined);
    log.pass(1_000);
    log.asked[0]!.reject(new TopicIoError('unavailable', 'nobody there'));
    await bounds;
    log.pass(1_000);
    expect(log.said).toEqual([0]);
    const again = log.io.bounds('events');
    log.pass(500);
    log.asked[1]!.resolve([]);
    await again;
    expect(log.said).toEqual([0, null]);
  });

  it('says nothing after it was disposed', () => {
    const log = setUp();
    reading(log);
    log.watch[Symbol.dispose]();
    log.pass(10_000);
    expect({ said: log.said, timers: log.clock.pending }).toEqual({ said: [], timers: 0 });
  });
});
