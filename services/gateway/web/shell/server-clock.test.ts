import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ClockSample,
  createServerClock,
  joinedOffset,
  offsetOf,
  type ServerClock,
  serverTimeIn,
} from './server-clock.ts';

const SERVER_MS = Date.UTC(2026, 10, 27, 7, 12, 38);

describe('the time in an answer', () => {
  it.each([
    [
      { now: '2026-11-27T07:12:38.123Z', date: 'Fri, 27 Nov 2026 07:12:38 GMT' },
      { serverMs: SERVER_MS + 123, grainMs: 1 },
    ],
    [
      { now: undefined, date: 'Fri, 27 Nov 2026 07:12:38 GMT' },
      { serverMs: SERVER_MS, grainMs: 1_000 },
    ],
    [
      { now: 'soon', date: 'Fri, 27 Nov 2026 07:12:38 GMT' },
      { serverMs: SERVER_MS, grainMs: 1_000 },
    ],
    [{ now: undefined, date: null }, null],
    [{ now: 7, date: 'whenever' }, null],
  ])('%j is %j', (answer, time) => {
    expect(serverTimeIn(answer)).toEqual(time);
  });
});

describe('the offset of the server', () => {
  it('has the true one within its bounds, whatever the way there and back took', () => {
    const trip = fc.record({
      sentMs: fc.integer({ min: 0, max: 1_000_000 }),
      there: fc.nat({ max: 5_000 }),
      back: fc.nat({ max: 5_000 }),
      isCoarse: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(trip, { minLength: 1, maxLength: 10 }), (trips) => {
        const trueOffsetMs = 987_654_321;
        const offset = trips
          .map(({ sentMs, there, back, isCoarse }): ClockSample => {
            const exactMs = sentMs + there + trueOffsetMs;
            const grainMs = isCoarse ? 1_000 : 1;
            const serverMs = Math.floor(exactMs / grainMs) * grainMs;
            return { sentMs, answeredMs: sentMs + there + back, serverMs, grainMs };
          })
          .map(offsetOf)
          .reduce(joinedOffset);
        expect(offset.leastMs).toBeLessThanOrEqual(trueOffsetMs);
        expect(offset.mostMs).toBeGreaterThanOrEqual(trueOffsetMs);
      }),
    );
  });

  it('is measured anew when a clock has jumped', () => {
    const before = offsetOf({ sentMs: 0, answeredMs: 10, serverMs: 1_005, grainMs: 1 });
    const after = offsetOf({ sentMs: 100, answeredMs: 400, serverMs: 61_250, grainMs: 1 });
    expect(joinedOffset(before, after)).toEqual(after);
  });
});

describe('the server clock', () => {
  let monotonicMs = 0;
  let measured = 0;
  let clock: ServerClock;
  beforeEach(() => {
    vi.useFakeTimers();
    monotonicMs = 5_000;
    measured = 0;
    clock = createServerClock({
      monotonicMs: () => monotonicMs,
      measure: () => {
        measured += 1;
      },
    });
  });
  afterEach(() => {
    clock[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  const pass = (ms: number) => {
    monotonicMs += ms;
    vi.advanceTimersByTime(ms);
  };
  const learn = () => clock.learn({ sentMs: 4_900, answeredMs: 5_000, serverMs: SERVER_MS, grainMs: 0 });

  it('knows no time before the server has said it', () => {
    expect(clock.at()).toBeNull();
    expect(clock.now.value).toBeNull();
  });

  it('goes on from what the server said, by the monotonic clock, and ticks each second', () => {
    learn();
    expect(clock.at()).toBe(SERVER_MS + 50);
    pass(2_500);
    expect(clock.at()).toBe(SERVER_MS + 2_550);
    expect(clock.now.value).toBe(SERVER_MS + 2_550);
  });

  it('does not care what the clock of the viewer says', () => {
    learn();
    vi.setSystemTime(0);
    pass(1_000);
    expect(clock.at()).toBe(SERVER_MS + 1_050);
  });

  it('has the time measured again each minute', () => {
    pass(180_000);
    expect(measured).toBe(3);
  });
});
