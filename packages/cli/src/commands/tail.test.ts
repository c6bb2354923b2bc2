import type { RunUpdate } from '@runlog/client/run-update';
import { emptySnapshot } from '@runlog/run-state/delivery';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, test } from 'vitest';
import { deliveredEntry, deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { createFollower } from './tail.ts';

const position = { epoch: 'one', seq: 1 };
const entriesOf = (seqs: readonly number[]) => seqs.map((seq) => deliveredEntry({ seq }));

function snapshotUpdate(
  seqs: readonly number[],
  overrides: Partial<Extract<RunUpdate, { kind: 'snapshot' }>> = {},
): RunUpdate {
  return {
    ...{ kind: 'snapshot', snapshot: deliveredSnapshot(), entries: entriesOf(seqs), position },
    ...{ startsOver: true, reason: null, filtered: null, ...overrides },
  };
}

function step(seqs: readonly number[], snapshot: Partial<DeliveredSnapshot> = {}): RunUpdate {
  return {
    ...{ kind: 'step', snapshot: deliveredSnapshot(snapshot), entries: entriesOf(seqs) },
    ...{ position, filtered: null },
  };
}

const absent = snapshotUpdate([], {
  snapshot: emptySnapshot({ cluster_id: 'c1', run_id: 'r1', group_id: 'default' }),
  position: null,
});

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
  test.each([
    [0, [5, 6]],
    [2, [2, 3, 5, 6]],
    [100, [1, 2, 3, 5, 6]],
  ])('begins with the newest %i entries and continues with each new one', (entries, expected) => {
    const { follower, printed } = follow(entries);
    follower.receive(snapshotUpdate([1, 2, 3]));
    follower.receive(step([5, 6]));
    expect(printed).toEqual(expected);
  });

  test('prints all entries of a run that starts over, and says so', () => {
    const { follower, printed, notes } = follow(1);
    follower.receive(snapshotUpdate([7, 8]));
    follower.receive(snapshotUpdate([1, 2], { reason: 'the snapshots were rebuilt' }));
    expect(printed).toEqual([8, 1, 2]);
    expect(notes).toEqual(['the run starts over: the snapshots were rebuilt']);
  });

  test('says so too if the run became another one while there was no connection', () => {
    const { follower, printed, notes } = follow(1);
    follower.receive(snapshotUpdate([7, 8]));
    follower.receive(snapshotUpdate([9], { startsOver: false }));
    follower.receive(snapshotUpdate([1, 2]));
    expect(printed).toEqual([8, 9, 1, 2]);
    expect(notes).toEqual(['the run starts over: it is another one under the same name']);
  });

  test('says which entries are missing, and why', () => {
    const { follower, notes } = follow(0);
    follower.receive(snapshotUpdate([1]));
    const gap = { kind: 'gap', after: 1, before: 9, position } as const;
    follower.receive({ ...gap, count: 5, reason: 'history_gone' });
    follower.receive({ ...gap, count: null, reason: 'unavailable' });
    expect(notes).toEqual([
      '5 entries between 1 and 9 are not shown: the log no longer holds them',
      'entries between 1 and 9 are not shown: the gateway could not read them',
    ]);
  });

  test('says once that it waits for a run that does not exist yet', () => {
    const { follower, printed, notes } = follow(0);
    follower.receive(absent);
    follower.receive(absent);
    expect(notes).toEqual(['there is no run c1/r1/default yet; waiting for it']);
    follower.receive(step([1]));
    expect(printed).toEqual([1]);
  });

  test('does not say "yet" of a run that was shown and is deleted', () => {
    const { follower, notes } = follow(0);
    follower.receive(snapshotUpdate([1]));
    follower.receive({ ...absent, reason: 'retired' } as RunUpdate);
    follower.receive(absent);
    expect(notes).toEqual(['the run starts over: retired']);
  });

  test('says how a run ended, and why if that is known', () => {
    const { follower, notes } = follow(0);
    follower.receive(snapshotUpdate([1]));
    const end = {
      status: 'failed',
      at: '2026-01-03T23:59:47Z',
      reason: 'loss\u001b is NaN',
      seq: 2,
    } as const;
    follower.receive(step([2], { status: 'failed', end }));
    follower.receive({ kind: 'end', status: 'failed' });
    expect(notes).toEqual(['the run has ended: failed: loss� is NaN']);
  });

  test('returns the status of the run as of what was printed', () => {
    const { follower } = follow(0);
    expect(follower.receive(snapshotUpdate([1]))).toBe('running');
    // Entries before the end are still being fetched.
    expect(follower.receive(step([2], { status: 'failed' }))).toBe('running');
    expect(follower.receive({ kind: 'end', status: 'failed' })).toBe('failed');
    expect(follower.receive(step([3], { status: 'running' }))).toBe('running');
  });
});
