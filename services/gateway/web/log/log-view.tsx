import { useComputed, useSignal } from '@preact/signals';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { isPrinting } from '../shell/printing.ts';
import { setOptions } from '../shell/route.ts';
import { minuteHeadText } from '../text/dates.ts';
import { counted } from '../text/numbers.ts';
import { AboveLog } from './above-log.tsx';
import { copyRows } from './copied-rows.ts';
import { copyText } from './copy.ts';
import { GapDetails } from './gap-details.tsx';
import { isNoFilter } from './log-filter.ts';
import type { LogRow } from './log-row.ts';
import { LogSummary } from './log-summary.tsx';
import { targetPlace } from './log-target.ts';
import { extendedTo, markedRange, markedText } from './marked-rows.ts';
import { RowSlots } from './row-slots.ts';
import { type RowActions, RowView, rowElementId } from './row-view.tsx';
import { type Anchor, anchorOf, drawnRows, heldTop, minuteAt, revealed, rowsInView } from './rows-in-view.ts';
import { useHold } from './use-hold.ts';
import { useLogKeys } from './use-log-keys.ts';
import { useScrollBox } from './use-scroll-box.ts';

/** The rows of a run's log. Only those in view are in the page; one tab stop, and the keys of the run's view. */
export function LogView({ screen }: { screen: RunScreen }) {
  const { log } = screen;
  const list = useRef<HTMLDivElement>(null);
  const hold = useHold(list, log);
  const scrolled = useScrollBox(
    list,
    useCallback(() => {
      hold.keep();
      log.leaveEnd();
    }, [hold, log]),
  );
  const slots = useMemo(() => new RowSlots(), []);
  const activeId = useSignal<string | null>(null);
  const explained = useSignal<string | null>(null);
  const anchor = useRef<Anchor | null>(null);

  const rows = log.rows.value;
  const { isFollowing, target } = log.state.value;
  void scrolled.box.value;
  const box = scrolled.at();
  const end = Math.max(0, rows.length * box.rowHeight - box.height);
  const held = isFollowing || target !== null ? null : heldTop(anchor.current, rows, box);
  const top = isFollowing ? end : Math.min(end, held ?? box.top);
  const seen = rowsInView({ ...box, top }, rows.length);
  const seenNow = useRef(seen);

  useLayoutEffect(() => {
    seenNow.current = seen;
    if (target !== null) {
      const place = targetPlace(target, { log, rows, box });
      if (place === null) return;
      if (place.toOpen !== null) log.toggle(place.toOpen);
      activeId.value = place.rowId;
      scrolled.scrollTo(place.top, rows.length);
      // What was held before is of other rows, and would scroll the target away again.
      anchor.current = anchorOf(rows, scrolled.at());
      if (place.isSettled) log.takeTarget();
      return;
    }
    if (top !== box.top) scrolled.settle(top, rows.length);
    anchor.current = anchorOf(rows, scrolled.at());
  });
  useEffect(() => {
    const isAtEnd = seen.isAtEnd && hold.text.peek() === null;
    log.view({ first: seen.first, last: seen.last, isAtEnd });
  }, [log, hold, seen.first, seen.last, seen.isAtEnd, rows.length]);

  const selected = useComputed(() => {
    const seq = screen.selected.value;
    return seq === null ? null : `e${seq}`;
  });
  const actions = useMemo(
    (): RowActions => ({
      press(row, { extend }) {
        // Whoever drags over text to copy it does not press.
        if (hold.text.peek() !== null) return;
        hold.keep();
        log.leaveEnd();
        const from = activeId.peek() ?? row.id;
        activeId.value = row.id;
        log.marked.value = extend ? extendedTo(log.marked.peek(), { from, to: row.id }) : null;
        if (extend) return;
        pressRow(row, { screen, explained });
      },
      explain(rowId) {
        hold.keep();
        explained.value = rowId;
      },
      showAround(seq) {
        log.showAround(seq);
        screen.select(seq);
      },
      retry: () => log.retry(),
      catchingUp: log.catchingUp,
    }),
    [screen, log, hold, activeId, explained],
  );
  const { mark } = useLogKeys(
    screen,
    useMemo(
      () => ({
        activeId,
        inView: () => seenNow.current,
        reveal: (index) => scrolled.scrollTo(revealed(index, scrolled.at()), log.rows.peek().length),
        toTop() {
          anchor.current = null;
          scrolled.scrollTo(0, log.rows.peek().length);
        },
        press: (row) => pressRow(row, { screen, explained }),
      }),
      [screen, log, scrolled, activeId, explained],
    ),
  );

  const whole = { ...seen, drawnFrom: 0, drawnTo: rows.length };
  const drawn = drawnRows(isPrinting.value ? whole : seen, { rows, text: hold.text.value });
  const keys = slots.of(drawn.map((index) => rows[index]!));
  const isActiveDrawn = drawn.some((index) => rows[index]!.id === activeId.value);
  const marked = markedRange(rows, log.marked.value);
  const hasFilter = log.around.value === null && !isNoFilter(log.filter.value);
  return (
    <div class="lines-frame" role="log" aria-live="off" aria-label="Events of the run">
      <AboveLog log={log} />
      <div class="lines-box">
        <DateHead minuteMs={headMinute(rows, { first: seen.first, isWhole: top % box.rowHeight === 0 })} />
        <div
          class="lines"
          ref={list}
          role="grid"
          aria-label="Events, oldest first"
          aria-rowcount={rows.length}
          aria-readonly="true"
          aria-activedescendant={isActiveDrawn ? rowElementId(activeId.value!) : undefined}
          tabIndex={0}
          onKeyDown={(event) => {
            const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
            if (by === 0 || !event.shiftKey) return;
            event.preventDefault();
            mark(by);
          }}
          onCopy={(event) => copyRows(event, event.currentTarget, copiedRows(screen))}
        >
          <div
            class="lines-all"
            role="presentation"
            style={`height: calc(${rows.length} * var(--row-height))`}
          >
            {drawn.map((index, at) => {
              const row = rows[index]!;
              return (
                <RowView
                  key={keys[at]}
                  {...{ row, index, hasFilter, actions }}
                  isActive={row.id === activeId.value}
                  isSelected={row.id === selected.value}
                  isMarked={marked !== null && index >= marked.from && index <= marked.to}
                />
              );
            })}
          </div>
          {rows.every((row) => row.kind === 'edge' && row.state === 'beginning') && (
            <EmptyLog screen={screen} />
          )}
        </div>
        <ToEnd screen={screen} isAtEnd={seen.isAtEnd} />
      </div>
      <GapDetails screen={screen} rowId={explained} />
      <LogSummary screen={screen} />
    </div>
  );
}

/** Rows that are selected may be more than are drawn: those between them belong to them. */
function copiedRows({ log }: RunScreen) {
  return {
    ofIds(ids: readonly string[]) {
      const rows = log.rows.peek();
      const range = markedRange(rows, { anchor: ids[0]!, head: ids.at(-1)! });
      return range === null ? null : copyText(rows.slice(range.from, range.to + 1));
    },
    ofMarked: () => markedText(log, log.marked.peek())?.text ?? null,
  };
}

/** The minute of the rows in view, above them. */
function DateHead({ minuteMs }: { minuteMs: number | null }) {
  if (minuteMs === null) return null;
  return (
    <div class="line line-date-head" aria-hidden="true">
      <span class="line-date">{minuteHeadText(minuteMs)}</span>
    </div>
  );
}

/** Nothing is named twice: not where the row of the date is itself the first. */
function headMinute(rows: readonly LogRow[], { first, isWhole }: { first: number; isWhole: boolean }) {
  return isWhole && rows[first]?.kind === 'date' ? null : minuteAt(rows, first);
}

function ToEnd({ screen: { log }, isAtEnd }: { screen: RunScreen; isAtEnd: boolean }) {
  const { isFollowing, isPaused, newCount } = log.state.value;
  if (isFollowing || (newCount === 0 && isAtEnd && !isPaused)) return null;
  return (
    <button class="to-end" type="button" onClick={() => log.follow()}>
      {newCount > 0 ? `${newCount.toLocaleString('en')} new` : isAtEnd ? 'follow' : 'to the end'} ↓
    </button>
  );
}

function EmptyLog({ screen }: { screen: RunScreen }) {
  const { total } = screen.log.counts.value;
  if (isNoFilter(screen.log.filter.value) || total === 0)
    return <p class="hint">No event has come yet. They appear here by themselves.</p>;
  return (
    <div class="hint" role="row">
      <span role="gridcell">
        None of {counted(total, 'event')} matches the filter.{' '}
        <button type="button" class="text-button" onClick={() => screen.log.setFilter('')}>
          Show all
        </button>
      </span>
    </div>
  );
}

/** A press selects an event; on the selected one it opens the pane that shows it. A folded row opens or closes. */
function pressRow(
  row: LogRow,
  { screen, explained }: { screen: RunScreen; explained: { value: string | null } },
): void {
  switch (row.kind) {
    case 'rollup':
    case 'burst':
      screen.log.toggle(row.id);
      break;
    case 'gap':
      explained.value = row.id;
      break;
    case 'edge':
      screen.log.retry();
      break;
    case 'event':
      if (screen.selected.peek() === row.seq) setOptions('run', { pane: 'event' });
      else screen.select(row.seq);
      break;
    case 'date':
      break;
    default: {
      const unreachable: never = row;
      throw new Error(`unknown row ${String(unreachable)}`);
    }
  }
}
