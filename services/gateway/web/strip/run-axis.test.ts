import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordedRun, simulatedRun } from '../../../../test/support/drawn-run.ts';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
import {
  eventsBefore,
  fractionOfSeq,
  fractionOfTime,
  fractionsOfTimes,
  type RunAxis,
  runAxisOf,
  seqAt,
  timeAt,
} from './run-axis.ts';

const START_MS = Date.parse('2026-11-27T07:00:00Z');
const at = (second: number) => new Date(START_MS + second * 1_000).toISOString();

/** Any run: landmarks whose seqs, ordinals and times never go back, and events of seeds with any clock. */
const anyRun = fc
  .record({
    steps: fc.array(
      fc.record({
        seqs: fc.integer({ min: 1, max: 500 }),
        events: fc.integer({ min: 1, max: 9 }),
        ms: fc.integer({ min: -2_000, max: 60_000 }),
      }),
      { maxLength: 40 },
    ),
    anchors: fc.array(fc.record({ seq: fc.nat({ max: 9_000 }), atMs: fc.integer({ min: 0, max: 4e12 }) }), {
      maxLength: 40,
    }),
    activity: fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 90 })), { maxLength: 30 }),
    isImported: fc.boolean(),
  })
  .map(({ steps, anchors, activity, isImported }) => {
    let [seq, ordinal, ms] = [7, 1, START_MS];
    const landmarks = steps.map((step): RunTimeline['landmarks'][number] => {
      seq += step.seqs;
      ordinal += step.events;
      ms += isImported ? 0 : step.ms;
      return [seq, ordinal, new Date(ms).toISOString(), 0];
    });
    const buckets = new Map(activity.map(([bucket, events]) => [START_MS / 1_000 + bucket * 10, events]));
    const timeline = timelineOf({
      first_seq: 7,
      landmarks,
      position: { epoch: 'e', seq: seq + 5 },
      activity: [...buckets].sort(([one], [other]) => one - other),
    });
    return runAxisOf({ timeline, anchors });
  });

const places = fc.array(fc.double({ min: -0.5, max: 1.5, noNaN: true }), { minLength: 2, maxLength: 30 });
const ascending = (values: readonly number[]) => [...values].sort((one, other) => one - other);
const isOrdered = (values: readonly number[]) =>
  values.every((value, index) => index === 0 || value >= values[index - 1]!);

describe('the axis of a run', () => {
  it('never goes back, in any direction and for any run', () => {
    fc.assert(
      fc.property(
        anyRun,
        places,
        fc.array(fc.nat({ max: 30_000 }), { maxLength: 30 }),
        (axis, some, seqs) => {
          const along = ascending(some);
          const fractions = ascending(seqs).map((seq) => fractionOfSeq(axis, seq));
          expect(isOrdered(fractions)).toBe(true);
          expect(fractions.every((fraction) => fraction >= 0 && fraction <= 1)).toBe(true);
          const atPlaces = along.map((fraction) => seqAt(axis, fraction));
          expect(isOrdered(atPlaces)).toBe(true);
          expect(atPlaces.every((seq) => seq >= axis.firstSeq && seq <= axis.lastSeq)).toBe(true);
          const times = along.map((fraction) => timeAt(axis, fraction));
          expect(isOrdered(times)).toBe(true);
          expect(isOrdered(times.map((ms) => fractionOfTime(axis, ms)))).toBe(true);
          expect(isOrdered(along.map((fraction) => eventsBefore(axis, fraction)))).toBe(true);
        },
      ),
    );
  });

  it('leads from a place to an offset and a time and back to the same place', () => {
    fc.assert(
      fc.property(anyRun, fc.double({ min: 0, max: 1, noNaN: true }), (axis, fraction) => {
        // Events that came at the same moment share one place.
        const back = fractionOfSeq(axis, seqAt(axis, fraction));
        if (isStrict(axis)) expect(back).toBeCloseTo(fraction, 6);
        if (axis.endMs > axis.startMs) {
          expect(fractionOfTime(axis, timeAt(axis, fraction))).toBeCloseTo(fraction, 3);
        }
      }),
    );
  });

  it('gives any times places that never go back', () => {
    const times = fc.array(fc.integer({ min: START_MS - 1e7, max: START_MS + 1e7 }), { maxLength: 60 });
    fc.assert(
      fc.property(anyRun, times, (axis, some) => {
        const fractions = fractionsOfTimes(axis, some);
        expect(fractions).toHaveLength(some.length);
        expect(isOrdered(fractions)).toBe(true);
        expect(fractions.every((fraction) => fraction >= 0 && fraction <= 1)).toBe(true);
      }),
    );
  });

  it('is to the scale of arrival, so that a quiet time is as wide as it was long', () => {
    const axis = runAxisOf({
      timeline: timelineOf({
        first_seq: 0,
        landmarks: [
          [0, 1, at(0), 0],
          [10, 11, at(10), 0],
          [20, 21, at(90), 0],
        ],
        position: { epoch: 'e', seq: 30 },
      }),
      head: { seq: 30, receivedAtMs: START_MS + 100_000, events: 31 },
    });
    expect(axis.clock).toBe('arrival');
    expect([0, 10, 20, 30].map((seq) => fractionOfSeq(axis, seq))).toEqual([0, 0.1, 0.9, 1]);
    expect(eventsBefore(axis, 0.05)).toBe(5);
    expect(timeAt(axis, 0.5)).toBe(START_MS + 50_000);
  });

  it('knows of the newest ten minutes when events came between two landmarks', () => {
    const timeline = timelineOf({
      first_seq: 0,
      landmarks: [
        [0, 1, at(0), 0],
        [100, 101, at(100), 0],
      ],
      activity: [
        [START_MS / 1_000, 1],
        [START_MS / 1_000 + 90, 99],
      ],
      position: { epoch: 'e', seq: 100 },
    });
    const axis = runAxisOf({ timeline, head: { seq: 100, receivedAtMs: START_MS + 100_000, events: 101 } });
    expect(eventsBefore(axis, 0.89)).toBeLessThan(2);
    expect(eventsBefore(axis, 1)).toBeGreaterThan(99);
  });

  it.each([['short' as const], ['one-env' as const]])(
    'of an imported run (%s) follows the senders, and is the same as while it happened',
    (name) => {
      const live = recordedRun(name);
      const imported = recordedRun(name, { isImported: true });
      const axes = [live, imported].map(({ timeline, head, entries }) =>
        runAxisOf({
          timeline,
          head,
          anchors: entries.map(({ seq, occurred_at }) => ({ seq, atMs: Date.parse(occurred_at) })),
        }),
      );
      expect(axes.map(({ clock }) => clock)).toEqual(['arrival', 'senders']);
      for (const { seq } of live.entries) {
        expect(fractionOfSeq(axes[1]!, seq)).toBeCloseTo(fractionOfSeq(axes[0]!, seq), 1);
      }
    },
  );

  it('gives each event the same room if no clock passes', () => {
    const { timeline, head } = recordedRun('short', { isImported: true });
    const axis = runAxisOf({
      timeline: { ...timeline, attempts: [] },
      head: { ...head, occurredAtMs: undefined },
    });
    expect(axis.clock).toBe('order');
    expect(fractionOfSeq(axis, timeline.position.seq / 2)).toBeCloseTo(0.5, 1);
  });

  it('is not stretched by a clock that was set', () => {
    const { timeline, head, entries } = simulatedRun();
    const anchors = entries.map(({ seq, occurred_at }, index) => ({
      seq,
      atMs: Date.parse(occurred_at) + (index > entries.length / 2 ? 86_400_000 : 0),
    }));
    expect(runAxisOf({ timeline, head, anchors }).clock).toBe('arrival');
  });

  it('puts events of one clock that is wrong between those whose clocks are right', () => {
    const timeline = timelineOf({
      first_seq: 0,
      landmarks: [
        [0, 1, at(0), 0],
        [50, 51, at(100), 0],
      ],
      position: { epoch: 'e', seq: 50 },
    });
    const axis = runAxisOf({ timeline, head: { seq: 50, receivedAtMs: START_MS + 100_000, events: 51 } });
    const times = [0, 20, 5_000_000, 60, 10, 100].map((second) => START_MS + second * 1_000);
    expect(fractionsOfTimes(axis, times)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  });

  it('allows for clocks that are all ahead by as much', () => {
    const { timeline, head, entries, figures } = simulatedRun();
    const ahead = 3_600_000;
    const anchors = entries.map(({ seq, occurred_at }) => ({ seq, atMs: Date.parse(occurred_at) }));
    const right = runAxisOf({ timeline, head, anchors });
    const wrong = runAxisOf({
      timeline: { ...timeline, attempts: [] },
      head: { ...head, occurredAtMs: head.occurredAtMs + ahead },
      anchors: anchors.map(({ seq, atMs }) => ({ seq, atMs: atMs + ahead })),
    });
    expect(wrong.skewMs - right.skewMs).toBeCloseTo(ahead, -3);
    const times = figures.figures[0]!.t;
    const [placed, alike] = [
      fractionsOfTimes(right, times),
      fractionsOfTimes(
        wrong,
        times.map((ms) => ms + ahead),
      ),
    ];
    for (const [index, fraction] of placed.entries()) expect(alike[index]).toBeCloseTo(fraction, 2);
  });

  it('of a run of one event is a single place', () => {
    const timeline = timelineOf({
      first_seq: 4,
      landmarks: [[4, 1, at(0), 0]],
      position: { epoch: 'e', seq: 4 },
    });
    const axis = runAxisOf({ timeline });
    expect([seqAt(axis, 0), seqAt(axis, 0.5), seqAt(axis, 1)]).toEqual([4, 4, 4]);
    expect(timeAt(axis, 0.5)).toBe(START_MS);
  });
});

function isStrict({ seqs, fractions }: RunAxis): boolean {
  return fractions.every((fraction, index) => {
    if (index === 0) return true;
    return fraction - fractions[index - 1]! > 1e-6 && seqs[index]! > seqs[index - 1]!;
  });
}
