import { emptyFigures, foldFigures, type RunFiguresState } from '@runlog/run-state/figures/run-figures';
import { FIGURE_POINTS_MAX, FIGURES_MAX, FIGURES_REFUSED_MAX } from '@runlog/schema/limits';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  otherEvent,
  recordOf,
  trainingStarted,
} from '../../../test/support/event-factory.ts';
import { bytesOf, decodeDormantFigures, decodeFigures, encodeFigures } from './figures-record.ts';

const run = { cluster_id: 'c1', run_id: 'r1', group_id: 'default' };
const key = 'c1/r1/default';
/** Half of what a broker takes as one record: no input may make figures that cannot be stored. */
const RECORD_BYTES_MAX = 512 * 1024;

function fold(events: readonly Parameters<typeof recordOf>[0][], state = emptyFigures(run)): RunFiguresState {
  const from = state.position.seq + 1;
  for (const [index, event] of events.entries()) {
    foldFigures(state, recordOf(event, { seq: from + index }), { isRepeat: false });
  }
  return state;
}

function metrics(data: Record<string, unknown>) {
  return otherEvent('METRICS', { data, timestamp: '2026-01-03T12:00:00.000Z' });
}

describe('the record of figures', () => {
  it('has the same bytes for ever', () => {
    const state = fold([
      trainingStarted(),
      metrics({ step: 3, loss: 0.5 }),
      metrics({ step: 4, loss: 'NaN' }),
    ]);
    const { value, headers } = encodeFigures(state, { key, nowMs: 0 });
    const at = value.indexOf('\n') + 1;
    expect(value.toString('utf8', 0, at)).toBe(
      '{"cluster_id":"c1","run_id":"r1","group_id":"default","position":{"epoch":"test-1","seq":2},"ordinal":3,' +
        '"attempt":1,"refused":[],"figures":[{"name":"loss","points":2,"without_value":1,"stride":1,"attempts":1}]}\n',
    );
    expect(value.toString('hex', at)).toBe(
      '00000000000008400000000000001040' +
        '0000e0a83bb879420000e0a83bb87942' +
        '000000000000e03f000000000000f87f' +
        '0001000000',
    );
    expect(headers).toEqual({ crc32: expect.stringMatching(/^[0-9a-f]{8}$/) });
  });

  it('reads what it wrote, and folds on from there as if nothing had happened', () => {
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom('NaN', 'Infinity', '-Infinity', null, -0),
    );
    const event = fc.oneof(
      fc.record({ step: fc.option(fc.integer()), loss: value, 'lr/head': value }).map(metrics),
      fc.constant(batchCompleted()),
      fc.constant(trainingStarted()),
    );
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 1, maxLength: 900, size: 'max' }),
        fc.integer({ min: 1, max: 900 }),
        (events, cut) => {
          const whole = bytesOf(fold(events));
          const stored = encodeFigures(fold(events.slice(0, cut)), { key, nowMs: 0 }).value;
          const restored = decodeFigures(stored)!;
          expect(bytesOf(restored).equals(stored)).toBe(true);
          expect(bytesOf(fold(events.slice(cut), restored)).equals(whole)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  it('never exceeds 512 KiB', () => {
    const longest = { cluster_id: 'c'.repeat(64), run_id: 'r'.repeat(64), group_id: 'g'.repeat(64) };
    const state = emptyFigures(longest);
    const names = Array.from({ length: 120 }, (_, index) => `${'\u0001✓"'.repeat(40)}${index}`);
    // Twice as many points as fit: all buckets are full, and each belongs to another attempt.
    for (let point = 0; point < 2 * FIGURE_POINTS_MAX; point += 1) {
      const data = Object.fromEntries(names.map((name) => [name, Math.PI * 1e200 * point]));
      foldFigures(state, recordOf(trainingStarted(), { seq: point * 2 }), { isRepeat: false });
      foldFigures(state, recordOf(metrics(data), { seq: point * 2 + 1 }), { isRepeat: false });
    }
    expect(state.series.size).toBe(FIGURES_MAX);
    expect(state.refused.size).toBe(FIGURES_REFUSED_MAX);
    for (const series of state.series.values()) {
      expect(series).toMatchObject({ stride: 2, buckets: FIGURE_POINTS_MAX });
      expect(series.attempts).toHaveLength(FIGURE_POINTS_MAX);
    }
    // Each figure has three counters in the header, which may get so much longer.
    const digits = String(Number.MAX_SAFE_INTEGER).length;
    expect(bytesOf(state).length + FIGURES_MAX * 3 * digits).toBeLessThanOrEqual(RECORD_BYTES_MAX);
  }, 60_000);

  it.each([
    ['a wrong checksum', (bytes: Buffer) => bytes, { crc32: '00000000' }],
    ['no checksum', (bytes: Buffer) => bytes, {}],
  ])('does not trust bytes with %s', (_name, change, headers) => {
    const { value } = encodeFigures(fold([metrics({ loss: 1 })]), { key, nowMs: 0 });
    const record = { offset: 0, key, value: change(value), headers, timestampMs: 0 };
    expect(decodeDormantFigures(record)).toBeNull();
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['too long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])])],
    ['without a line', () => Buffer.from('{}')],
    ['with another header', () => Buffer.from('{"a":1}\n')],
  ])('reads nothing from bytes %s', (_name, change) => {
    const { value } = encodeFigures(fold([metrics({ loss: 1 })]), { key, nowMs: 0 });
    expect(decodeFigures(change(value))).toBeNull();
  });

  it('tells the position of figures without waking them', () => {
    const encoded = encodeFigures(fold([metrics({ loss: 1 })]), { key, nowMs: 0 });
    const dormant = decodeDormantFigures({ offset: 0, ...encoded, headers: encoded.headers });
    const { run, position } = decodeFigures(encoded.value)!;
    expect(dormant!.head).toEqual({ ...run, position });
  });
});
