import type { RunSort, RunState } from './snapshot.ts';

/** How runs are sorted. It stands here for those who load no library of schemas, such as the page. */

/** The fields that a list of runs can be sorted by. */
export const runSortFields = [
  'last_received_at',
  'cluster_id',
  'run_id',
  'group_id',
  'status',
  'state',
  'task_name',
  'started_at',
  'events',
  'duplicates',
  'missing',
  'episode',
  'batch',
  'accuracy',
  'reward',
] as const;
export type RunSortField = (typeof runSortFields)[number];

/** The order of a list that names none. */
export const RUN_SORT_DEFAULT = '-last_received_at' satisfies RunSort;

/** The states as runs are sorted and grouped by them: what needs somebody comes first. */
export const runStatesByNeed = [
  'failed',
  'lost_contact',
  'quiet',
  'running',
  'finished',
] as const satisfies readonly RunState[];
