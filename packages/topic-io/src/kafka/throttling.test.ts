import { describe, expect, it } from 'vitest';
import { Throttling } from './throttling.ts';

describe('throttling', () => {
  it('says once a minute that a quota has this process wait, and for how long it still has to', () => {
    let nowMs = 0;
    const lines: object[] = [];
    const ignored = () => undefined;
    const throttling = new Throttling({
      logger: { debug: ignored, info: ignored, error: ignored, warn: (fields) => void lines.push(fields) },
      now: () => nowMs,
    });
    const of = { broker: 'b:9092', request: 'Produce' };
    throttling.answered({ clientSideThrottleTime: 0 }, of);
    throttling.answered(undefined, of);
    throttling.answered({ clientSideThrottleTime: 999 }, of);
    expect([lines, throttling.leftMs]).toEqual([[], 999]);
    throttling.answered({ clientSideThrottleTime: 3_000 }, of);
    throttling.answered({ clientSideThrottleTime: 2_000 }, of);
    nowMs += 1_000;
    expect([lines, throttling.leftMs]).toEqual([[{ ...of, throttleMs: 3_000 }], 2_000]);
    nowMs += 60_000;
    expect(throttling.leftMs).toBe(0);
    throttling.answered({ clientSideThrottleTime: 3_000 }, of);
    expect(lines).toHaveLength(2);
  });
});
