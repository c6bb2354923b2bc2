import { DEFAULT_GROUP } from '@runlog/schema/run/run-key';
import type { RunRow } from '@runlog/schema/run/snapshot';
import { expect, it } from 'vitest';
import { runsText } from './runs.ts';

const nowMs = Date.UTC(2026, 0, 4);

function row(of: Partial<RunRow>): RunRow {
  return {
    ...{ cluster_id: 'c1', run_id: 'r1', group_id: DEFAULT_GROUP, task_name: null, state: 'finished' },
    ...{ state_since: null, interval_ms: null, last_received_at: new Date(nowMs - 5_000).toISOString() },
    ...{ events_per_second: 0, total_events_received: 12, duplicates: 0, missing: 0, missing_is_exact: true },
    ...{ current_batch: 3, max_batches: null, batch_avg_accuracy: null, batch_avg_reward: null },
    ...of,
  } as RunRow;
}

it('lists groups under their names, with how many runs each of them has', () => {
  const rows = [
    row({ run_id: 'a', task_name: 'cifar' }),
    row({ run_id: 'b', task_name: 'cifar' }),
    row({ run_id: 'c' }),
  ];
  const text = runsText(rows, {
    ...{ total: 9, nowMs, groupBy: 'task_name' },
    groups: [
      ['cifar', 8],
      [null, 1],
    ],
  });
  const lines = text.split('\n').map((line) => line.split('  ')[0]);
  expect(lines).toEqual(
    [
      'cifar (8)',
      'RUN',
      'c1/a/default',
      'c1/b/default',
      '',
      'no task_name (1)',
      'RUN',
      'c1/c/default',
    ].concat(['6 more runs: --limit', '']),
  );
});

it('lists runs that are not grouped in one table', () => {
  const text = runsText([row({}), row({ run_id: 'r2', cluster_id: 'c2' })], { total: 2, nowMs });
  expect(text.split('\n')).toHaveLength(4);
});
