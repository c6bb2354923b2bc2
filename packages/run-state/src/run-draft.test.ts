import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  epochCompleted,
  gateEvaluated,
  otherEvent,
  ppoUpdated,
  recordOf,
  seedFossilized,
  trainingStarted,
} from '../../../test/support/event-factory.ts';
import { evolve, foldInto } from './evolve.ts';
import { RunDraft } from './run-draft.ts';
import type { RunRecord } from './run-record.ts';

const makers: readonly ((overrides: NonNullable<Parameters<typeof trainingStarted>[0]>) => TelemetryEvent)[] =
  [
    trainingStarted,
    epochCompleted,
    gateEvaluated,
    batchCompleted,
    ppoUpdated,
    seedFossilized,
    (overrides) => otherEvent('RUN_HEARTBEAT', overrides),
    (overrides) => otherEvent('RUN_FINISHED', overrides),
    (overrides) => otherEvent(`TYPE_${overrides.event_id?.length ?? 0}`, overrides),
  ];

const START_MS = 1_767_484_800_000;

const step = fc.record({
  maker: fc.nat(makers.length - 1),
  /** null: not numbered. Few emitters and numbers, so that repeats, gaps and heals are common. */
  emitter: fc.option(fc.constantFrom('a', 'b', '7'), { nil: null }),
  /** null: the one behind the emitter's last. */
  number: fc.option(fc.integer({ min: 1, max: 90 }), { nil: null, freq: 1 }),
  id: fc.nat(60),
  receivedAtMs: fc.integer({ min: START_MS, max: START_MS + 900_000 }),
  /** 0: a redelivery of the offset before. */
  gap: fc.constantFrom(0, 1, 1, 1, 2),
  retired: fc.constantFrom(...Array<boolean>(30).fill(false), true),
  /** Ends the batch behind this record. */
  cut: fc.constantFrom(...Array<boolean>(9).fill(false), true),
});

function recordsOf(steps: readonly (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[]) {
  let seq = 0;
  const last = new Map<string, number>();
  return steps.map(({ maker, emitter, number, id, receivedAtMs, gap, retired, cut }) => {
    seq += gap;
    const emitter_seq = number ?? (last.get(`${emitter}`) ?? 0) + 1;
    last.set(`${emitter}`, emitter_seq);
    const numbering = emitter === null ? {} : { emitter_id: emitter, emitter_seq };
    const event = makers[maker]!({ event_id: `id-${'x'.repeat(id)}`, ...numbering });
    const record = recordOf(event, { seq, receivedAt: new Date(receivedAtMs).toISOString() });
    const { key, run, epoch } = record;
    const through = id % 2 === 0 ? null : seq - 1;
    const folded: RunRecord = retired ? { kind: 'retired', key, run, epoch, seq, through } : record;
    return { record: folded, cut };
  });
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

describe('RunDraft', () => {
  it('ends as evolve does record by record, byte for byte, and writes what it began from only if that is its own', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 260, size: 'max' }), (steps) => {
        const records = recordsOf(steps);
        let single: RunSnapshot | null = null;
        let inBatches: RunSnapshot | null = null;
        let draft = new RunDraft(inBatches);
        let inPlace = new RunDraft(null, { isOwn: true });
        for (const { record, cut } of records) {
          const before: RunSnapshot | null = deepFreeze(single);
          single = evolve(before, record);
          const newest = single?.event_log.at(-1);
          const isRepeat = single !== null && single.duplicates > (before?.duplicates ?? 0);
          const unlogged = isRepeat ? 'repeated' : 'unlogged';
          const logged = newest?.seq === record.seq ? newest : unlogged;
          const expected = single === before ? 'unchanged' : logged;
          expect(foldInto(draft, record)).toEqual(expected);
          expect(foldInto(inPlace, record)).toEqual(expected);
          if (!cut) continue;
          expect(JSON.stringify(inPlace.state)).toBe(JSON.stringify(single));
          inPlace = new RunDraft(inPlace.state, { isOwn: true });
          expect(JSON.stringify(draft.state)).toBe(JSON.stringify(single));
          inBatches = deepFreeze(draft.state);
          draft = new RunDraft(inBatches);
        }
        expect(JSON.stringify(draft.state)).toBe(JSON.stringify(single));
        expect(JSON.stringify(inPlace.state)).toBe(JSON.stringify(single));
      }),
      { numRuns: 30 },
    );
  });

  it('keeps the state itself when nothing changed', () => {
    const state = evolve(null, recordOf(trainingStarted(), { seq: 4 }))!;
    const draft = new RunDraft(state);
    expect(foldInto(draft, recordOf(epochCompleted(), { seq: 4 }))).toBe('unchanged');
    expect(draft.state).toBe(state);
  });
});
