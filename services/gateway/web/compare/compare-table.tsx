import { useComputed } from '@preact/signals';
import type { RefObject } from 'preact';
import { memo } from 'preact/compat';
import { useState } from 'preact/hooks';
import { runAddress } from '../shell/address.ts';
import { describeFailure } from '../shell/failure.tsx';
import { linkTo } from '../shell/route.ts';
import { figureLabel } from '../side/figure-text.ts';
import { counted } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import type { CompareFocus } from './compare-focus.ts';
import { type Cell, type Column, columnName, type Row } from './compared-table.ts';
import { lineStyleOf } from './line-style.ts';
import { LineSwatch } from './line-swatch.tsx';

export interface CompareTableProps {
  readonly table: RefObject<HTMLTableElement | null>;
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
  readonly sort: string | null;
  readonly focus: CompareFocus;
  readonly hasColours: boolean;
  onSort(column: Column): void;
  onRemove(key: string): void;
}

/** What each run has come to, and what it was started with. */
export function CompareTable(props: CompareTableProps) {
  const { rows, columns, sort, focus, hasColours, onSort, onRemove } = props;
  const selected = focus.selected.value;
  const stop = rows.some(({ run }) => run.key === selected) ? selected : (rows[0]?.run.key ?? null);
  return (
    <table class="compare-table" ref={props.table}>
      <caption class="visually-hidden">
        {counted(rows.length, 'run')}: the best and the last value of each figure, and the settings
      </caption>
      <thead>
        <GroupHeads columns={columns} />
        <ColumnHeads {...{ columns, sort, onSort }} />
      </thead>
      <tbody>
        {rows.map((row) => (
          <TableRow
            key={row.run.key}
            {...{ row, columns, focus, hasColours, onRemove }}
            isStop={row.run.key === stop}
          />
        ))}
      </tbody>
    </table>
  );
}

/** The names of the figures, each above its two columns, and what the settings are. */
function GroupHeads({ columns }: { columns: readonly Column[] }) {
  const settings = columns.filter(({ kind }) => kind === 'setting').length;
  const facts = columns.filter(({ kind }) => !['best', 'last', 'setting'].includes(kind)).length;
  return (
    <tr class="compare-groups">
      <td colSpan={facts} />
      {columns.map(
        (column) =>
          column.kind === 'best' && (
            <th key={column.id} colSpan={2} scope="colgroup">
              <bdi>{visibleText(figureLabel(column.figure))}</bdi>
            </th>
          ),
      )}
      {settings > 0 && (
        <th colSpan={settings} scope="colgroup">
          settings
        </th>
      )}
      <td class="column-remove" />
    </tr>
  );
}

function ColumnHeads(props: {
  columns: readonly Column[];
  sort: string | null;
  onSort(column: Column): void;
}) {
  const { columns, sort, onSort } = props;
  const [stop, setStop] = useState(0);
  const step = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(columns.length - 1, stop + by));
    setStop(next);
    event.currentTarget.closest('tr')?.querySelectorAll('button')[next]?.focus();
  };
  return (
    <tr>
      {columns.map((column, at) => {
        const isDescending = sort === `-${column.id}`;
        const isSorted = isDescending || sort === column.id;
        return (
          <th
            key={column.id}
            scope="col"
            class={`column-${column.kind}`}
            aria-sort={isSorted ? (isDescending ? 'descending' : 'ascending') : undefined}
          >
            <button
              type="button"
              class="compare-sort"
              aria-label={`sort by ${visibleText(columnName(column))}`}
              tabIndex={at === Math.min(stop, columns.length - 1) ? 0 : -1}
              onKeyDown={step}
              onClick={() => {
                setStop(at);
                onSort(column);
              }}
            >
              <bdi>{visibleText(column.title)}</bdi>
              <SortSign of={isSorted ? (isDescending ? 'descending' : 'ascending') : null} />
            </button>
          </th>
        );
      })}
      <td class="column-remove" />
    </tr>
  );
}

function SortSign({ of }: { of: 'ascending' | 'descending' | null }) {
  return (
    <svg class="compare-sort-sign" viewBox="0 0 8 8" aria-hidden="true">
      {of !== null && <path d={of === 'ascending' ? 'M1 6H7L4 1Z' : 'M1 2H7L4 7Z'} fill="currentColor" />}
    </svg>
  );
}

const TableRow = memo(
  (props: {
    row: Row;
    columns: readonly Column[];
    focus: CompareFocus;
    hasColours: boolean;
    isStop: boolean;
    onRemove(key: string): void;
  }) => {
    const { row, columns, focus, hasColours, isStop, onRemove } = props;
    const { key, failure, place } = row.run;
    const isHighlighted = useComputed(() => focus.highlighted.value === key);
    const isSelected = useComputed(() => focus.selected.value === key);
    return (
      <tr
        class={isHighlighted.value ? 'is-highlighted' : ''}
        data-run={key}
        aria-selected={isSelected.value}
        onMouseEnter={() => {
          focus.pointed.value = key;
        }}
        onMouseLeave={() => {
          focus.pointed.value = null;
        }}
      >
        <th scope="row" class="column-run">
          <LineSwatch style={lineStyleOf(place, { hasColours })} />
          <a
            href={linkTo(runAddress(key))}
            title={key}
            tabIndex={isStop ? 0 : -1}
            onFocus={() => {
              focus.selected.value = key;
            }}
          >
            <bdi>{row.label}</bdi>
          </a>
        </th>
        {failure === null ? (
          columns
            .slice(1)
            .map((column, at) => (
              <TableCell key={column.id} column={column} cell={row.cells[at + 1]!} row={row} />
            ))
        ) : (
          <td class="compare-failure bad" colSpan={columns.length - 1}>
            <span aria-hidden="true">✗</span> {describeFailure(failure).title}:{' '}
            <bdi>{describeFailure(failure).sentence}</bdi>
          </td>
        )}
        <td class="column-remove">
          <button type="button" tabIndex={-1} aria-label={`Remove ${key}`} onClick={() => onRemove(key)}>
            <svg viewBox="0 0 10 10" aria-hidden="true">
              <path d="M2 2L8 8M8 2L2 8" stroke="currentColor" stroke-width="1.4" />
            </svg>
          </button>
        </td>
      </tr>
    );
  },
);

function TableCell({ column, cell, row }: { column: Column; cell: Cell; row: Row }) {
  switch (column.kind) {
    case 'state': {
      if (row.standing === null) return <td class="column-state dim">…</td>;
      const { state, glyph, word, detail } = row.standing;
      return (
        <td class={`column-state state-${state}`} title={detail}>
          <span aria-hidden="true">{glyph}</span> {word}
        </td>
      );
    }
    case 'setting': {
      const text = visibleText(cell.text);
      return (
        <td class="column-setting" title={text}>
          <bdi>{text}</bdi>
        </td>
      );
    }
    default:
      return (
        <td class={`column-${column.kind}${cell.isBest ? ' is-best' : ''}`}>
          {cell.isBest && <BestSign />}
          {cell.text}
        </td>
      );
  }
}

function BestSign() {
  return (
    <>
      <svg class="best-sign" viewBox="0 0 10 10" aria-hidden="true">
        <path
          d="M5 0.6L6.4 3.6L9.6 4L7.2 6.2L7.9 9.4L5 7.8L2.1 9.4L2.8 6.2L0.4 4L3.6 3.6Z"
          fill="currentColor"
        />
      </svg>
      <span class="visually-hidden">best of all: </span>
    </>
  );
}
