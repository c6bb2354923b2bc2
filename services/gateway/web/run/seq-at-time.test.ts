import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqAtTime, type TimedEvent } from './seq-at-time.ts';

/** A history as the server answers it, and how often it was asked. */
function historyOf(events: readonly TimedEvent[]) {
  const history = {
    probes: 0,
    probe: async (after: number) => {
      history.probes += 1;
      return events.find(({ seq }) => seq > after) ?? null;
    },
  };
  return history;
}

const events = fc
  .array(fc.record({ skipped: fc.nat({ max: 50 }), laterMs: fc.nat({ max: 5_000 }) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((steps) => {
    let seq = 3;
    let ms = 1_000_000;
    return steps.map(({ skipped, laterMs }) => {
      seq += 1 + skipped;
      ms += laterMs;
      return { seq, ms };
    });
  });

describe('the event at a time', () => {
  it('is the first one at it or after it, else the newest', async () => {
    await fc.assert(
      fc.asyncProperty(events, fc.integer({ min: 990_000, max: 1_300_000 }), async (all, timeMs) => {
        const history = historyOf(all);
        const run = { firstSeq: all[0]!.seq, lastSeq: all.at(-1)!.seq };
        const expected = all.find(({ ms }) => ms >= timeMs) ?? all.at(-1)!;
        expect(await seqAtTime(timeMs, run, history.probe)).toBe(expected.seq);
        expect(history.probes).toBeLessThan(20);
      }),
      { numRuns: 500 },
    );
  });

  it('is none in a run without events', async () => {
    const run = { firstSeq: 0, lastSeq: 5_000_000 };
    expect(await seqAtTime(0, run, async () => null)).toBeNull();
  });

  it('is not looked for any longer when nobody answers', async () => {
    let probes = 0;
    const probe = async () => {
      probes += 1;
      throw new Error('away');
    };
    await expect(seqAtTime(0, { firstSeq: 0, lastSeq: 5_000_000 }, probe)).rejects.toThrow('away');
    expect(probes).toBe(1);
  });
});
