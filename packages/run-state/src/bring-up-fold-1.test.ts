import { readFileSync } from 'node:fs';
import { decodeRunRecord } from '@runlog/records/run-record';
import { SNAPSHOT_BYTES_MAX } from '@runlog/schema/limits';
import { type RunSnapshot, runSnapshotSchema } from '@runlog/schema/run/snapshot';
import { type RunSnapshotFold1, runSnapshotFold1Schema } from '@runlog/schema/run/snapshot-fold-1';
import { describe, expect, it } from 'vitest';
import { epochCompleted, recordOf, trainingStarted } from '../../../test/support/event-factory.ts';
import { fold1Log, fold1Snapshots } from '../../../test/support/fold-1-log.ts';
import { bringUpFold1 } from './bring-up-fold-1.ts';
import { evolve } from './evolve.ts';

const stored = new Map(
  [...fold1Snapshots()].map(([key, bytes]) => [
    key,
    runSnapshotFold1Schema.parse(JSON.parse(bytes.toString())),
  ]),
);
const keys = [...stored.keys()];

function keyOf(name: string): string {
  return keys.find((key) => key.startsWith(`local/${name}`))!;
}

function former(name: string, overrides: Partial<RunSnapshotFold1> = {}): RunSnapshotFold1 {
  return { ...stored.get(keyOf(name))!, ...overrides };
}

/** Folds the run's events that the log still holds, up to the position of its snapshot. */
function foldedAnew(name: string): RunSnapshot {
  const { position } = former(name);
  let state: RunSnapshot | null = null;
  for (const { topic, key, value, ...record } of fold1Log.records) {
    if (topic !== 'run-events' || key !== keyOf(name) || record.offset > position.seq) continue;
    const decoded = decodeRunRecord({ ...record, key, value: Buffer.from(value!) }, position.epoch);
    if (decoded.kind !== 'unfoldable') state = evolve(state, decoded);
  }
  return state!;
}

describe('bringing a snapshot of version 1 up', () => {
  it.each(keys)('makes a snapshot of this version of %s', (key) => {
    const state = bringUpFold1(stored.get(key)!);
    const text = JSON.stringify(state);
    expect(JSON.stringify(runSnapshotSchema.parse(JSON.parse(text)))).toBe(text);
    const { position, total_events_received, duplicates, missing, unsure, counts } = stored.get(key)!;
    expect(state).toMatchObject({ position, total_events_received, duplicates, missing, unsure, counts });
  });

  it.each(['short', 'one-env'])('makes one of the golden snapshot of %s', (name) => {
    const file = new URL(`../../../test/fixtures/golden/${name}.fold-1.json`, import.meta.url);
    const golden = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    const state = bringUpFold1(runSnapshotFold1Schema.parse(golden));
    expect(runSnapshotSchema.parse(state)).toEqual(state);
  });

  it.each(['finished', 'late-rank', 'unnumbered', 'behind', 'failed'])(
    'says the same of %s as a fold of its events, except what version 1 did not keep',
    (name) => {
      expect(known(bringUpFold1(former(name)))).toEqual(known(foldedAnew(name)));
    },
  );

  function known(state: RunSnapshot): object {
    const { partial: _partial, partial_because: _because, ...rest } = state;
    const withoutIds = Object.entries(state.emitters).map(([id, emitter]) => [id, { ...emitter, ids: '' }]);
    const plain = (entries: RunSnapshot['event_log']) =>
      entries.map(({ severity: _severity, values: _values, ...entry }) => entry);
    return {
      ...rest,
      // A reason in `data`, attempts, intervals, landmarks, repeats and the ids of numbers were not kept.
      end: state.end && { ...state.end, reason: null },
      ...{ attempts: [], interval_ms: null, landmarks: [], repeats: null },
      emitters: Object.fromEntries(withoutIds),
      event_log: plain(state.event_log),
      milestones: plain(state.milestones),
    };
  }

  it('knows how a run ended, also if events of another rank came late', () => {
    expect(bringUpFold1(former('finished')).end).toMatchObject({ reason: 'all batches done' });
    expect(bringUpFold1(former('failed')).end).toMatchObject({ status: 'failed', reason: null });
    expect(bringUpFold1(former('gone-whole'))).toMatchObject({
      ...{ status: 'failed', partial: true, partial_because: 'first_numbers_missing' },
      end: { status: 'failed', reason: 'CUDA out of memory on rank 3', seq: 135 },
    });
    expect(former('late-rank').status).toBe('running');
    expect(bringUpFold1(former('late-rank'))).toMatchObject({
      status: 'finished',
      end: { status: 'finished', reason: 'done' },
    });
    expect(bringUpFold1(former('behind'))).toMatchObject({ status: 'running', end: null });
  });

  it('says that the beginning is missing only where the numbering proves it', () => {
    const emitters = (gaps: [number, number][]) => ({ a: { last: 9, gaps, floor: 0, lost: 0, seen: 5 } });
    const broughtUp = (partial: boolean, gaps: [number, number][]) =>
      bringUpFold1(former('behind', { partial, emitters: emitters(gaps) }));
    expect(broughtUp(true, [])).toMatchObject({ partial: null, partial_because: null });
    expect(broughtUp(true, [[3, 4]])).toMatchObject({ partial: null, partial_because: null });
    expect(broughtUp(false, [[3, 4]])).toMatchObject({ partial: false, partial_because: null });
    expect(broughtUp(false, [[1, 2]])).toMatchObject({
      partial: true,
      partial_because: 'first_numbers_missing',
    });
  });

  it('keeps what each emitter is missing, also if its share of gaps is smaller now', () => {
    const gaps = Array.from({ length: 20 }, (_, index): [number, number] => [3 * index + 2, 3 * index + 3]);
    const emitters = Object.fromEntries(
      Array.from({ length: 64 }, (_, rank) => [
        `rank-${rank}`,
        { last: 62, gaps, floor: rank === 0 ? 1 : 0, lost: rank === 0 ? null : 0, seen: rank },
      ]),
    );
    const state = bringUpFold1(former('many', { emitters }));
    expect(state.emitters['rank-0']).toEqual({
      ...{ last: 62, gaps: gaps.slice(8), seen: 0, ids: '' },
      forgotten: { through: 24, missing: null },
    });
    expect(state.emitters['rank-1']).toEqual({
      ...{ last: 62, gaps: gaps.slice(8), seen: 1, ids: '' },
      forgotten: { through: 24, missing: 16 },
    });
    expect(state).toMatchObject({ missing: 28, missing_is_exact: false });
  });

  it('gives a state that folds on: numbers, gaps, ids and the listing of repeats', () => {
    const run = { run_id: 'gone-running' };
    let state: RunSnapshot = bringUpFold1(former('gone-running'));
    const before = state;
    const fold = (overrides: object) => {
      const record = recordOf(epochCompleted({ ...run, ...overrides }), {
        ...{ seq: state.position.seq + 1, cluster: 'local', receivedAt: '2026-11-28T00:00:00.000Z' },
      });
      state = evolve(state, record)!;
    };
    fold({ emitter_id: 'trainer', emitter_seq: 80 });
    fold({ event_id: 'twice' });
    expect(state).toMatchObject({
      duplicates: before.duplicates + 2,
      repeats: { unknown_below: 69, ranges: [[69, 70]] },
    });
    fold({ emitter_id: 'trainer', emitter_seq: 22 });
    expect(state.missing).toBe(before.missing - 1);
    fold({ emitter_id: 'trainer', emitter_seq: 83 });
    const ordinal = before.total_events_received - before.duplicates;
    expect(state.missing).toBe(before.missing + 1);
    expect(state.landmarks.map(([seq, number]) => [seq, number])).toEqual([
      [71, ordinal + 1],
      [72, ordinal + 2],
    ]);
    expect(state.conflicts).toBe(0);
    expect(runSnapshotSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
  });

  it('counts the next start as another attempt', () => {
    const state = bringUpFold1(former('gone-running'));
    const record = recordOf(trainingStarted({ run_id: 'gone-running' }), { seq: 100, cluster: 'local' });
    expect(evolve(state, record)).toMatchObject({ attempt: 2, attempts: [{ seq: 100 }] });
  });

  it('stays within the bound with a snapshot of 512 KiB', () => {
    const plain = former('finished').event_log[0]!;
    const log = (letters: number) =>
      Array.from({ length: 100 }, (_, seq) => ({ ...plain, seq, message: 'm'.repeat(letters) }));
    const wide = (letters: number) => former('finished', { event_log: log(letters), evicted_seq: null });
    const rest = Buffer.byteLength(JSON.stringify(wide(0)));
    const large = wide(Math.floor((SNAPSHOT_BYTES_MAX - rest) / 100));
    expect(Buffer.byteLength(JSON.stringify(large))).toBeGreaterThan(SNAPSHOT_BYTES_MAX - 100);
    const state = bringUpFold1(large);
    expect(Buffer.byteLength(JSON.stringify(state))).toBeLessThanOrEqual(SNAPSHOT_BYTES_MAX);
    expect(state.event_log.length).toBeGreaterThan(90);
    expect(state.evicted_seq).toBe(state.event_log[0]!.seq - 1);
    expect(runSnapshotSchema.parse(state)).toEqual(state);
  });
});
