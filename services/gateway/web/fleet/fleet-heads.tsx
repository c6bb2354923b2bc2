import { useSignal } from '@preact/signals';
import { setOptions } from '../shell/route.ts';
import { type FleetColumn, fieldOf, fleetColumns, nextSort } from './fleet-columns.ts';
import type { FleetScreen } from './fleet-screen.ts';

/** The heads of the columns. Those that sort are one tab stop: ← and → go along them. */
export function FleetHeads({ screen: { store } }: { screen: FleetScreen }) {
  const stop = useSignal('state');
  const sort = store.sort.value;
  return (
    <thead>
      <tr aria-rowindex={1}>
        {fleetColumns.map((column: FleetColumn) => {
          const isSorted = column.sort !== null && fieldOf(column.sort) === fieldOf(sort);
          return (
            <th
              key={column.id}
              scope="col"
              class={`cell-${column.id}`}
              aria-sort={isSorted ? (sort.startsWith('-') ? 'descending' : 'ascending') : undefined}
              title={column.title}
            >
              {column.sort === null ? (
                <>
                  {column.head}
                  {column.head === '' && <span class="visually-hidden">{column.title}</span>}
                </>
              ) : (
                <button
                  type="button"
                  data-column={column.id}
                  tabIndex={stop.value === column.id ? 0 : -1}
                  onFocus={() => {
                    stop.value = column.id;
                  }}
                  onClick={() => setOptions('fleet', { sort: nextSort(column, sort) })}
                  onKeyDown={(event) => goAlong(event)}
                >
                  {column.head}
                  <span class="fleet-sort-sign" aria-hidden="true">
                    {isSorted ? (sort.startsWith('-') ? '▾' : '▴') : ''}
                  </span>
                </button>
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function goAlong(event: KeyboardEvent & { readonly currentTarget: HTMLButtonElement }): void {
  const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (by === 0) return;
  event.preventDefault();
  const heads = [...(event.currentTarget.closest('tr')?.querySelectorAll('button') ?? [])];
  heads[heads.indexOf(event.currentTarget) + by]?.focus();
}
