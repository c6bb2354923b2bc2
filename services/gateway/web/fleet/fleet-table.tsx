import { useSignal } from '@preact/signals';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunRow, RunState } from '@runlog/schema/run/snapshot';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { rowsInView } from '../log/rows-in-view.ts';
import { useScrollBox } from '../log/use-scroll-box.ts';
import { stateWords } from '../run/evidence.ts';
import { COMPARED_RUNS_MAX, compareAddress, groupings, runAddress } from '../shell/address.ts';
import { goTo, route, setOptions } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { counted } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { nextSort } from './fleet-columns.ts';
import { FleetHead } from './fleet-head.tsx';
import type { FleetItem } from './fleet-items.ts';
import { FleetRow, fleetRowId } from './fleet-row.tsx';
import type { FleetStore } from './fleet-store.ts';

/** The runs, of which those in view are in the page. One tab stop; `j`, `k` and the keys of the help sheet. */
export function FleetTable({ store }: { store: FleetStore }) {
  const list = useRef<HTMLDivElement>(null);
  const { box, scrollTo } = useScrollBox(list);
  const activeKey = useSignal<string | null>(null);
  const shown = store.shown.value;
  const items = store.items.value;
  const seen = rowsInView(box.value, items.count);
  const marked = markedRuns();
  const lines = drawnLines(store, { from: seen.drawnFrom, to: seen.drawnTo });
  const from = items.indexAt(seen.drawnFrom);
  const to = items.indexAt(Math.max(seen.drawnFrom, seen.drawnTo - 1));
  useEffect(() => store.view(from, to), [store, from, to]);
  // Another order or filter begins at its top.
  const order = `${store.sort.value} ${store.by.value} ${store.typed.value}`;
  useLayoutEffect(() => scrollTo(0, items.count), [order]);
  useFleetKeys(store, { activeKey, list, box, scrollTo });
  useHold(store, list);
  const active = activeKey.value;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the view, which has a shortcut for it
    <div
      class="fleet-table"
      ref={list}
      role="grid"
      aria-label="Runs"
      aria-rowcount={items.count + 1}
      aria-readonly="true"
      aria-activedescendant={active === null ? undefined : fleetRowId(active)}
      tabIndex={0}
      onClick={(event) => openPressed(event)}
    >
      <FleetHead store={store} />
      <div
        class="fleet-rows"
        role="rowgroup"
        style={{ height: `calc(${items.count} * var(--fleet-row-height))` }}
      >
        {lines.map(({ line, item, row, above }) => {
          if (item.kind === 'head')
            return <GroupHead key={`head-${line}`} item={item} line={line} store={store} />;
          if (row === null) return <AwaitedRow key={`line-${line}`} line={line} />;
          const key = formatRunKey(row);
          return (
            <FleetRow
              key={key}
              {...{ row, line, above }}
              isActive={key === active}
              isMarked={marked.includes(key)}
            />
          );
        })}
      </div>
      {shown !== null && shown.total === 0 && <NoMatch store={store} />}
    </div>
  );
}

interface DrawnLine {
  readonly line: number;
  readonly item: FleetItem;
  /** Null while it is on its way. */
  readonly row: RunRow | null;
  readonly above: string | null;
}

function drawnLines(store: FleetStore, { from, to }: { from: number; to: number }): DrawnLine[] {
  const shown = store.shown.value;
  const items = store.items.value;
  if (shown === null) return [];
  const lines: DrawnLine[] = [];
  let above: string | null = null;
  for (let line = from; line < Math.min(to, items.count); line += 1) {
    const item = items.at(line);
    const row = item.kind === 'run' ? (shown.rows[item.index - shown.offset] ?? null) : null;
    lines.push({ line, item, row, above });
    above = row?.run_id ?? null;
  }
  return lines;
}

function markedRuns(): readonly string[] {
  return route.value.view === 'fleet' ? route.value.marked : [];
}

/** While the pointer is over the rows or the table has the focus, no row moves. */
function useHold(store: FleetStore, list: { current: HTMLElement | null }): void {
  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    let isOver = false;
    let hasFocus = false;
    const set = () => store.hold(isOver || hasFocus);
    const on = (type: string, does: () => void) => {
      const listener = () => {
        does();
        set();
      };
      element.addEventListener(type, listener);
      return () => element.removeEventListener(type, listener);
    };
    const ends = [
      on('pointermove', () => {
        isOver = true;
      }),
      on('pointerleave', () => {
        isOver = false;
      }),
      on('focusin', () => {
        hasFocus = true;
      }),
      on('focusout', () => {
        hasFocus = false;
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [store, list]);
}

/** A press anywhere on a row opens its run, unless it is one of a link or ends a selection of text. */
function openPressed(event: MouseEvent): void {
  const target = event.target as Element;
  if (target.closest('a, button') !== null || !(document.getSelection()?.isCollapsed ?? true)) return;
  const key = target.closest<HTMLElement>('[data-key]')?.dataset.key;
  if (key !== undefined) goTo(runAddress(key));
}

function GroupHead({
  item,
  line,
  store,
}: {
  item: Extract<FleetItem, { kind: 'head' }>;
  line: number;
  store: FleetStore;
}) {
  const by = store.by.value ?? 'group';
  const name =
    item.value === null ? `no ${by}` : by === 'state' ? stateWords[item.value as RunState] : item.value;
  return (
    <div
      class="fleet-group"
      role="row"
      aria-rowindex={line + 2}
      style={{ transform: `translateY(calc(${line} * var(--fleet-row-height)))` }}
    >
      <span role="gridcell">
        <span class="dim">{by}</span> <bdi>{visibleText(name)}</bdi>{' '}
        <span class="dim">{counted(item.runs, 'run')}</span>
      </span>
    </div>
  );
}

function AwaitedRow({ line }: { line: number }) {
  return (
    <div
      class="fleet-row"
      role="row"
      aria-rowindex={line + 2}
      style={{ transform: `translateY(calc(${line} * var(--fleet-row-height)))` }}
    >
      <span class="dim" role="gridcell">
        …
      </span>
    </div>
  );
}

function NoMatch({ store }: { store: FleetStore }) {
  return (
    <p class="hint">
      No run matches <b>{visibleText(store.typed.value)}</b>.{' '}
      <button type="button" class="text-button" onClick={() => store.type('')}>
        Show all runs
      </button>
    </p>
  );
}

interface FleetKeys {
  readonly activeKey: { value: string | null; peek(): string | null };
  readonly list: { readonly current: HTMLElement | null };
  readonly box: { peek(): { top: number; height: number; rowHeight: number } };
  scrollTo(top: number, rows: number): void;
}

function useFleetKeys(store: FleetStore, { activeKey, list, box, scrollTo }: FleetKeys): void {
  const act = useMemo(() => {
    const runs = () => store.shown.peek()?.rows ?? [];
    const offset = () => store.shown.peek()?.offset ?? 0;
    const activeAt = () => runs().findIndex((row) => formatRunKey(row) === activeKey.peek());
    const reveal = (index: number) => {
      const items = store.items.peek();
      const line = items.lineOf(index);
      const { top, height, rowHeight } = box.peek();
      // The head of the table covers the first line in view.
      if ((line - 1) * rowHeight < top) scrollTo(Math.max(0, (line - 1) * rowHeight), items.count);
      else if ((line + 2) * rowHeight > top + height) scrollTo((line + 2) * rowHeight - height, items.count);
    };
    const activate = (at: number) => {
      const row = runs()[at];
      if (row === undefined) return;
      activeKey.value = formatRunKey(row);
      list.current?.focus({ preventScroll: true });
      reveal(offset() + at);
    };
    const step = (by: number) => () => {
      const at = activeAt();
      if (at >= 0) return activate(Math.min(runs().length - 1, Math.max(0, at + by)));
      const { top, rowHeight } = box.peek();
      activate(Math.max(0, store.items.peek().indexAt(Math.ceil(top / rowHeight)) - offset()));
    };
    const marked = () => (route.peek().view === 'fleet' ? markedRuns() : []);
    return {
      next: step(1),
      previous: step(-1),
      first() {
        scrollTo(0, store.items.peek().count);
        if (offset() === 0) activate(0);
      },
      last() {
        const { count } = store.items.peek();
        scrollTo(count * box.peek().rowHeight, count);
        const shown = store.shown.peek();
        if (shown !== null && shown.offset + shown.rows.length >= shown.total)
          activate(shown.rows.length - 1);
      },
      open() {
        const key = activeKey.peek();
        if (key !== null) goTo(runAddress(key));
      },
      mark() {
        const key = activeKey.peek();
        if (key === null) return;
        const held = marked();
        const next = held.includes(key) ? held.filter((each) => each !== key) : [...held, key];
        if (next.length <= COMPARED_RUNS_MAX) setOptions('fleet', { marked: next });
      },
      compare() {
        if (marked().length > 0) goTo(compareAddress(marked()));
      },
      sort: () => setOptions('fleet', { sort: nextSort(store.sort.peek()) }),
      group() {
        const by = store.by.peek();
        const next = by === null ? groupings[0] : (groupings[groupings.indexOf(by) + 1] ?? null);
        setOptions('fleet', { by: next });
      },
    };
  }, [store, activeKey, list, box, scrollTo]);
  useShortcut('fleet.next', act.next);
  useShortcut('fleet.previous', act.previous);
  useShortcut('fleet.first', act.first);
  useShortcut('fleet.last', act.last);
  useShortcut('fleet.open', act.open);
  useShortcut('fleet.mark', act.mark);
  useShortcut('fleet.compare', act.compare);
  useShortcut('fleet.sort', act.sort);
  useShortcut('fleet.group', act.group);
}
