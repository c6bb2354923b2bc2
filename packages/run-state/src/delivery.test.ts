import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents, otherEvent } from '../../../test/support/event-factory.ts';
import { applyDelta, changesBetween, deliverEntry, deliverSnapshot } from './delivery.ts';

describe('a delivered entry', () => {
  it.each(['2026-01-03T23:59:47Z', '2026-01-03T23:59:47+00', '20260103T235947Z', '2026-01-03 23:59:47,0z'])(
    'of %s says its age',
    (timestamp) => {
      const [entry] = foldEvents([otherEvent('PROBE', { timestamp })]).event_log;
      const nowMs = Date.parse('2026-01-03T23:59:57Z');
      expect(deliverEntry(entry!, nowMs).relative_time).toBe('(10s ago)');
    },
  );
});

describe('the set of a step', () => {
  const from = (emitter: string, seq: number) => epochCompleted({ emitter_id: emitter, emitter_seq: seq });
  const emitters = Array.from({ length: 64 }, (_, at) => from(`emitter-${at}`, 1));

  it('holds the members of counts and emitters that changed, and nothing of the others', () => {
    const before = foldEvents([...emitters, otherEvent('PROBE')]);
    const after = foldEvents([from('emitter-7', 2)], before);
    const { set, replaces } = changesBetween(before, after, 0);
    expect(set.counts).toEqual({ EPOCH_COMPLETED: 65 });
    expect(set.emitters).toEqual({ 'emitter-7': { last: 2, gaps: [], seen: after.position.seq } });
    expect(replaces).toBe(undefined);
    expect(JSON.stringify(set).length).toBeLessThan(1_000);
  });

  it('brings a client to the state, also where an emitter was forgotten or has an odd name', () => {
    const before = foldEvents([from('constructor', 1), ...emitters]);
    let held = deliverSnapshot(before, 0);
    let state = before;
    for (let at = 0; at < 600; at += 20) {
      const next = foldEvents(
        Array.from({ length: 20 }, (_, each) => from(`later-${at + each}`, 1)),
        state,
      );
      const delta = {
        ...{ prev: state.position.seq, seq: next.position.seq, entries: [] },
        ...changesBetween(state, next, 0),
      };
      held = applyDelta(held, { delta: JSON.parse(JSON.stringify(delta)), epoch: next.position.epoch });
      state = next;
      expect(held.emitters).toEqual(deliverSnapshot(state, 0).emitters);
      expect(held.counts).toEqual(state.counts);
    }
    expect(state.emitters_evicted).toBeGreaterThan(0);
    expect(Object.keys(held.emitters)).not.toContain('constructor');
  });
});
