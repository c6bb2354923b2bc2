import { encodeRetirement } from '@runlog/records/control-record';
import { encodeEvent } from '@runlog/records/event-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchCompleted, epochCompleted, seedFossilized } from '../../../test/support/event-factory.ts';
import { RunTable } from './run-table.ts';

const META = { epoch: 'e', fold: 1, partitions: 1, snapshots: 'run-snapshots' };

function recordOf(event: TelemetryEvent, offset: number): LogRecord {
  const receivedAtMs = 1_767_484_800_000 + offset * 700;
  const arrived = { clusterId: 'local', receivedAt: new Date(receivedAtMs).toISOString(), receivedAtMs };
  return { ...encodeEvent(event, { ...arrived, value: Buffer.from(JSON.stringify(event)) }), offset };
}

function retirementOf(run: string, offset: number): LogRecord {
  const key = `local/${run}/default`;
  return { ...encodeRetirement({ key, reason: 'deleted', through: null, nowMs: 0 }), offset };
}

const step = fc.record({
  run: fc.constantFrom('a', 'b', 'c'),
  what: fc.constantFrom('epoch', 'epoch', 'epoch', 'batch', 'seed', 'retired', 'broken', 'again'),
  emitter: fc.option(fc.constantFrom('x', 'y')),
  number: fc.integer({ min: 1, max: 30 }),
  cut: fc.nat(4),
});

/** Makes batches of records; `again` delivers the previous offset a second time. */
function batchesOf(steps: readonly (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[]) {
  const batches: LogRecord[][] = [[]];
  let offset = 0;
  for (const { run, what, emitter, number, cut } of steps) {
    if (what !== 'again') offset += 1;
    const numbering = emitter === null ? {} : { emitter_id: emitter, emitter_seq: number };
    const overrides = { run_id: run, event_id: `${run}-${emitter}-${number}`, ...numbering };
    const record = (): LogRecord => {
      switch (what) {
        case 'retired':
          return retirementOf(run, offset);
        case 'broken':
          return { ...recordOf(epochCompleted(overrides), offset), value: Buffer.from('{') };
        case 'batch':
          return recordOf(batchCompleted(overrides), offset);
        case 'seed':
          return recordOf(seedFossilized(overrides), offset);
        default:
          return recordOf(epochCompleted(overrides), offset);
      }
    };
    batches.at(-1)!.push(record());
    if (cut === 0) batches.push([]);
  }
  return batches;
}

describe('RunTable', () => {
  it('says of a record without a key that it has none, whatever partition it is in', () => {
    const keyless = { key: '', value: Buffer.from('{}'), headers: {}, timestampMs: 0, offset: 0 };
    for (const partition of [0, 1]) {
      const { unfoldable } = new RunTable({ ...META, partitions: 2 }).fold([keyless], partition);
      expect(unfoldable).toEqual([
        { record: keyless, reason: 'the record has no key, so it belongs to no run' },
      ]);
    }
  });

  it('gives the same states, with the runs in the same order, whether it copies them or changes them in place', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
        const copying = new RunTable(META);
        const inPlace = new RunTable(META);
        for (const batch of batchesOf(steps)) {
          const held = JSON.stringify([...copying.states]);
          const states = [...copying.states];
          const folded = copying.fold(batch, 0);
          expect(JSON.stringify(states)).toBe(held);
          const changed = inPlace.foldInPlace(batch, 0);
          expect([...changed.changed]).toEqual(folded.changes.map(({ key }) => key));
          expect(changed.unfoldable).toEqual(folded.unfoldable);
          expect(JSON.stringify([...inPlace.states])).toBe(JSON.stringify([...copying.states]));
        }
      }),
      { numRuns: 60 },
    );
  });
});
