import { type RunHead, runStateSchema } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConditionEvidence, conditionHoldsUntilMs, conditionOf } from './run-condition.ts';

const RECEIVED_MS = Date.parse('2026-01-04T00:00:00.000Z');
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

function run(overrides: Partial<ConditionEvidence> = {}): ConditionEvidence {
  return {
    status: 'running',
    end: null,
    last_received_at: new Date(RECEIVED_MS).toISOString(),
    interval_ms: 2 * SECOND_MS,
    counts: { EPOCH_COMPLETED: 40 },
    ...overrides,
  };
}

const withHeartbeats = { EPOCH_COMPLETED: 40, RUN_HEARTBEAT: 1 };
const end: RunHead['end'] = { status: 'failed', at: '20260103T235959+00', reason: null, seq: 9 };

describe('the state of a run', () => {
  it.each<[name: string, of: Partial<ConditionEvidence>, lastMs: number, then: string]>([
    ['that sends often', {}, MINUTE_MS, 'quiet'],
    ['whose interval is unknown', { interval_ms: null }, MINUTE_MS, 'quiet'],
    ['that sends every 15 s', { interval_ms: 15 * SECOND_MS }, MINUTE_MS, 'quiet'],
    ['that sends every 15 min', { interval_ms: 15 * MINUTE_MS }, 60 * MINUTE_MS, 'quiet'],
    ['that sent heartbeats', { counts: withHeartbeats }, MINUTE_MS, 'lost_contact'],
    [
      'that sent heartbeats, and events rarely',
      { counts: withHeartbeats, interval_ms: 15 * MINUTE_MS },
      MINUTE_MS,
      'lost_contact',
    ],
    ['that began anew after its end', { end, counts: withHeartbeats }, MINUTE_MS, 'lost_contact'],
  ])('%s is running until a silence that means something', (_, of, lastMs, then) => {
    const evidence = run(of);
    const since = { state_since: evidence.last_received_at };
    expect(conditionOf(evidence, RECEIVED_MS + lastMs)).toEqual({ state: 'running', ...since });
    expect(conditionOf(evidence, RECEIVED_MS + lastMs + 1)).toEqual({ state: then, ...since });
  });

  it.each(['finished', 'failed'] as const)('%s is what its end says, however long ago', (status) => {
    const ended = run({ status, end: { ...end!, status }, counts: withHeartbeats });
    for (const nowMs of [RECEIVED_MS, RECEIVED_MS + 1e10]) {
      expect(conditionOf(ended, nowMs)).toEqual({ state: status, state_since: '2026-01-03T23:59:59.000Z' });
    }
  });

  it('of an end that nothing is known of stands since the newest event', () => {
    const ended = run({ status: 'failed', end: null });
    expect(conditionOf(ended, RECEIVED_MS).state_since).toBe(ended.last_received_at);
  });

  it('is running while the receiver is ahead of this clock', () => {
    expect(conditionOf(run(), RECEIVED_MS - MINUTE_MS).state).toBe('running');
  });

  it('is not fooled by a type of event that objects inherit', () => {
    const counts = Object.create({ RUN_HEARTBEAT: 3 }) as Record<string, number>;
    expect(conditionOf(run({ counts }), RECEIVED_MS + MINUTE_MS + 1).state).toBe('quiet');
  });

  it('changes by time exactly when it says so, and at most once', () => {
    const evidence = fc.record({
      status: fc.constantFrom('running', 'finished', 'failed'),
      end: fc.constantFrom(null, end),
      last_received_at: fc.constant(new Date(RECEIVED_MS).toISOString()),
      interval_ms: fc.option(fc.nat(24 * 60 * MINUTE_MS)),
      counts: fc.constantFrom({}, withHeartbeats, { RUN_HEARTBEAT: 0 }),
    }) satisfies fc.Arbitrary<ConditionEvidence>;
    fc.assert(
      fc.property(evidence, fc.nat(5 * 24 * 60 * MINUTE_MS), (of, afterMs) => {
        const nowMs = RECEIVED_MS + afterMs;
        const { state } = conditionOf(of, nowMs);
        expect(runStateSchema.options).toContain(state);
        const untilMs = conditionHoldsUntilMs(of, nowMs);
        expect(untilMs).toBeGreaterThanOrEqual(nowMs);
        if (untilMs === Number.POSITIVE_INFINITY) {
          expect(conditionOf(of, nowMs + 1e12).state).toBe(state);
          return;
        }
        expect(conditionOf(of, untilMs).state).toBe(state);
        expect(conditionOf(of, untilMs + 1).state).not.toBe(state);
        expect(conditionHoldsUntilMs(of, untilMs + 1)).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });
});
