import { instantOf } from '@runlog/schema/events/instant';
import { type RunSortField, runStatesByNeed } from '@runlog/schema/run/run-sorting';
import type { RunGroupField, RunRow, RunSort, RunState } from '@runlog/schema/run/snapshot';

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

/** A value of the field that runs are grouped by. Null if the run has none, or if nothing is grouped. */
export type GroupValue = string | null;

/**
 * The place of a run in an order: its group, its sort value, and its key `cluster/run/group`, which decides between equal
 * values.
 */
export interface RunPlace {
  readonly group: GroupValue;
  readonly value: SortValue;
  readonly key: string;
}

/** An order of runs that the gateway and its clients share. */
export interface RunOrder {
  /** Whether the place of a run depends on its state, and so on time. */
  readonly usesState: boolean;
  readonly placeOf: (key: string, run: SortableRun, state: RunState) => RunPlace;
  readonly valueOf: (run: SortableRun, state: RunState) => SortValue;
  readonly compare: (left: RunPlace, right: RunPlace) => number;
}

/** Greater than any time of arrival that a run of these millennia has, in ms, and small enough for exact sums. */
const RANK_MS = 1e14;
const ranks: ReadonlyMap<string, number> = new Map(runStatesByNeed.map((state, rank) => [state, rank]));

const sortValues = {
  last_received_at: (run) => run.last_received_at,
  cluster_id: (run) => run.cluster_id,
  run_id: (run) => run.run_id,
  group_id: (run) => run.group_id,
  status: (run) => run.status,
  state: (run, { state, isDescending }) => {
    const receivedAtMs = Math.min(Date.parse(run.last_received_at), RANK_MS - 1);
    // The newest comes first among equals, whatever the direction.
    return ranks.get(state)! * RANK_MS + (isDescending ? receivedAtMs : -receivedAtMs);
  },
  task_name: (run) => run.task_name,
  started_at: (run) => (run.started_at === null ? null : instantOf(run.started_at)),
  events: (run) => run.total_events_received,
  duplicates: (run) => run.duplicates,
  missing: (run) => run.missing,
  episode: (run) => run.current_episode,
  batch: (run) => run.current_batch,
  accuracy: (run) => run.batch_avg_accuracy,
  reward: (run) => run.batch_avg_reward,
} as const satisfies Record<
  RunSortField,
  (run: SortableRun, by: { state: RunState; isDescending: boolean }) => SortValue
>;

export const groupValues = {
  cluster_id: (run) => run.cluster_id,
  task_name: (run) => run.task_name,
  state: (_run, state) => state,
} as const satisfies Record<RunGroupField, (run: SortableRun, state: RunState) => GroupValue>;

/**
 * Returns the order that a sort names, with the runs of each group together if they are grouped. Equal values are in the
 * order of their keys, whatever the direction, which is that of the sort and not of the groups.
 */
export function runOrder(sort: RunSort, groupBy: RunGroupField | null = null): RunOrder {
  const isDescending = sort.startsWith('-');
  const field = (isDescending ? sort.slice(1) : sort) as RunSortField;
  const byState = (run: SortableRun, state: RunState) => sortValues.state(run, { state, isDescending });
  const sortedBy = field === 'state' ? byState : sortValues[field];
  const groupedBy = groupBy === null ? () => null : groupValues[groupBy];
  const compareGroups = groupOrder(groupBy);
  const compareInGroup = (left: RunPlace, right: RunPlace) =>
    compareValues(left.value, right.value, isDescending) || compareKeys(left.key, right.key);
  return {
    usesState: field === 'state' || groupBy === 'state',
    placeOf: (key, run, state) => ({ group: groupedBy(run, state), value: sortedBy(run, state), key }),
    valueOf: sortedBy,
    compare:
      groupBy === null
        ? compareInGroup
        : (left, right) => compareGroups(left.group, right.group) || compareInGroup(left, right),
  };
}

/** Returns the order of groups: states by need, others by value with those that have none at the end. */
export function groupOrder(groupBy: RunGroupField | null): (left: GroupValue, right: GroupValue) => number {
  if (groupBy !== 'state') return (left, right) => compareValues(left, right, false);
  return (left, right) => compareValues(rankOf(left), rankOf(right), false);
}

function rankOf(state: GroupValue): number | null {
  return state === null ? null : (ranks.get(state) ?? null);
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
