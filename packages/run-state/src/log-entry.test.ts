import type { TelemetryEvent } from '@runlog/schema/events/event';
import { ENTRY_SAID_BYTES_MAX, ENTRY_VALUES_BYTES_MAX } from '@runlog/schema/limits';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  epochCompleted,
  foldEvents,
  gateEvaluated,
  otherEvent,
  ppoUpdated,
  seedFossilized,
} from '../../../test/support/event-factory.ts';

function entryOf(event: TelemetryEvent): EventLogEntry {
  return foldEvents([event]).event_log[0]!;
}

function valuesOf(data: Record<string, unknown>): EventLogEntry['values'] {
  return entryOf(otherEvent('PROBE', { data })).values;
}

describe('the values of an entry', () => {
  it('are the scalars of data, which metadata does not hold', () => {
    expect(entryOf(epochCompleted()).values).toEqual({ val_accuracy: 40.5, val_loss: 0.2, inner_epoch: 1 });
    expect(entryOf(seedFossilized()).values).toEqual({ blueprint_id: 'conv_light', params_added: 1000 });
    expect(valuesOf({ ok: false, text: 'a', n: 1, none: null, list: [1], object: { a: 1 } })).toEqual({
      n: 1,
      ok: false,
      text: 'a',
    });
    expect(valuesOf({ event_id: 'x', a: 1 })).toEqual({ a: 1 });
    expect(entryOf(otherEvent('PROBE')).values).toEqual({});
  });

  it('leave out what metadata or the message says under another name', () => {
    expect(entryOf(batchCompleted()).values).toEqual({
      avg_accuracy: 70.1,
      avg_reward: 1.5,
      n_envs: 4,
      total_episodes: 200,
    });
    expect(entryOf(gateEvaluated({ data: { message: 'no' } })).values).toEqual({});
    expect(Object.keys(entryOf(ppoUpdated({ data: { skipped: false } })).values)).toEqual([
      'policy_loss',
      'value_loss',
      'grad_norm',
      'kl_divergence',
      'nan_grad_count',
    ]);
  });

  it('of a known type begin with those that its row names', () => {
    const data = { a: 1, b: 2, c: 3, d: 4, pre_clip_grad_norm: 5, skipped: true };
    expect(Object.keys(entryOf(ppoUpdated({ data })).values)).toEqual([
      'policy_loss',
      'value_loss',
      'entropy',
      'grad_norm',
      'kl_divergence',
      'clip_fraction',
      'nan_grad_count',
      'pre_clip_grad_norm',
    ]);
  });

  it('do not depend on the names that the event before had', () => {
    const values = [{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 1 }, { a: 1, b: 2, c: 3 }, {}].map(valuesOf);
    expect(values).toEqual([{ a: 1, b: 2 }, { a: 1, b: 2 }, { a: 1 }, { a: 1, b: 2, c: 3 }, {}]);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`m${index}`, index]));
    expect([valuesOf(many), valuesOf(many)].map((each) => Object.keys(each).length)).toEqual([8, 8]);
  });

  it('of a type without a row are at most eight, the shortest names first', () => {
    const data = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`k${index}`, index]));
    expect(Object.keys(valuesOf(data))).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7']);
    expect(Object.keys(valuesOf({ ccc: 1, bb: 1, a: 1, aa: 1 }))).toEqual(['a', 'aa', 'bb', 'ccc']);
  });

  it('have no long text, no long name and no number that JSON cannot write', () => {
    expect(
      valuesOf({ a: 'x'.repeat(64), b: 'x'.repeat(65), ['n'.repeat(64)]: 1, ['n'.repeat(65)]: 1 }),
    ).toEqual({
      a: 'x'.repeat(64),
      ['n'.repeat(64)]: 1,
    });
    const event = JSON.parse('{"data":{"a":1e400,"b":-0,"__proto__":1,"constructor":2}}') as TelemetryEvent;
    const state = foldEvents([{ ...otherEvent('PROBE'), data: event.data }]);
    expect(Object.is(state.event_log[0]!.values.b, 0)).toBe(true);
    expect(state.event_log[0]!.values).toEqual({ b: 0, constructor: 2 });
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it('stay within their bytes, whatever is sent, and do not depend on the order of keys', () => {
    const name = fc.oneof(fc.string({ maxLength: 70 }), fc.string({ unit: 'binary', maxLength: 64 }));
    const value = fc.oneof(
      fc.string({ maxLength: 64, minLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 70 }),
      fc.constant('\u0000'.repeat(64)),
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (members) => {
        const text = (each: typeof members) =>
          `{${each.map((member) => member.map((part) => JSON.stringify(part)).join(':')).join(',')}}`;
        const unique = [...new Map(members)];
        const made = valuesOf(JSON.parse(text(unique)) as Record<string, unknown>);
        const turned = valuesOf(JSON.parse(text(unique.toReversed())) as Record<string, unknown>);
        expect(Buffer.byteLength(JSON.stringify(made))).toBeLessThanOrEqual(ENTRY_VALUES_BYTES_MAX);
        expect(JSON.stringify(turned)).toBe(JSON.stringify(made));
        expect(JSON.stringify(JSON.parse(JSON.stringify(made)))).toBe(JSON.stringify(made));
      }),
      { numRuns: 1_000 },
    );
  });

  it('leave room for a long message and long metadata', () => {
    const data = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, '✓'.repeat(20)]));
    const long = '✓'.repeat(500);
    const entries = [
      entryOf(otherEvent('PROBE', { data, message: long })),
      entryOf(
        gateEvaluated({ slot_id: long, data: { ...data, gate: long, target_stage: long, message: long } }),
      ),
    ];
    for (const { message, metadata, values } of entries) {
      const said = [message, metadata, values].map((each) => Buffer.byteLength(JSON.stringify(each)));
      const besideValues = said[0]! + said[1]!;
      expect(besideValues + said[2]!).toBeLessThanOrEqual(Math.max(ENTRY_SAID_BYTES_MAX, besideValues) + 32);
    }
    expect(entries.map(({ values }) => Object.keys(values).length)).toEqual([1, 0]);
    expect(Object.keys(valuesOf(data))).toHaveLength(8);
  });

  it('are eight numbers under the longest plain names', () => {
    const data = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`${index}`.padStart(64, 'x'), -1.2345678901234567e-100]),
    );
    expect(Object.keys(valuesOf(data))).toHaveLength(8);
  });
});

describe('the severity of an entry', () => {
  it.each([
    [undefined, 'info'],
    [null, 'info'],
    ['info', 'info'],
    ['INFO', 'info'],
    ['Notice', 'info'],
    ['', 'info'],
    ['loud', 'info'],
    ['constructor', 'info'],
    ['DEBUG', 'debug'],
    ['trace', 'debug'],
    ['warn', 'warning'],
    ['WARNING', 'warning'],
    ['err', 'error'],
    ['Error', 'error'],
    ['FATAL', 'critical'],
    ['emerg', 'critical'],
    [5, 'debug'],
    [10, 'debug'],
    [20, 'info'],
    [25, 'info'],
    [30, 'warning'],
    [39.5, 'warning'],
    [40, 'error'],
    [50, 'critical'],
    [1_000, 'critical'],
  ])('%j is %s', (severity, expected) => {
    const event = { ...otherEvent('PROBE'), severity } as TelemetryEvent;
    expect(entryOf(event).severity).toBe(expected);
  });
});

describe('the clock of an entry', () => {
  it.each([
    ['2026-01-03T23:59:47.900000+00:00', '23:59:47'],
    ['2026-01-03T23:59:47Z', '23:59:47'],
    ['2026-01-03T23:59:47+02:00', '21:59:47'],
    ['0000-01-01T00:00:00+14:00', '10:00:00'],
    ['0000-01-01T00:00:00-14:00', '14:00:00'],
    ['9999-12-31T23:59:59-12:00', '11:59:59'],
    ['0001-01-01T00:00:00Z', '00:00:00'],
  ])('of %s is %s', (timestamp, clock) => {
    expect(entryOf(otherEvent('PROBE', { timestamp })).timestamp).toBe(clock);
  });
});
