import { decodeRunRecord } from '@runlog/records/run-record';
import { evolve } from '@runlog/run-state/evolve';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { systemClock } from '@runlog/service-kit/clock';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochCompleted, TEST_EPOCH, trainingStarted } from '../../../../test/support/event-factory.ts';
import { foldedLive, openPastLog, type PastLog, recordToAppend } from '../../../../test/support/past-log.ts';
import { recording } from '../../../../test/support/recordings.ts';
import { PastStates } from './past-states.ts';

const KEY = 'c1/r1/default';
const { signal } = new AbortController();

const eventsOf = (name: 'short' | 'one-env') =>
  recording(name).lines.map((line) => JSON.parse(line.replace(/\bNaN\b/g, '"NaN"')) as TelemetryEvent);

/** A long run whose events come again now and then. */
const repeating = (events: number) =>
  Array.from({ length: events }, (_, index) =>
    index === 0 ? trainingStarted() : epochCompleted({ event_id: `e${index - (index % 50 === 7 ? 3 : 0)}` }),
  );

/** The state after every record of the run up to an offset, one record after the other. */
function foldOfPrefix(
  records: readonly LogRecord[],
  { key, seq }: { key: string; seq: number },
): RunSnapshot | null {
  let state: RunSnapshot | null = null;
  for (const record of records) {
    if (record.key !== key || record.offset > seq) continue;
    const decoded = decodeRunRecord(record, TEST_EPOCH);
    if (decoded.kind !== 'unfoldable') state = evolve(state, decoded);
  }
  return state;
}

const statesOf = ({ io, topic }: PastLog, clock = systemClock) => new PastStates({ io, topic, clock });

describe('a state of the past', () => {
  it.each(['short', 'one-env'] as const)(
    'equals the fold of the prefix, byte for byte, for %s',
    async (name) => {
      // Another life of the recording lies between its events.
      const own = eventsOf(name);
      const events = own.flatMap((event) => [event, { ...event, run_id: 'other' }]);
      await using log = await openPastLog(events.map(recordToAppend));
      for (const key of new Set(log.records.map((record) => record.key))) {
        const run = foldedLive(log.records, key).state;
        const states = statesOf(log);
        const place = fc.integer({ min: run.first_seq, max: log.records.length + 5 });
        await fc.assert(
          fc.asyncProperty(place, async (seq) => {
            const reached = await states.at({ run, seq, signal });
            const expected = JSON.stringify(foldOfPrefix(log.records, { key, seq }));
            expect(reached.kind === 'reached' && JSON.stringify(reached.state)).toBe(expected);
          }),
          { numRuns: 200 },
        );
        expect(JSON.stringify(run)).toBe(JSON.stringify(foldedLive(log.records, key).state));
      }
    },
    60_000,
  );

  it('costs the difference to the nearest one below that is kept', async () => {
    await using log = await openPastLog(repeating(20_000).map(recordToAppend));
    const run = foldedLive(log.records, KEY).state;
    const states = statesOf(log);
    await states.at({ run, seq: 15_000, signal });
    expect(log.cost.records).toBeGreaterThanOrEqual(15_000);
    for (const [seq, recordsMax] of [
      [15_000, 0],
      [15_200, 1_000],
      [16_000, 1_000],
    ] as const) {
      log.cost.forget();
      const reached = await states.at({ run, seq, signal });
      expect(reached).toMatchObject({ kind: 'reached', state: { position: { seq } } });
      expect(log.cost.records).toBeLessThanOrEqual(recordsMax);
    }
    // 16 others push it out.
    for (let seq = 100; seq < 116; seq += 1) await states.at({ run, seq, signal });
    log.cost.forget();
    await states.at({ run, seq: 15_000, signal });
    expect(log.cost.records).toBeGreaterThan(14_000);
  }, 60_000);

  it('is reached in steps if it is too far for one request', async () => {
    await using log = await openPastLog(repeating(20_000).map(recordToAppend));
    const run = foldedLive(log.records, KEY).state;
    // Every look at the clock takes two seconds.
    let nowMs = 0;
    const clock = { ...systemClock, now: () => (nowMs += 2_000) };
    const states = statesOf(log, clock);
    const reached: number[] = [];
    for (;;) {
      const answer = await states.at({ run, seq: 15_000, signal });
      if (answer.kind === 'too_far') {
        reached.push(answer.seq);
        continue;
      }
      const expected = JSON.stringify(foldOfPrefix(log.records, { key: KEY, seq: 15_000 }));
      expect(answer.kind === 'reached' && JSON.stringify(answer.state)).toBe(expected);
      break;
    }
    expect(reached.length).toBeGreaterThan(2);
    expect(reached).toEqual([...new Set(reached)].sort((a, b) => a - b));
  });

  it('is gone when the beginning of the run is', async () => {
    const records = repeating(100).map(recordToAppend);
    await using whole = await openPastLog(records);
    const run = foldedLive(whole.records, KEY).state;
    await using log = await openPastLog(records, { keptFrom: 10 });
    const states = statesOf(log);
    expect(await states.at({ run, seq: 50, signal })).toEqual({ kind: 'gone' });
    expect(await states.at({ run, seq: 99, signal })).toEqual({ kind: 'reached', state: run });
  });

  it('is the whole run if all of its history is folded, and not what is held of it', async () => {
    await using log = await openPastLog(repeating(3_000).map(recordToAppend));
    const run = foldedLive(log.records, KEY).state;
    const states = statesOf(log);
    const held = { ...run, missing: 7 };
    const whole = await states.whole({ run: held, signal });
    expect(whole.kind === 'reached' && JSON.stringify(whole.state)).toBe(JSON.stringify(run));
    expect(log.cost.records).toBeGreaterThanOrEqual(3_000);
  });

  it('is not the whole run any more once the beginning is gone, whatever is kept of it', async () => {
    await using log = await openPastLog(repeating(100).map(recordToAppend));
    const run = foldedLive(log.records, KEY).state;
    let startOffset = 0;
    const io = Object.assign(Object.create(log.io) as typeof log.io, {
      reader: log.io.reader.bind(log.io),
      bounds: async (topic: string) =>
        (await log.io.bounds(topic)).map((bounds) => ({ ...bounds, startOffset })),
    });
    const states = statesOf({ ...log, io });
    expect(await states.whole({ run, signal })).toEqual({ kind: 'reached', state: run });
    startOffset = 1;
    expect(await states.whole({ run, signal })).toEqual({ kind: 'gone' });
    expect(await states.at({ run, seq: 99, signal })).toMatchObject({ kind: 'reached' });
  });

  it('stops reading when nobody waits for it any more', async () => {
    await using log = await openPastLog(repeating(20_000).map(recordToAppend));
    const run = foldedLive(log.records, KEY).state;
    const gone = new AbortController();
    const asked = statesOf(log).at({ run, seq: 19_000, signal: gone.signal });
    await expect.poll(() => log.cost.records).toBeGreaterThan(0);
    gone.abort();
    await expect(asked).rejects.toMatchObject({ code: 'unavailable' });
    expect(log.cost.records).toBeLessThan(19_000);
  });
});
