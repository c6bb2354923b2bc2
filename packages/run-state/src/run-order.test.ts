import { formatRunKey } from '@runlog/schema/run/run-key';
import { type RunSort, runSortSchema } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runOrder, type SortableRun } from './run-order.ts';

function run(overrides: Partial<SortableRun> = {}): SortableRun {
  return {
    ...{ cluster_id: 'c1', run_id: 'r1', group_id: 'default', status: 'running', task_name: null },
    ...{ started_at: null, last_received_at: '2026-01-04T00:00:00.000Z', total_events_received: 1 },
    ...{ duplicates: 0, missing: 0, current_episode: 0, current_batch: 0 },
    ...{ batch_avg_accuracy: null, batch_avg_reward: null },
    ...overrides,
  };
}

function sorted(runs: readonly SortableRun[], sort: RunSort): string[] {
  const order = runOrder(sort);
  return runs
    .map((each) => ({ key: formatRunKey(each), value: order.valueOf(each) }))
    .sort(order.compare)
    .map(({ key }) => key.split('/')[1]!);
}

describe('an order of runs', () => {
  it('goes by the instant at which runs started, whatever form their timestamps have', () => {
    const starts = ['2026-01-03T23:00:00+05:00', '20260103T190000Z', '2026-01-03 20:00:00+00'];
    const runs = starts.map((started_at, at) => run({ run_id: `r${at}`, started_at }));
    expect(sorted(runs, 'started_at')).toEqual(['r0', 'r1', 'r2']);
    expect(sorted(runs, '-started_at')).toEqual(['r2', 'r1', 'r0']);
  });

  it('puts unknown values last and equal values in the order of their keys, in both directions', () => {
    const accuracies = [null, 7, 9, 7];
    const runs = accuracies.map((batch_avg_accuracy, at) => run({ run_id: `r${at}`, batch_avg_accuracy }));
    expect(sorted(runs, 'accuracy')).toEqual(['r1', 'r3', 'r2', 'r0']);
    expect(sorted(runs, '-accuracy')).toEqual(['r2', 'r1', 'r3', 'r0']);
  });

  it.each(runSortSchema.options)('by %s is total', (sort) => {
    const runs = fc.record({
      run_id: fc.constantFrom('a', 'b', 'B', 'c'),
      group_id: fc.constantFrom('x', 'y'),
      status: fc.constantFrom('running', 'failed'),
      task_name: fc.constantFrom(null, 'a', 'b'),
      started_at: fc.constantFrom(null, '2026-01-03T23:00:00Z', '2026-01-03T23:00:00+01'),
      batch_avg_accuracy: fc.constantFrom(null, 0, -0, 1),
    });
    const order = runOrder(sort);
    const place = (of: Partial<SortableRun>) => {
      const each = run(of);
      return { key: formatRunKey(each), value: order.valueOf(each) };
    };
    fc.assert(
      fc.property(runs, runs, runs, (...sent) => {
        const [a, b, c] = sent.map(place) as [
          ReturnType<typeof place>,
          ReturnType<typeof place>,
          ReturnType<typeof place>,
        ];
        expect(Math.sign(order.compare(a, b)) + Math.sign(order.compare(b, a))).toBe(0);
        if (order.compare(a, b) === 0) expect(a.key).toBe(b.key);
        if (order.compare(a, b) < 0 && order.compare(b, c) < 0) expect(order.compare(a, c)).toBeLessThan(0);
      }),
    );
  });
});
