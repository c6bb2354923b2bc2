import { FigureStates } from '@runlog/run-feed/figure-states';
import { RunStates } from '@runlog/run-feed/run-states';
import { emptyFigures } from '@runlog/run-state/figures/run-figures';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents, TEST_EPOCH } from '../../../test/support/event-factory.ts';
import { buildFlush } from './build-flush.ts';
import { DirtyRuns } from './dirty-runs.ts';

interface Given {
  readonly dirty: DirtyRuns;
  readonly dirtyFigures?: DirtyRuns;
  readonly runs: readonly string[];
  readonly folded: number;
  readonly bytesMax?: number;
  readonly nowMs?: number;
  readonly all?: boolean;
  /** The state of every run. */
  readonly state?: RunSnapshot;
  /** How far the figures are behind the snapshots. */
  readonly behind?: number;
}

function flushOf({ dirty, runs, folded, ...given }: Given) {
  const { state = foldEvents([epochCompleted()]), behind = 0 } = given;
  const states = new RunStates();
  const figures = new FigureStates();
  for (const key of runs) {
    states.set(key, state);
    const { epoch, seq } = state.position;
    figures.set(key, { ...emptyFigures(state), position: { epoch, seq: seq - behind } });
  }
  const { dirtyFigures = new DirtyRuns(), bytesMax = 1e9, nowMs = 0, all = false } = given;
  const flush = buildFlush({
    ...{ dirty, dirtyFigures, states, figures, folded, bytesMax, nowMs, all },
    epoch: TEST_EPOCH,
  });
  const keysOf = (records: readonly RecordToAppend[]) =>
    records.map(({ key, value }) => (value === null ? `-${key}` : key));
  return { ...flush, keys: keysOf(flush.snapshots), figureKeys: keysOf(flush.figures) };
}

function dirtyRuns(lacks: Record<string, [since: number, through: number]>): DirtyRuns {
  const dirty = new DirtyRuns();
  for (const [key, [since, through]] of Object.entries(lacks))
    dirty.mark(key, { since, through, sinceMs: 0 });
  return dirty;
}

describe('buildFlush', () => {
  it('writes every dirty run and a checkpoint that passes them', () => {
    const dirty = dirtyRuns({ a: [0, 10], b: [5, 20] });
    expect(flushOf({ dirty, runs: ['a', 'b'], folded: 20 })).toMatchObject({
      keys: ['a', 'b', '#checkpoint'],
      checkpoint: 20,
    });
    expect(dirty.size).toBe(0);
  });

  it('holds the checkpoint back to the first record that a run which did not fit lacks', () => {
    const dirty = dirtyRuns({ a: [0, 10], b: [5, 20] });
    expect(flushOf({ dirty, runs: ['a', 'b'], folded: 20, bytesMax: 1 })).toMatchObject({
      keys: ['a', '#checkpoint'],
      checkpoint: 5,
    });
    expect(flushOf({ dirty, runs: ['a', 'b'], folded: 25, bytesMax: 1 })).toMatchObject({
      keys: ['b', '#checkpoint'],
      checkpoint: 25,
    });
  });

  it('keeps the place of a run that changes again', () => {
    const dirty = dirtyRuns({ a: [0, 10], b: [5, 20] });
    dirty.mark('a', { since: 20, through: 30, sinceMs: 0 });
    expect(dirty.checkpoint(30)).toBe(0);
    expect([...dirty.entries()].map(([key]) => key)).toEqual(['a', 'b']);
  });

  it('writes a tombstone only with a checkpoint that passes the retirement', () => {
    const dirty = dirtyRuns({ gone: [0, 12], a: [3, 8], b: [9, 20] });
    // Run b does not fit, and lacks records from before the retirement.
    expect(flushOf({ dirty, runs: ['a', 'b'], folded: 20, bytesMax: 1 })).toMatchObject({
      keys: ['a', '#checkpoint'],
      checkpoint: 0,
    });
    expect(flushOf({ dirty, runs: ['a', 'b'], folded: 20, bytesMax: 1 })).toMatchObject({
      keys: ['b', '-gone', '#checkpoint'],
      checkpoint: 20,
    });
  });

  it('waits with figures for ten seconds, and holds the checkpoint back meanwhile', () => {
    const dirty = dirtyRuns({ a: [3, 20] });
    const dirtyFigures = dirtyRuns({ a: [3, 20] });
    const given = { dirty, dirtyFigures, runs: ['a'], folded: 20 };
    expect(flushOf({ ...given, nowMs: 9_999 })).toMatchObject({
      keys: ['a', '#checkpoint'],
      figureKeys: ['#checkpoint'],
      checkpoint: 3,
    });
    expect(flushOf({ ...given, nowMs: 10_000 })).toMatchObject({
      keys: ['#checkpoint'],
      figureKeys: ['a', '#checkpoint'],
      checkpoint: 20,
    });
  });

  it('writes young figures too when everything is to be written', () => {
    const given = { dirty: dirtyRuns({}), dirtyFigures: dirtyRuns({ a: [3, 20] }), runs: ['a'], folded: 20 };
    expect(flushOf({ ...given, all: true })).toMatchObject({
      figureKeys: ['a', '#checkpoint'],
      checkpoint: 20,
    });
  });

  it('writes the snapshot with the figures, so that both are stored at one position', () => {
    const given = { dirty: dirtyRuns({ b: [1, 9], a: [5, 20] }), dirtyFigures: dirtyRuns({ a: [0, 20] }) };
    const flush = flushOf({ ...given, runs: ['a', 'b'], folded: 20, bytesMax: 1, all: true });
    expect(flush).toMatchObject({
      keys: ['a', '#checkpoint'],
      figureKeys: ['a', '#checkpoint'],
      checkpoint: 1,
    });
  });

  it('does not write figures that are still behind their snapshot', () => {
    const given = { dirty: dirtyRuns({}), dirtyFigures: dirtyRuns({ a: [3, 20] }), runs: ['a'], folded: 20 };
    expect(flushOf({ ...given, all: true, behind: 1 })).toMatchObject({
      figureKeys: ['#checkpoint'],
      checkpoint: 3,
    });
  });

  it('writes figures at once when the snapshot no longer tells all repeats that they lack', () => {
    const repeats = { unknown_below: 4, ranges: [] };
    const state = { ...foldEvents([epochCompleted()]), repeats };
    const flushed = (since: number) =>
      flushOf({
        ...{ dirty: dirtyRuns({ a: [9, 20] }), dirtyFigures: dirtyRuns({ a: [since, 20] }) },
        ...{ runs: ['a'], folded: 20, state },
      }).figureKeys;
    expect(flushed(4)).toEqual(['#checkpoint']);
    expect(flushed(3)).toEqual(['a', '#checkpoint']);
  });

  it('writes figures once that were due and taken along with their snapshot', () => {
    const state = { ...foldEvents([epochCompleted()]), repeats: { unknown_below: 4, ranges: [] } };
    const given = { dirty: dirtyRuns({ a: [0, 20] }), dirtyFigures: dirtyRuns({ a: [1, 20] }) };
    expect(flushOf({ ...given, state, runs: ['a'], folded: 20, all: true })).toMatchObject({
      keys: ['a', '#checkpoint'],
      figureKeys: ['a', '#checkpoint'],
      checkpoint: 20,
    });
  });

  it('writes tombstones for figures that were left without their run', () => {
    const given = { dirty: dirtyRuns({}), dirtyFigures: dirtyRuns({ gone: [3, 12] }), runs: [], folded: 20 };
    expect(flushOf(given)).toMatchObject({ figureKeys: ['-gone', '#checkpoint'], checkpoint: 20 });
  });

  it('writes both tombstones, and only with a checkpoint that passes the retirement', () => {
    const dirty = dirtyRuns({ gone: [0, 12] });
    const dirtyFigures = dirtyRuns({ gone: [0, 12], a: [9, 20] });
    const given = { dirty, dirtyFigures, runs: ['a'], folded: 20 };
    expect(flushOf(given)).toMatchObject({
      keys: ['#checkpoint'],
      figureKeys: ['#checkpoint'],
      checkpoint: 0,
    });
    expect(flushOf({ ...given, all: true })).toMatchObject({
      keys: ['-gone', '#checkpoint'],
      figureKeys: ['a', '-gone', '#checkpoint'],
      checkpoint: 20,
    });
  });
});
