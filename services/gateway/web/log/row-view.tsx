import type { ReadonlySignal } from '@preact/signals';
import type { Span } from '@runlog/schema/events/line-span';
import { memo } from 'preact/compat';
import { clockText, datedClockText, minuteHeadText } from '../text/dates.ts';
import { visibleText } from '../text/visible-text.ts';
import type { CatchingUp } from './catching-up.ts';
import { EdgeLine } from './edge-line.tsx';
import { GapLine } from './gap-line.tsx';
import { lineOf } from './line-text.ts';
import type { BurstRow, EventRow, LogRow, RollUpRow } from './log-row.ts';

export interface RowActions {
  /** A row was pressed: an event is selected, a roll-up or a burst opens or closes. */
  press(row: LogRow, by: { readonly extend: boolean }): void;
  explain(rowId: string): void;
  /** Shows what is around an event, without the filter. */
  showAround(seq: number): void;
  retry(): void;
  readonly catchingUp: ReadonlySignal<CatchingUp | null>;
}

export interface RowProps {
  readonly row: LogRow;
  readonly index: number;
  /** Whether the keys of the list act on this row. */
  readonly isActive: boolean;
  readonly isSelected: boolean;
  /** Whether it is among those that are marked to be copied. */
  readonly isMarked: boolean;
  /** Whether a filter leaves events out. */
  readonly hasFilter: boolean;
  readonly actions: RowActions;
}

/** One row of the log. It is drawn again only if it changes: rows are never changed in place. */
export const RowView = memo((props: RowProps) => {
  const { row, index, isActive, isSelected, hasFilter, actions } = props;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the grid, which has the focus
    <div
      id={rowElementId(row.id)}
      class={classOf(props)}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={isSelected || isActive}
      style={`transform: translateY(calc(${index} * var(--row-height)))`}
      data-row={row.id}
      onMouseDown={(event) => {
        // With shift, rows are marked and not text.
        if (event.shiftKey) event.preventDefault();
      }}
      onClick={(event) => actions.press(row, { extend: event.shiftKey })}
    >
      <Inside row={row} actions={actions} />
      {hasFilter && row.kind === 'event' && (isActive || isSelected) && (
        <span class="line-around" role="gridcell">
          <button
            type="button"
            class="text-button"
            tabIndex={-1}
            title="what is around it, without the filter (o)"
            onClick={(event) => {
              event.stopPropagation();
              actions.showAround(row.seq);
            }}
          >
            around it
          </button>
        </span>
      )}
    </div>
  );
});

const ELEMENT_ID = 'log-';

/** The id of a row's element, which `aria-activedescendant` names. */
export function rowElementId(rowId: string): string {
  return `${ELEMENT_ID}${rowId}`;
}

/** The id of the row that a node stands in, or null. */
export function rowIdOf(node: EventTarget | null): string | null {
  const element = node instanceof Element ? node : node instanceof Node ? node.parentElement : null;
  return element?.closest('.line[id]')?.id.slice(ELEMENT_ID.length) ?? null;
}

function classOf({ row, isActive, isSelected, isMarked }: RowProps): string {
  const classes = ['line', `line-${row.kind}`];
  if (row.kind === 'event' && row.within !== null) classes.push('line-within');
  if ((row.kind === 'burst' && row.isAlarm) || (row.kind === 'event' && row.entry.severity !== 'info')) {
    classes.push(`line-${row.kind === 'burst' ? 'warning' : row.entry.severity}`);
  }
  if (isActive) classes.push('line-active');
  if (isSelected) classes.push('line-selected');
  if (isMarked) classes.push('line-marked');
  return classes.join(' ');
}

/** What a row says does not change when it moves. */
const Inside = memo(({ row, actions }: { row: LogRow; actions: RowActions }) => {
  switch (row.kind) {
    case 'date':
      return (
        <span class="line-date" role="gridcell">
          {minuteHeadText(row.minuteMs)}
        </span>
      );
    case 'edge':
      return <EdgeLine row={row} catchingUp={actions.catchingUp} onRetry={actions.retry} />;
    case 'gap':
      return <GapLine row={row} onExplain={() => actions.explain(row.id)} onRetry={actions.retry} />;
    case 'event':
    case 'rollup':
    case 'burst':
      return <Columns row={row} />;
    default: {
      const unreachable: never = row;
      throw new Error(`unknown row ${String(unreachable)}`);
    }
  }
});

function Columns({ row }: { row: EventRow | RollUpRow | BurstRow }) {
  const { env, slot, kind, text } = lineOf(row);
  const isFolded = row.kind !== 'event';
  const whole = text.map((span) => span.text).join('');
  return (
    <>
      <span class={`clock clock-${row.clock}`} role="gridcell">
        {clockOfRow(row)}
      </span>
      <span class="env" role="gridcell">
        <span class="env-text">{env}</span>
        {isFolded && (
          <span class="twisty" aria-hidden="true">
            {row.isOpen ? '▾' : '▸'}
          </span>
        )}
      </span>
      <span class="slot tone-slot" role="gridcell">
        <bdi>{visibleText(slot)}</bdi>
      </span>
      <span class={`kind tone-${kind.tone}`} role="gridcell">
        <bdi>{visibleText(kind.text)}</bdi>
      </span>
      <span class="text" role="gridcell" title={visibleText(whole)}>
        {text.map((span, at) => (
          <Piece key={at} of={span} />
        ))}
      </span>
      <span class="seq" role="gridcell">
        {row.seq}
      </span>
    </>
  );
}

function clockOfRow({ clock, secondMs }: Pick<EventRow, 'clock' | 'secondMs'>): string {
  switch (clock) {
    case 'second':
      return clockText(secondMs).slice(5);
    case 'full':
      return clockText(secondMs);
    case 'dated':
      return datedClockText(secondMs);
    default: {
      const unreachable: never = clock;
      throw new Error(`unknown clock ${String(unreachable)}`);
    }
  }
}

function Piece({ of }: { of: Span }) {
  return <bdi class={`tone-${of.tone}`}>{visibleText(of.text)}</bdi>;
}
