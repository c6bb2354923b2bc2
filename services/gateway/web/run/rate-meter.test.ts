import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateMeter } from './rate-meter.ts';

const T0 = 1_764_200_000_000;

/** Feeds a meter that is told of the total every `everyMs` while so many events a second come. */
function steady(meter: RateMeter, at: { fromMs: number; toMs: number; perSecond: number; everyMs: number }) {
  for (let ms = at.fromMs; ms <= at.toMs; ms += at.everyMs) {
    meter.record({ total: Math.round(((ms - T0) * at.perSecond) / 1_000), receivedMs: ms, isLive: true });
  }
}

describe('the rate of a run', () => {
  it('is 0 before anything came', () => {
    expect(new RateMeter().at(T0)).toBe(0);
  });

  it.each([
    [10, 100],
    [1_000, 16],
    [40, 400],
  ])('of %d events a second that come every %d ms is that', (perSecond, everyMs) => {
    const meter = new RateMeter();
    steady(meter, { fromMs: T0, toMs: T0 + 20_000, perSecond, everyMs });
    expect(meter.at(T0 + 20_000)).toBeCloseTo(perSecond, -Math.log10(perSecond / 20));
  });

  it('after an outage is what it was, not what arrived at once', () => {
    const meter = new RateMeter();
    steady(meter, { fromMs: T0, toMs: T0 + 10_000, perSecond: 100, everyMs: 100 });
    meter.record({ total: 4_000, receivedMs: T0 + 40_000, isLive: false });
    expect(meter.at(T0 + 40_000)).toBeCloseTo(100, 0);
    steady(meter, { fromMs: T0 + 40_100, toMs: T0 + 42_000, perSecond: 100, everyMs: 100 });
    expect(meter.at(T0 + 42_000)).toBeCloseTo(100, 0);
  });

  it('of a burst after a long silence counts the burst', () => {
    const meter = new RateMeter();
    meter.record({ total: 10, receivedMs: T0, isLive: true });
    meter.record({ total: 60, receivedMs: T0 + 60_000, isLive: true });
    expect(meter.at(T0 + 60_000)).toBe(10);
  });

  it('falls to 0 in silence', () => {
    const meter = new RateMeter();
    steady(meter, { fromMs: T0, toMs: T0 + 10_000, perSecond: 100, everyMs: 100 });
    expect(meter.at(T0 + 12_500)).toBeCloseTo(50, 0);
    expect(meter.at(T0 + 15_000)).toBe(0);
    expect(meter.at(T0 + 3_600_000)).toBe(0);
  });

  it('starts over when the total falls, as that of another run under the same name', () => {
    const meter = new RateMeter();
    steady(meter, { fromMs: T0, toMs: T0 + 10_000, perSecond: 100, everyMs: 100 });
    meter.record({ total: 3, receivedMs: T0 + 10_100, isLive: true });
    expect(meter.at(T0 + 10_100)).toBe(0);
  });

  it('is never negative, never infinite, and holds a bounded number of samples', () => {
    const step = fc.record({
      grown: fc.nat({ max: 5_000 }),
      laterMs: fc.integer({ min: -500, max: 90_000 }),
      isLive: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const meter = new RateMeter();
        let total = 0;
        let ms = T0;
        for (const { grown, laterMs, isLive } of steps) {
          total += grown;
          ms += laterMs;
          meter.record({ total, receivedMs: ms, isLive });
          const rate = meter.at(ms);
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(total);
        }
      }),
      { numRuns: 500 },
    );
  });
});
