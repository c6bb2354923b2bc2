import { instantOf } from '@runlog/schema/events/instant';
import type { RunRow, RunSort, RunSortField } from '@runlog/schema/run/snapshot';

/** The fields that runs are sorted by. Heads and rows both have them. */
export type SortableRun = Pick<
  RunRow,
  | 'cluster_id'
  | 'run_id'
  | 'group_id'
  | 'status'
  | 'task_name'
  | 'started_at'
  | 'last_received_at'
  | 'total_events_received'
  | 'duplicates'
  | 'missing'
  | 'current_episode'
  | 'current_batch'
  | 'batch_avg_accuracy'
  | 'batch_avg_reward'
>;

export type SortValue = string | number | null;

/** The place of a run in an order: its sort value, and its key `cluster/run/group`, which decides between equal values. */
export interface RunPlace {
  readonly value: SortValue;
  readonly key: string;
}

/** An order of runs that the gateway and its clients share. */
export interface RunOrder {
  readonly valueOf: (run: SortableRun) => SortValue;
  readonly compare: (left: RunPlace, right: RunPlace) => number;
}

const sortValues = {
  last_received_at: (run) => run.last_received_at,
  cluster_id: (run) => run.cluster_id,
  run_id: (run) => run.run_id,
  group_id: (run) => run.group_id,
  status: (run) => run.status,
  task_name: (run) => run.task_name,
  started_at: (run) => (run.started_at === null ? null : instantOf(run.started_at)),
  events: (run) => run.total_events_received,
  duplicates: (run) => run.duplicates,
  missing: (run) => run.missing,
  episode: (run) => run.current_episode,
  batch: (run) => run.current_batch,
  accuracy: (run) => run.batch_avg_accuracy,
  reward: (run) => run.batch_avg_reward,
} as const satisfies Record<RunSortField, (run: SortableRun) => SortValue>;

/** Returns the order that a sort names. Equal values are in the order of their keys, whatever the direction. */
export function runOrder(sort: RunSort): RunOrder {
  const isDescending = sort.startsWith('-');
  return {
    valueOf: sortValues[(isDescending ? sort.slice(1) : sort) as RunSortField],
    compare: (left, right) =>
      compareValues(left.value, right.value, isDescending) || compareKeys(left.key, right.key),
  };
}

/** Unknown values come last, whatever the direction. */
function compareValues(left: SortValue, right: SortValue, isDescending: boolean): number {
  if (left === right) return 0;
  if (left === null) return 1;
  if (right === null) return -1;
  return left < right === isDescending ? 1 : -1;
}

function compareKeys(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
