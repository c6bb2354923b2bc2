import { formatRunKey } from '@runlog/schema/run/run-key';
import { runStatesByNeed } from '@runlog/schema/run/run-sorting';
import {
  type RunGroupField,
  type RunSort,
  type RunState,
  runGroupFieldSchema,
  runSortSchema,
} from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runOrder, type SortableRun } from './run-order.ts';

type MadeUpRun = SortableRun & { state: RunState };

function run(overrides: Partial<MadeUpRun> = {}): MadeUpRun {
  return {
    ...{ cluster_id: 'c1', run_id: 'r1', group_id: 'default', status: 'running', task_name: null },
    ...{ state: 'running' },
    ...{ started_at: null, last_received_at: '2026-01-04T00:00:00.000Z', total_events_received: 1 },
    ...{ duplicates: 0, missing: 0, current_episode: 0, current_batch: 0 },
    ...{ batch_avg_accuracy: null, batch_avg_reward: null },
    ...overrides,
  };
}

function sorted(runs: readonly MadeUpRun[], sort: RunSort, groupBy: RunGroupField | null = null): string[] {
  const order = runOrder(sort, groupBy);
  return runs
    .map((each) => order.placeOf(formatRunKey(each), each, each.state))
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

  it('by state begins with what needs somebody, and with the newest among equals in both directions', () => {
    const at = (second: number) => `2026-01-04T00:00:0${second}.000Z`;
    const runs = [...runStatesByNeed]
      .reverse()
      .flatMap((state, index) => [
        run({ run_id: `${state}-old`, state, last_received_at: at(index) }),
        run({ run_id: `${state}-new`, state, last_received_at: at(index + 1) }),
        run({ run_id: `${state}-like-it`, state, last_received_at: at(index + 1) }),
      ]);
    const expected = (states: readonly RunState[]) =>
      states.flatMap((state) => [`${state}-like-it`, `${state}-new`, `${state}-old`]);
    expect(sorted(runs, 'state')).toEqual(expected(runStatesByNeed));
    expect(sorted(runs, '-state')).toEqual(expected([...runStatesByNeed].reverse()));
  });

  it('keeps groups together, in an order of their own', () => {
    const runs = [
      run({ run_id: 'a', task_name: 'y', current_batch: 1 }),
      run({ run_id: 'b', task_name: null, current_batch: 9 }),
      run({ run_id: 'c', task_name: 'x', current_batch: 2, state: 'quiet' }),
      run({ run_id: 'd', task_name: 'y', current_batch: 3, state: 'failed' }),
    ];
    expect(sorted(runs, '-batch', 'task_name')).toEqual(['c', 'd', 'a', 'b']);
    expect(sorted(runs, 'batch', 'task_name')).toEqual(['c', 'a', 'd', 'b']);
    expect(sorted(runs, 'batch', 'state')).toEqual(['d', 'c', 'a', 'b']);
  });

  const asked = runSortSchema.options.flatMap((sort) =>
    [null, ...runGroupFieldSchema.options].map((groupBy) => [sort, groupBy] as const),
  );
  it.each(asked)('by %s in groups of %s is total', (sort, groupBy) => {
    const runs = fc.record({
      run_id: fc.constantFrom('a', 'b', 'B', 'c'),
      group_id: fc.constantFrom('x', 'y'),
      cluster_id: fc.constantFrom('c1', 'c2'),
      status: fc.constantFrom('running', 'failed'),
      state: fc.constantFrom(...runStatesByNeed),
      last_received_at: fc.constantFrom('2026-01-04T00:00:00.000Z', '2026-01-04T00:00:00.001Z'),
      task_name: fc.constantFrom(null, 'a', 'b'),
      started_at: fc.constantFrom(null, '2026-01-03T23:00:00Z', '2026-01-03T23:00:00+01'),
      batch_avg_accuracy: fc.constantFrom(null, 0, -0, 1),
    });
    const order = runOrder(sort, groupBy);
    const place = (of: Partial<MadeUpRun>) => {
      const each = run(of);
      return order.placeOf(formatRunKey(each), each, each.state);
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
