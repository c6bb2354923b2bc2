import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { MadeUpRuns } from '../made-up/made-up-runs.ts';
import { Verifications, type Verified } from './verifications.ts';

const run = (name: string): RunSnapshot => new MadeUpRuns().append(`c1/${name}/default`, [{}]).after!;
const at = (seq: number): Verified => ({
  verified: { seq, at: '2026-01-04T00:00:00.000Z', is_equal: true, took_ms: 1 },
  unverified_because: null,
});

describe('the verifications of runs', () => {
  it('keep the newest of each run, of the 1,000 that were verified last', () => {
    const verifications = new Verifications();
    const runs = Array.from({ length: 1_001 }, (_, index) => run(`r${index}`));
    for (const [index, each] of runs.entries()) {
      verifications.set(each, at(index));
      verifications.set(runs[0]!, at(5_000 + index));
    }
    expect(verifications.of(runs[0]!)).toEqual(at(6_000));
    expect(verifications.of(runs[1]!)).toEqual({ verified: null, unverified_because: 'not_asked' });
    expect(verifications.of(runs[2]!)).toEqual(at(2));
    expect(verifications.of(runs[1_000]!)).toEqual(at(1_000));
  });

  it('say nothing of another life of a run', () => {
    const verifications = new Verifications();
    const first = run('r1');
    verifications.set(first, at(1));
    const grown = { ...first, position: { ...first.position, seq: 9 } };
    expect(verifications.of(grown)).toEqual(at(1));
    for (const other of [
      { ...first, first_seq: 5 },
      { ...first, position: { epoch: 'e2', seq: 1 } },
    ]) {
      expect(verifications.of(other)).toMatchObject({ verified: null });
    }
  });
});
