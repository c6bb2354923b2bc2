import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { setOptions } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { minuteHeadText } from '../text/dates.ts';
import { counted } from '../text/numbers.ts';
import { GapDetails } from './gap-details.tsx';
import type { LogRow } from './log-rows.ts';
import { LogSummary } from './log-summary.tsx';
import { type RowActions, RowView, rowElementId } from './row-view.tsx';
import { type Anchor, anchorOf, heldTop, minuteAt, rowsInView } from './rows-in-view.ts';
import { useScrollBox } from './use-scroll-box.ts';

/** The rows of a run's log. Only those in view are in the page; one tab stop, and the keys of the run's view. */
export function LogView({ screen }: { screen: RunScreen }) {
  const { log } = screen;
  const list = useRef<HTMLDivElement>(null);
  const { box, scrollTo } = useScrollBox(list);
  /** The row that the keys act on, by its id. */
  const activeId = useSignal<string | null>(null);
  const explained = useSignal<string | null>(null);
  const anchor = useRef<Anchor | null>(null);
  const rows = log.rows.value;
  const { isFollowing, target, newCount, isPaused } = log.state.value;
  const held = isFollowing || target !== null ? null : heldTop(anchor.current, rows, box.value);
  const end = Math.max(0, rows.length * box.value.rowHeight - box.value.height);
  const top = isFollowing ? end : (held ?? box.value.top);
  const seen = rowsInView({ ...box.value, top }, rows.length);

  useLayoutEffect(() => {
    if (target !== null) {
      const at = log.rowOf(target);
      if (at < 0) return;
      log.takeTarget();
      scrollTo(centred(at, box.peek()), rows.length);
      activeId.value = rows[at]!.id;
      return;
    }
    if (top !== box.peek().top) scrollTo(top, rows.length);
    anchor.current = anchorOf(rows, { ...box.peek(), top });
  });
  useEffect(() => {
    log.view({ first: seen.first, last: seen.last, isAtEnd: seen.isAtEnd });
  }, [log, seen.first, seen.last, seen.isAtEnd, rows.length]);

  const selected = useComputed(() => {
    const seq = screen.selected.value;
    return seq === null ? null : `e${seq}`;
  });
  const actions = useMemo(
    (): RowActions => ({
      press(row) {
        activeId.value = row.id;
        pressRow(row, screen);
      },
      explain(rowId) {
        explained.value = rowId;
      },
      retry: () => log.retry(),
    }),
    [screen, log, activeId, explained],
  );
  useLogKeys(screen, {
    activeId,
    reveal: (at) => scrollTo(revealed(at, box.peek()), log.rows.peek().length),
  });
  const minuteMs = minuteAt(rows, seen.first);
  const isDateFirst = rows[seen.first]?.kind === 'date' && top % box.value.rowHeight === 0;
  return (
    <div class="lines-frame">
      {minuteMs !== null && !isDateFirst && (
        <div class="line line-date-head" aria-hidden="true">
          <span class="line-date">{minuteHeadText(minuteMs)}</span>
        </div>
      )}
      <div
        class="lines"
        ref={list}
        role="grid"
        aria-label="Events, oldest first"
        aria-rowcount={rows.length}
        aria-readonly="true"
        aria-activedescendant={activeId.value === null ? undefined : rowElementId(activeId.value)}
        tabIndex={0}
      >
        <div
          class="lines-all"
          role="presentation"
          style={{ height: `calc(${rows.length} * var(--row-height))` }}
        >
          {rows.slice(seen.drawnFrom, seen.drawnTo).map((row, at) => (
            <RowView
              key={row.id}
              row={row}
              index={seen.drawnFrom + at}
              isActive={row.id === activeId.value}
              isSelected={row.id === selected.value}
              actions={actions}
            />
          ))}
        </div>
        {rows.length === 0 && <EmptyLog screen={screen} />}
      </div>
      {!isFollowing && (newCount > 0 || !seen.isAtEnd || isPaused) && (
        <button class="to-end" type="button" onClick={() => log.follow()}>
          {newCount > 0 ? `${newCount.toLocaleString('en')} new` : 'to the end'} ↓
        </button>
      )}
      <GapDetails screen={screen} rowId={explained} />
      <LogSummary screen={screen} />
    </div>
  );
}

function EmptyLog({ screen }: { screen: RunScreen }) {
  const { total } = screen.log.counts.value;
  const isFiltered = Object.values(screen.log.filter.value).some((part) => part.length > 0);
  if (!isFiltered || total === 0)
    return <p class="hint">No event has come yet. They appear here by themselves.</p>;
  return (
    <p class="hint">
      None of {counted(total, 'event')} matches the filter.{' '}
      <button type="button" class="text-button" onClick={() => screen.log.setFilter('')}>
        Show all
      </button>
    </p>
  );
}

/** A press selects an event; on the selected one it opens the pane that shows it. A folded row opens or closes. */
function pressRow(row: LogRow, screen: RunScreen): void {
  if (row.kind === 'rollup' || row.kind === 'burst') screen.log.toggle(row.id);
  if (row.kind !== 'event') return;
  // Whoever drags over text to copy it does not press.
  if (!(document.getSelection()?.isCollapsed ?? true)) return;
  if (screen.selected.peek() === row.seq) setOptions('run', { pane: 'event' });
  else screen.select(row.seq);
}

interface LogKeys {
  readonly activeId: { value: string | null; peek(): string | null };
  /** Scrolls as little as needed to have a row in view. */
  reveal(index: number): void;
}

function useLogKeys(screen: RunScreen, { activeId, reveal }: LogKeys): void {
  const { log } = screen;
  const act = useMemo(() => {
    const step = (by: 1 | -1) => () => {
      const rows = log.rows.peek();
      const held = rows.findIndex(({ id }) => id === activeId.peek());
      const from = held >= 0 ? held : by > 0 ? -1 : rows.length;
      const at = nextRow(rows, from, by);
      if (at < 0) return;
      if (by < 0 || at < rows.length - 1) log.leaveEnd();
      activeId.value = rows[at]!.id;
      const row = rows[at]!;
      if (row.kind === 'event') screen.select(row.seq);
      reveal(at);
    };
    return {
      next: step(1),
      previous: step(-1),
      expand() {
        const row = log.rows.peek().find(({ id }) => id === activeId.peek());
        if (row !== undefined) pressRow(row, screen);
      },
      first: () => log.goToBeginning(),
      last: () => log.follow(),
      follow: () => (log.state.peek().isFollowing ? log.pause() : log.follow()),
    };
  }, [screen, log, activeId, reveal]);
  useShortcut('run.next', act.next);
  useShortcut('run.previous', act.previous);
  useShortcut('run.expand', act.expand);
  useShortcut('run.first', act.first);
  useShortcut('run.last', act.last);
  useShortcut('run.follow', act.follow);
}

/** Dates and edges are not rows that something can be done with. */
function nextRow(rows: readonly LogRow[], from: number, by: 1 | -1): number {
  for (let at = from + by; at >= 0 && at < rows.length; at += by) {
    const { kind } = rows[at]!;
    if (kind !== 'date' && kind !== 'edge') return at;
  }
  return -1;
}

const centred = (index: number, { height, rowHeight }: { height: number; rowHeight: number }): number =>
  Math.max(0, (index + 0.5) * rowHeight - height / 2);

/** The date of the minute covers the first row in view. */
function revealed(index: number, box: { top: number; height: number; rowHeight: number }): number {
  const { top, height, rowHeight } = box;
  if ((index - 1) * rowHeight < top) return Math.max(0, (index - 1) * rowHeight);
  if ((index + 1) * rowHeight > top + height) return (index + 1) * rowHeight - height;
  return top;
}
