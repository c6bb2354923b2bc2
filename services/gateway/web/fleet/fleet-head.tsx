import { setOptions } from '../shell/route.ts';
import { type FleetColumn, fleetColumns, pressedSort } from './fleet-columns.ts';
import type { FleetStore } from './fleet-store.ts';

/** The heads of the columns. Those that the server can sort by are buttons. */
export function FleetHead({ store }: { store: FleetStore }) {
  const sort = store.sort.value;
  return (
    <div class="fleet-head" role="rowgroup">
      <div class="fleet-columns" role="row" aria-rowindex={1}>
        {fleetColumns.map((column) => (
          <span
            key={column.name}
            class={column.isNumber ? 'fleet-number' : ''}
            role="columnheader"
            aria-sort={ariaSort(column, sort)}
          >
            {column.sort === null ? column.name : <SortButton column={column} sort={sort} />}
          </span>
        ))}
      </div>
    </div>
  );
}

function SortButton({ column, sort }: { column: FleetColumn; sort: string }) {
  const direction = ariaSort(column, sort);
  return (
    <button
      type="button"
      tabIndex={-1}
      onClick={() => setOptions('fleet', { sort: pressedSort(column, sort) })}
    >
      {column.name}
      {direction !== 'none' && <span aria-hidden="true">{direction === 'ascending' ? ' ▴' : ' ▾'}</span>}
    </button>
  );
}

function ariaSort({ sort: field }: FleetColumn, sort: string): 'ascending' | 'descending' | 'none' {
  if (field === sort) return 'ascending';
  return `-${field}` === sort ? 'descending' : 'none';
}
