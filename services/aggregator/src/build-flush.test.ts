import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents, TEST_EPOCH } from '../../../test/support/event-factory.ts';
import { buildFlush } from './build-flush.ts';
import { DirtyRuns } from './dirty-runs.ts';

function flushOf(options: { dirty: DirtyRuns; runs: readonly string[]; folded: number; bytesMax?: number }) {
  const state = foldEvents([epochCompleted()]);
  const states = new Map<string, RunSnapshot>(options.runs.map((key) => [key, state]));
  const { dirty, folded, bytesMax = 1e9 } = options;
  const flush = buildFlush({ dirty, states, folded, epoch: TEST_EPOCH, bytesMax, nowMs: 0 });
  return { ...flush, keys: flush.records.map(({ key, value }) => (value === null ? `-${key}` : key)) };
}

function dirtyRuns(lacks: Record<string, [since: number, through: number]>): DirtyRuns {
  const dirty = new DirtyRuns();
  for (const [key, [since, through]] of Object.entries(lacks)) dirty.mark(key, { since, through });
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
    dirty.mark('a', { since: 20, through: 30 });
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
});
