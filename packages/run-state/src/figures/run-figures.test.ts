import { bytesOf, decodeFigures } from '@runlog/records/figures-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { runFiguresSchema } from '@runlog/schema/run/figures';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  epochCompleted,
  otherEvent,
  ppoUpdated,
  recordOf,
  TEST_EPOCH,
  trainingStarted,
} from '../../../../test/support/event-factory.ts';
import { recording } from '../../../../test/support/recordings.ts';
import { type RawEvent, referenceFigures } from '../../../../test/support/reference-figures.ts';
import { foldInto } from '../evolve.ts';
import { RunDraft } from '../run-draft.ts';
import type { EventRecord } from '../run-record.ts';
import { deliverFigures } from './deliver-figures.ts';
import { emptyFigures, figuresFrom, foldFigures, type RunFiguresState } from './run-figures.ts';

const run = { cluster_id: 'c1', run_id: 'r1', group_id: 'default' };

interface Delivery {
  readonly record: EventRecord;
  readonly isRepeat: boolean;
}

/** Places events in the log one after the other. No event is a repeat. */
function placed(events: readonly TelemetryEvent[], from = 0): Delivery[] {
  return events.map((event, index) => ({ record: recordOf(event, { seq: from + index }), isRepeat: false }));
}

function fold(deliveries: readonly Delivery[], state = emptyFigures(run)): RunFiguresState {
  for (const { record, isRepeat } of deliveries) foldFigures(state, record, { isRepeat });
  return state;
}

function figuresOf(...events: TelemetryEvent[]) {
  return deliverFigures(fold(placed(events))).figures;
}

function metrics(data: Record<string, unknown>): TelemetryEvent {
  return otherEvent('METRICS', { data });
}

/** Returns the figures of the reference, in the same shape as `deliverFigures`. */
function referenceOf(deliveries: readonly Delivery[], pointsMax?: number) {
  const events = deliveries.filter(({ isRepeat }) => !isRepeat).map(({ record }) => record.event);
  return referenceFigures(events, pointsMax);
}

/** A history that fails is not made smaller: there are thousands of events in it, and that would take minutes. */
const RUNS = { numRuns: 40, endOnFailure: true };

const value = fc.oneof(
  { weight: 4, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 3 }) },
  fc.constantFrom('NaN', 'Infinity', '-Infinity', -0),
);
const anything = fc.oneof(value, fc.constantFrom(null, undefined, true, 'text', '0.5'));
const step = fc.option(fc.oneof(fc.integer(), fc.constantFrom(-0, 0.25, '7', 'NaN')), { nil: undefined });
const timestamp = fc
  .date({ min: new Date('1950-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const event: fc.Arbitrary<TelemetryEvent> = fc
  .tuple(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .record({ step, env_id: value, loss: value, lr: anything, [`${'deep/'.repeat(20)}a`]: value })
          .map(metrics),
      },
      {
        weight: 4,
        arbitrary: fc
          .record({
            step,
            avg_accuracy: value,
            avg_reward: value,
            rolling_accuracy: fc.option(value),
            batch_idx: fc.nat(),
          })
          .map((data) => batchCompleted({ data })),
      },
      fc
        .record({ step, val_accuracy: value, val_loss: value, inner_epoch: fc.nat() })
        .map((data) => epochCompleted({ data })),
      fc
        .record({ entropy: value, grad_norm: value, skipped: fc.constantFrom(true, false, null) })
        .map((data) => ppoUpdated({ data })),
      fc
        .record({ step, accuracy: value, env_id: fc.nat(), note: anything })
        .map((data) => otherEvent('EVALUATED', { data })),
      fc.constant('RUN_HEARTBEAT').map((type) => otherEvent(type, { data: { rss: 5 } })),
      fc.constant(0).map((episode) => trainingStarted({ data: { start_episode: episode } })),
    ),
    timestamp,
  )
  .map(([made, at]) => ({ ...made, timestamp: at }));

/** Events with gaps between their offsets, some of which the run folded as repeats. */
const deliveries = fc
  .array(fc.tuple(event, fc.integer({ min: 1, max: 3 }), fc.nat({ max: 9 })), {
    minLength: 1,
    maxLength: 2_500,
    size: 'max',
  })
  .map((items) => {
    let seq = -1;
    return items.map(([made, gap, luck]): Delivery => {
      seq += gap;
      return { record: recordOf(made, { seq }), isRepeat: luck === 0 };
    });
  });

describe('the figures of a run', () => {
  it('equal a reference that keeps every point, for any number of them and any attempts', () => {
    fc.assert(
      fc.property(deliveries, (delivered) => {
        const figures = deliverFigures(fold(delivered));
        expect(figures).toMatchObject(referenceOf(delivered));
        expect(figures.position).toEqual({ epoch: TEST_EPOCH, seq: delivered.at(-1)!.record.seq });
        expect(runFiguresSchema.parse(JSON.parse(JSON.stringify(figures)))).toEqual(figures);
      }),
      RUNS,
    );
  }, 120_000);

  it('have the same bytes for any cut through their record, and whatever comes again', () => {
    const again = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 });
    fc.assert(
      fc.property(deliveries, fc.nat(), again, (delivered, cutAt, redelivered) => {
        const whole = bytesOf(fold(delivered));
        const cut = cutAt % (delivered.length + 1);
        const stored = bytesOf(fold(delivered.slice(0, cut)));
        const state = cut === 0 ? emptyFigures(run) : decodeFigures(stored)!;
        for (const [index, delivery] of delivered.entries()) {
          // After a restore everything is read again from somewhere before the cut.
          if (index < cut - 5) continue;
          fold([delivery], state);
          for (const [when, which] of redelivered) {
            if (when % delivered.length === index) fold([delivered[which % (index + 1)]!], state);
          }
        }
        expect(bytesOf(state).equals(whole)).toBe(true);
      }),
      RUNS,
    );
  }, 120_000);

  it('are delivered in fewer buckets as if they had been kept in so many', () => {
    fc.assert(
      fc.property(deliveries, fc.integer({ min: 1, max: 200 }), (delivered, pointsMax) => {
        const state = fold(delivered);
        const before = bytesOf(state);
        const bound = Math.min(pointsMax, 192);
        expect(deliverFigures(state, { pointsMax })).toMatchObject(referenceOf(delivered, bound));
        expect(bytesOf(state).equals(before)).toBe(true);
      }),
      RUNS,
    );
  }, 120_000);

  it.each(['short', 'one-env'] as const)('equal what the lines of the recording %s say', (name) => {
    const groups = new Map<string, { raw: RawEvent[]; draft: RunDraft; figures: RunFiguresState }>();
    for (const [seq, line] of recording(name).lines.entries()) {
      const text = line.replace(/\bNaN\b/g, '"NaN"');
      const raw = JSON.parse(text) as RawEvent & { run_id: string; group_id: string };
      const key = `c1/${raw.run_id}/${raw.group_id}`;
      const record = decodeRunRecord(
        { offset: seq, key, value: Buffer.from(text), headers: {}, timestampMs: seq },
        TEST_EPOCH,
      );
      if (record.kind !== 'event') throw new Error(`not an event: ${line}`);
      const group = groups.get(key) ?? {
        raw: [],
        draft: new RunDraft(null),
        figures: emptyFigures(record.run),
      };
      groups.set(key, group);
      const isRepeat = foldInto(group.draft, record) === 'repeated';
      if (!isRepeat) group.raw.push(raw);
      foldFigures(group.figures, record, { isRepeat });
      const { total_events_received: received, duplicates, attempt } = group.draft.state!;
      expect(group.figures).toMatchObject({ ordinal: received - duplicates, attempt });
    }
    for (const { raw, figures } of groups.values()) {
      const reference = referenceFigures(raw);
      expect(reference.figures.length).toBeGreaterThan(0);
      expect(deliverFigures(figures)).toMatchObject(reference);
    }
  });
});

describe('a point', () => {
  it('has the step of its event as x, else the counter of its type, else the ordinal in the run', () => {
    const figures = figuresOf(
      batchCompleted({ data: { batch_idx: 7 } }),
      batchCompleted({ data: { batch_idx: 8, step: 2_000 } }),
      otherEvent('RUN_HEARTBEAT'),
      ppoUpdated(),
      ppoUpdated({ data: { step: '12' } }),
    );
    const x = Object.fromEntries(figures.map((figure) => [figure.name, figure.x]));
    expect(x).toMatchObject({ accuracy: [7, 2_000], entropy: [4, 5] });
  });

  it('has the own time of its event, in any zone', () => {
    const [loss] = figuresOf({ ...metrics({ loss: 1 }), timestamp: '2026-01-03T23:59:47.912345+02:00' });
    expect(loss!.t).toEqual([Date.UTC(2026, 0, 3, 21, 59, 47, 912)]);
  });

  it.each([
    ['a number', '0.5', 0.5],
    ['minus zero', '-0', 0],
    ['NaN', '"NaN"', null],
    ['the infinity', '"Infinity"', null],
    ['the other infinity', '"-Infinity"', null],
    ['a number that no double holds', '1e999', null],
    ['a negative one', '-1e999', null],
  ])('is made of %s', (_name, json, expected) => {
    const figures = deliverFigures(fold([written(`{"loss":${json},"step":3}`)]));
    expect(figures.figures).toMatchObject([
      { name: 'loss', points: 1, without_value: expected === null ? 1 : 0, x: [3], last: [expected] },
    ]);
    expect(Object.is(figures.figures[0]!.last[0], -0)).toBe(false);
  });

  it.each(['null', 'true', '"0.5"', '[1]', '{"a":1}'])('is not made of %s', (json) => {
    expect(deliverFigures(fold([written(`{"loss":${json}}`)])).figures).toEqual([]);
  });

  it('has its ordinal as x where no double holds its step', () => {
    const { figures } = deliverFigures(fold([written('{"loss":1,"step":1e999}')]));
    expect(figures).toMatchObject([{ name: 'loss', x: [1] }]);
    expect(runFiguresSchema.shape.figures.safeParse(figures).success).toBe(true);
  });

  it('belongs to the attempt that its event came in', () => {
    const [loss] = figuresOf(
      metrics({ loss: 1 }),
      trainingStarted(),
      metrics({ loss: 2 }),
      metrics({ loss: 3 }),
      trainingStarted(),
      trainingStarted(),
      metrics({ loss: 4 }),
    );
    expect(loss!.attempt).toEqual([0, 1, 1, 3]);
  });

  it('is not made of a skipped update of the policy', () => {
    expect(figuresOf(ppoUpdated({ data: { skipped: true } }))).toEqual([]);
  });

  /** An event of the metrics with data as it stands in the log. */
  function written(data: string): Delivery {
    const text = JSON.stringify(metrics({})).replace('"data":{}', `"data":${data}`);
    const record = decodeRunRecord(
      { offset: 0, key: 'c1/r1/default', value: Buffer.from(text), headers: {}, timestampMs: 0 },
      TEST_EPOCH,
    );
    if (record.kind !== 'event') throw new Error(JSON.stringify(record));
    return { record, isRepeat: false };
  }
});

describe('the bounds of figures', () => {
  it('keep 48 figures, and of further ones 64 names', () => {
    const names = Array.from({ length: 130 }, (_, index) => `m${String(index).padStart(3, '0')}`);
    const data = Object.fromEntries(names.map((name) => [name, 1]));
    const delivered = deliverFigures(fold(placed([metrics(data), metrics(data)])));
    expect(delivered.figures.map(({ name }) => name)).toEqual(names.slice(0, 48));
    expect(delivered.figures.every(({ points }) => points === 2)).toBe(true);
    expect(delivered.refused).toEqual(names.slice(48, 112));
    expect(delivered.figures_refused).toBe(64);
  });

  it('name the 49th figure once, however often it comes', () => {
    const names = Array.from({ length: 49 }, (_, index) => `m${String(index).padStart(2, '0')}`);
    const data = Object.fromEntries(names.map((name) => [name, 1]));
    expect(deliverFigures(fold(placed([metrics(data), metrics(data), metrics(data)])))).toMatchObject({
      figures_refused: 1,
      refused: ['m48'],
    });
  });

  it.each([
    [192, 1, 192],
    [193, 2, 97],
    [384, 2, 192],
    [385, 4, 97],
    [3_000, 16, 188],
  ])('hold %i points in buckets of %i each', (points, stride, buckets) => {
    const events = Array.from({ length: points }, (_, index) => metrics({ loss: index, step: index }));
    const [loss] = figuresOf(...events);
    expect(loss).toMatchObject({ points, stride });
    expect(loss!.x).toEqual(Array.from({ length: buckets }, (_, index) => index * stride));
  });

  it('do not depend on the order of the fields of an event', () => {
    const data = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`m${index}`, index]));
    const turned = Object.fromEntries(Object.entries(data).reverse());
    const at = { event_id: 'a', timestamp: '2026-01-03T12:00:00Z' };
    const bytes = [data, turned].map((fields) => bytesOf(fold(placed([{ ...metrics(fields), ...at }]))));
    expect(bytes[0]!.equals(bytes[1]!)).toBe(true);
  });
});

describe('deliverFigures', () => {
  it('delivers the figures that are named, in that order, and leaves out names that there are not', () => {
    const state = fold(placed([metrics({ a: 1, b: 2, c: 3 })]));
    const { figures } = deliverFigures(state, { names: ['c', 'a', 'x', '__proto__'] });
    expect(figures.map(({ name }) => name)).toEqual(['c', 'a']);
  });

  it('gives no position before the first record', () => {
    expect(deliverFigures(emptyFigures(run))).toEqual({
      ...run,
      position: null,
      figures_refused: 0,
      refused: [],
      figures: [],
    });
  });
});

describe('figuresFrom', () => {
  it('begins behind the snapshot and goes on counting', () => {
    const draft = new RunDraft(null);
    const before = [trainingStarted(), metrics({ loss: 1 }), metrics({ loss: 2 })];
    for (const { record } of placed(before)) foldInto(draft, record);
    const figures = fold(placed([ppoUpdated()], 3), figuresFrom(draft.state!));
    expect(figures).toMatchObject({ ordinal: 4, attempt: 1, position: { seq: 3 } });
    expect(deliverFigures(figures).figures[0]).toMatchObject({ name: 'entropy', x: [4], attempt: [1] });
  });
});
