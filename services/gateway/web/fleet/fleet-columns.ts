import { type RunSortField, runSortFields } from '@runlog/schema/run/run-sorting';
import type { RunGroupField, RunSort } from '@runlog/schema/run/snapshot';
import type { Grouping } from '../shell/address.ts';

/** A column of the table, in its order. */
export interface FleetColumn {
  readonly id: string;
  /** Empty: its head says nothing to the eye. */
  readonly head: string;
  /** What the head means, for a pointer and for screen readers. */
  readonly title: string;
  /** How it sorts when it is chosen; null: the server does not sort by it. */
  readonly sort: RunSort | null;
}

export const fleetColumns = [
  { id: 'mark', head: '', title: 'marked for a comparison', sort: null },
  { id: 'state', head: 'state', title: 'state: what needs somebody first', sort: 'state' },
  {
    id: 'age',
    head: 'last event',
    title: 'how long ago the last event came, or the run ended',
    sort: '-last_received_at',
  },
  { id: 'why', head: 'why', title: 'why the run failed, or what its state is judged by', sort: null },
  { id: 'run', head: 'run', title: 'cluster / run, and its group', sort: 'run_id' },
  { id: 'task', head: 'task', title: 'task', sort: 'task_name' },
  { id: 'round', head: 'round', title: 'rounds done of all', sort: '-batch' },
  { id: 'accuracy', head: 'acc %', title: 'accuracy in percent', sort: '-accuracy' },
  { id: 'spark', head: '', title: 'course of the accuracy', sort: null },
  { id: 'reward', head: 'reward', title: 'average reward', sort: '-reward' },
  { id: 'rate', head: 'ev/s', title: 'events a second', sort: null },
  { id: 'events', head: 'events', title: 'events received', sort: '-events' },
  { id: 'missing', head: 'missing', title: 'events that were sent and never came', sort: '-missing' },
] as const satisfies readonly FleetColumn[];

/** A cell across the table spans those columns that each width has; one of all would make columns that others hide anew. */
export const COLUMNS_SPANNED = fleetColumns.findIndex(({ id }) => id === 'run') + 1;

/** The order of a table of which nobody has chosen one. */
export const FLEET_SORT = 'state' satisfies RunSort;

const fields: ReadonlySet<string> = new Set(runSortFields);

/** The order that an address names; the usual one if the server has none of that name. */
export function sortOf(named: string | null): RunSort {
  return named !== null && fields.has(named.replace(/^-/, '')) ? (named as RunSort) : FLEET_SORT;
}

export const fieldOf = (sort: RunSort): RunSortField => sort.replace(/^-/, '') as RunSortField;

/** What choosing a column does: its own order, then the other way round, then the usual order (null). */
export function nextSort(column: Pick<FleetColumn, 'sort'>, held: RunSort): RunSort | null {
  const { sort } = column;
  if (sort === null) return null;
  if (held === sort) return reversed(sort);
  if (held === reversed(sort)) return null;
  return sort === FLEET_SORT ? null : sort;
}

/** The order by the column after the one that is sorted by; after the last the usual one (null). */
export function sortByNextColumn(held: RunSort): RunSort | null {
  const sorts = fleetColumns.flatMap(({ sort }) => (sort === null ? [] : [sort]));
  const at = sorts.findIndex((sort) => fieldOf(sort) === fieldOf(held));
  return sorts[at + 1] ?? null;
}

function reversed(sort: RunSort): RunSort {
  const field = fieldOf(sort);
  return sort === field ? `-${field}` : field;
}

export const groupFields: Readonly<Record<Grouping, RunGroupField>> = {
  cluster: 'cluster_id',
  task: 'task_name',
  state: 'state',
};
