import type { RunSortField } from '@runlog/schema/run/run-sorting';

/** A column of the table. */
export interface FleetColumn {
  readonly name: string;
  /** What the server sorts by; null if the column cannot be sorted. */
  readonly sort: RunSortField | null;
  /** Whether the greatest or newest comes first when the column is pressed for the first time. */
  readonly isDescending: boolean;
  readonly isNumber: boolean;
}

/** In the order of the table. */
export const fleetColumns: readonly FleetColumn[] = [
  { name: 'state', sort: 'state', isDescending: false, isNumber: false },
  { name: 'last event / why', sort: 'last_received_at', isDescending: true, isNumber: false },
  { name: 'run', sort: 'run_id', isDescending: false, isNumber: false },
  { name: 'task', sort: 'task_name', isDescending: false, isNumber: false },
  { name: 'round', sort: 'batch', isDescending: true, isNumber: false },
  { name: 'acc %', sort: 'accuracy', isDescending: true, isNumber: true },
  { name: 'trend', sort: null, isDescending: false, isNumber: false },
  { name: 'reward', sort: 'reward', isDescending: true, isNumber: true },
  { name: 'ev/s', sort: null, isDescending: false, isNumber: true },
  { name: 'events', sort: 'events', isDescending: true, isNumber: true },
  { name: 'missing', sort: 'missing', isDescending: true, isNumber: true },
];

/** What a press on a column sorts by, when the table is sorted so; null: by the table's own order. */
export function pressedSort({ sort, isDescending }: FleetColumn, now: string): string | null {
  if (sort === null) return null;
  const [first, second] = isDescending ? [`-${sort}`, sort] : [sort, `-${sort}`];
  if (now === first) return second;
  return now === second && sort !== 'state' ? null : first;
}

/** What the next column sorts by. */
export function nextSort(now: string): string | null {
  const columns = fleetColumns.filter(({ sort }) => sort !== null);
  const at = columns.findIndex(({ sort }) => now === sort || now === `-${sort}`);
  const next = columns[(at + 1) % columns.length]!;
  return next.sort === 'state' ? null : `${next.isDescending ? '-' : ''}${next.sort}`;
}
