import type { RunRow } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { evidenceOf } from '../run/evidence.ts';
import { whyOf } from './row-why.ts';

const NOW_MS = Date.UTC(2026, 10, 28, 7, 30);
const ago = (ms: number) => new Date(NOW_MS - ms).toISOString();
const row = (over: Partial<RunRow> = {}) =>
  ({
    ...{ status: 'running', state: 'running', last_received_at: ago(400), interval_ms: 25_000, end: null },
    ...over,
  }) as RunRow;
const why = (of: RunRow, unknownSinceMs: number | null = null) =>
  whyOf(of, evidenceOf(of, { nowMs: NOW_MS, unknownSinceMs }), NOW_MS);
const failed = (reason: string | null) =>
  row({ status: 'failed', state: 'failed', end: { status: 'failed', at: ago(180_000), reason, seq: 9 } });

describe('what stands beside the state of a run', () => {
  const quiet = row({ state: 'quiet', last_received_at: ago(42_000) });
  it.each<[string, RunRow, string, string]>([
    ['the age of the last event while it runs', row({ last_received_at: ago(4_000) }), '4.0 s', ''],
    ['no figure that jumps each second', row(), 'now', ''],
    ['what it is judged by when it is quiet', quiet, '42 s', 'usually every 25 s'],
    ['nothing more of a usual interval that nobody knows', { ...quiet, interval_ms: null }, '42 s', ''],
    ['that no heartbeat came', { ...quiet, state: 'lost_contact' }, '42 s', 'no heartbeat either'],
    ['the reason of its failure', failed('loss is NaN\n(env 2)'), '3 m', 'loss is NaN␊(env 2)'],
    ['when it failed if it gave no reason', failed(null), '3 m', 'no reason given'],
  ])('is %s', (_name, of, age, text) => {
    expect(why(of)).toMatchObject({ age, text });
  });

  it('is since when nothing is known while nothing is', () => {
    expect(why(failed('loss is NaN'), NOW_MS - 60_000)).toEqual({
      ...{ age: '–', text: 'was failed · since 07:29 UTC' },
      ...{ title: 'unknown since 07:29 UTC: was failed', isReason: false },
    });
  });

  it('tells a pointer the reason and its age', () => {
    expect(why(failed('loss is NaN')).title).toBe('loss is NaN · failed: 3 m ago');
  });
});
