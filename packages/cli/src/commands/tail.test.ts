import { emptySnapshot } from '@runlog/run-state/delivery';
import type { DeliveredEntry, DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, test } from 'vitest';
import { deliveredEntry, deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { createFollower } from './tail.ts';

function entry(seq: number): DeliveredEntry {
  return deliveredEntry({ seq });
}

function snapshot(seqs: readonly number[], epoch = 'one'): DeliveredSnapshot {
  return deliveredSnapshot({ position: { epoch, seq: seqs.at(-1)! }, event_log: seqs.map(entry) });
}

function follow(entries: number) {
  const printed: number[] = [];
  const notes: string[] = [];
  const follower = createFollower({
    run: 'c1/r1/default',
    entries,
    print: ({ seq }) => printed.push(seq),
    note: (text) => notes.push(text),
  });
  return { follower, printed, notes };
}

describe('following a run', () => {
  test('begins with the newest entries and continues with each new one', () => {
    const { follower, printed } = follow(2);
    follower.receive({ id: 0, snapshot: snapshot([1, 2, 3]) });
    follower.receive({ prev: 3, seq: 6, entries: [entry(5), entry(6)], set: {} });
    expect(printed).toEqual([2, 3, 5, 6]);
    expect(follower.since()).toEqual({ epoch: 'one', seq: 6 });
  });

  test('prints nothing twice when a whole snapshot comes after a break', () => {
    const { follower, printed } = follow(10);
    follower.receive({ id: 0, snapshot: snapshot([1, 2, 3]) });
    follower.receive({ id: 0, snapshot: snapshot([2, 3, 4]) });
    follower.receive({ id: 0, resume: { prev: 4, seq: 5, entries: [entry(5)], set: {} } });
    expect(printed).toEqual([1, 2, 3, 4, 5]);
  });

  test('subscribes again after a missing step', () => {
    const { follower, printed } = follow(10);
    follower.receive({ id: 0, snapshot: snapshot([1]) });
    follower.receive({ prev: 4, seq: 5, entries: [entry(5)], set: {} });
    expect(follower.mustAskAgain()).toBe(true);
    expect(printed).toEqual([1]);
    expect(follower.since()).toEqual({ epoch: 'one', seq: 1 });
  });

  test('starts over in a new epoch, and says so', () => {
    const { follower, printed, notes } = follow(10);
    follower.receive({ id: 0, snapshot: snapshot([7, 8]) });
    follower.receive({ reset: { reason: 'the topic was rebuilt', snapshot: snapshot([1, 2], 'two') } });
    expect(printed).toEqual([7, 8, 1, 2]);
    expect(notes).toEqual(['the run starts over: the topic was rebuilt']);
  });

  test('says once that it waits for a run that does not exist yet', () => {
    const { follower, printed, notes } = follow(10);
    const absent = emptySnapshot({ cluster_id: 'c1', run_id: 'r1', group_id: 'default' });
    follower.receive({ id: 0, snapshot: absent });
    follower.receive({ id: 0, snapshot: absent });
    expect(notes).toEqual(['there is no run c1/r1/default yet; waiting for it']);
    follower.receive({ prev: null, seq: 1, epoch: 'one', entries: [entry(1)], set: {} });
    expect(printed).toEqual([1]);
  });

  test('does not say "yet" of a run that was shown and is deleted', () => {
    const { follower, notes } = follow(10);
    const absent = emptySnapshot({ cluster_id: 'c1', run_id: 'r1', group_id: 'default' });
    follower.receive({ id: 0, snapshot: snapshot([1]) });
    follower.receive({ reset: { reason: 'the run was deleted', snapshot: absent } });
    follower.receive({ id: 0, snapshot: absent });
    expect(notes).toEqual(['the run starts over: the run was deleted']);
  });

  test('says how a run ended, and why if that is known', () => {
    const { follower, notes } = follow(0);
    follower.receive({ id: 0, snapshot: snapshot([1]) });
    follower.receive({ end: { status: 'failed' } });
    const end = {
      status: 'failed',
      at: '2026-01-03T23:59:47Z',
      reason: 'loss\u001b is NaN',
      seq: 2,
    } as const;
    follower.receive({ prev: 1, seq: 2, entries: [entry(2)], set: { status: 'failed', end } });
    follower.receive({ end: { status: 'failed' } });
    expect(notes).toEqual(['the run has ended: failed', 'the run has ended: failed: loss� is NaN']);
  });

  test('returns the status of the run', () => {
    const { follower } = follow(0);
    expect(follower.receive({ id: 0, snapshot: snapshot([1]) })).toBe('running');
    expect(follower.receive({ prev: 1, seq: 2, entries: [entry(2)], set: { status: 'failed' } })).toBe(
      'failed',
    );
  });
});
