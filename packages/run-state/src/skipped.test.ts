import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents, otherEvent, recordOf } from '../../../test/support/event-factory.ts';
import { evolve } from './evolve.ts';
import { skippedSince } from './skipped.ts';

const epochs = (count: number) => Array.from({ length: count }, () => epochCompleted());

describe('what is skipped after a position', () => {
  it('is nothing while the event log reaches back to it', () => {
    const state = foldEvents(epochs(150));
    const evicted = state.evicted_seq!;
    expect(skippedSince(state, evicted)).toBe(null);
    expect(skippedSince(state, evicted - 1)).toEqual({ after: evicted - 1, before: evicted + 1, count: 1 });
  });

  it('is counted at any place of a run that is alone in its partition', () => {
    const state = foldEvents(epochs(1_000));
    const oldest = state.event_log[0]!.seq;
    for (let seq = state.first_seq; seq < oldest - 1; seq += 1) {
      expect(skippedSince(state, seq)?.count).toBe(oldest - 1 - seq);
    }
  });

  it('is not counted where other records lie in between, or where some events make no entry', () => {
    let beside: RunSnapshot | null = null;
    for (const [at, event] of epochs(1_000).entries())
      beside = evolve(beside, recordOf(event, { seq: at * 2 }));
    if (beside === null) throw new Error('nothing was folded');
    const exact = beside.landmarks.map(([seq]) => seq);
    const oldest = beside.event_log[0]!.seq;
    for (let seq = beside.first_seq; seq < oldest - 2; seq += 1) {
      const counted = skippedSince(beside, seq)?.count;
      expect(counted).toBe(exact.includes(seq) ? (oldest - seq) / 2 - 1 : null);
    }
    const quiet = foldEvents([...epochs(100), otherEvent('RUN_HEARTBEAT'), ...epochs(100)]);
    expect(skippedSince(quiet, quiet.first_seq)?.count).toBe(null);
  });
});
