import { type Signal, useSignal } from '@preact/signals';
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { copyRows } from './copied-rows.ts';
import { rawLine } from './copy.ts';
import { extendedTo, markedText, rawRowId, seqOf } from './marked-rows.ts';
import { RawHead, RawRow, RawWhole, wholeLines } from './raw-row.tsx';
import { rowsInView } from './rows-in-view.ts';
import { useScrollBox } from './use-scroll-box.ts';

/** Every event as it was told, newest first. Only those in view are in the page. */
export function RawTable({ screen }: { screen: RunScreen }) {
  const { log } = screen;
  const list = useRef<HTMLDivElement>(null);
  const { box, scrollTo } = useScrollBox(list);
  /** The seq of the event that the keys act on, and of the one that is open. */
  const active = useSignal<number | null>(null);
  const opened = useSignal<number | null>(null);
  const { shown } = log.counts.value;
  const rows = log.rows.value;
  const openAt = opened.value === null ? -1 : indexOf(screen, opened.value);
  const openEntry = openAt < 0 ? null : log.entryAt(shown - 1 - openAt);
  const extra = openEntry === null ? 0 : wholeLines(openEntry);
  const seen = rowsInView(box.value, shown + extra);
  const firstRow = behindOpen(seen.drawnFrom, { openAt, extra });
  const lastRow = Math.min(shown - 1, behindOpen(seen.drawnTo, { openAt, extra }));
  const marked = markedSeqs(screen);

  useEffect(() => {
    const newest = log.entryAt(shown - 1 - behindOpen(seen.first, { openAt, extra }));
    const oldest = log.entryAt(Math.max(0, shown - 1 - behindOpen(seen.last, { openAt, extra })));
    if (newest === null || oldest === null) return;
    const isAtEnd = box.peek().top < box.peek().rowHeight;
    log.view({ first: log.rowOf(oldest.seq), last: log.rowOf(newest.seq), isAtEnd });
  }, [log, rows, shown, seen.first, seen.last, openAt, extra, box]);
  // While new events come on top, whoever reads below keeps the place.
  useHeldPlace({ screen, box, scrollTo, shown, extra });

  const press = useCallback(
    (seq: number, { extend }: { extend: boolean }) => {
      const from = active.peek() ?? seq;
      active.value = seq;
      if (extend) {
        log.marked.value = extendedTo(log.marked.peek(), { from: rawRowId(from), to: rawRowId(seq) });
        return;
      }
      log.marked.value = null;
      if (!(document.getSelection()?.isCollapsed ?? true)) return;
      screen.select(seq);
      opened.value = opened.peek() === seq ? null : seq;
    },
    [screen, log, active, opened],
  );
  const reveal = (index: number) => {
    const { top, height, rowHeight } = box.peek();
    const at = (index + (openAt >= 0 && index > openAt ? extra : 0)) * rowHeight;
    // The names of the columns cover the first row in view.
    if (at < top) scrollTo(at, shown + extra);
    else if (at + 2 * rowHeight > top + height) scrollTo(at + 2 * rowHeight - height, shown + extra);
  };
  const step = (by: 1 | -1, { extend = false } = {}) => {
    const { shown: count } = log.counts.peek();
    const held = active.peek();
    const at = held === null ? 0 : Math.min(count - 1, Math.max(0, indexOf(screen, held) + by));
    const entry = log.entryAt(count - 1 - at);
    if (entry === null) return;
    if (at > 0) log.leaveEnd();
    const from = rawRowId(held ?? entry.seq);
    log.marked.value = extend ? extendedTo(log.marked.peek(), { from, to: rawRowId(entry.seq) }) : null;
    active.value = entry.seq;
    if (!extend) screen.select(entry.seq);
    reveal(at);
  };
  useRawKeys(screen, {
    step,
    open: () => active.peek() !== null && press(active.peek()!, { extend: false }),
    toTop: () => {
      log.follow();
      scrollTo(0, shown + extra);
    },
  });
  return (
    <div
      class="lines raw-lines"
      ref={list}
      role="treegrid"
      aria-label="Raw events, newest first"
      aria-rowcount={shown + 1}
      aria-readonly="true"
      aria-activedescendant={active.value === null ? undefined : `raw-${active.value}`}
      tabIndex={0}
      onKeyDown={(event) => {
        const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        if (by === 0 || !event.shiftKey) return;
        event.preventDefault();
        step(by, { extend: true });
      }}
      onCopy={(event) =>
        copyRows(event, event.currentTarget, {
          ofIds: (ids) => linesOf(screen, ids.map(seqOf)),
          ofMarked: () =>
            markedText(log, log.marked.peek())?.text ??
            (active.peek() === null ? null : linesOf(screen, [active.peek()!])),
        })
      }
    >
      <RawHead dayMs={dayOf(screen, shown - 1 - behindOpen(seen.first, { openAt, extra }))} count={shown} />
      <div
        class="lines-all"
        role="presentation"
        style={{ height: `calc(${shown + extra} * var(--row-height))` }}
      >
        {Array.from({ length: Math.max(0, lastRow - firstRow + 1) }, (_, at) => {
          const index = firstRow + at;
          const entry = log.entryAt(shown - 1 - index);
          if (entry === null) return null;
          const { seq } = entry;
          return (
            <RawRow
              key={seq}
              entry={entry}
              index={index}
              line={index + (openAt >= 0 && index > openAt ? extra : 0)}
              isActive={seq === active.value}
              isMarked={marked !== null && seq >= marked.from && seq <= marked.to}
              isOpen={seq === opened.value}
              onPress={press}
            />
          );
        })}
        {openEntry !== null && <RawWhole entry={openEntry} line={openAt + 1} lines={extra} />}
      </div>
      {shown === 0 && <p class="hint">Waiting for events …</p>}
    </div>
  );
}

interface Opened {
  readonly openAt: number;
  readonly extra: number;
}

/** The row at a line of the table: the open one has more lines than one. */
function behindOpen(line: number, { openAt, extra }: Opened): number {
  if (openAt < 0 || line <= openAt) return line;
  return Math.max(openAt, line - extra);
}

/** The place of an event in the table, the newest first; -1 if it is not loaded. */
function indexOf({ log }: RunScreen, seq: number): number {
  let low = 0;
  let high = log.counts.peek().shown - 1;
  const last = high;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = log.entryAt(middle)?.seq ?? Number.POSITIVE_INFINITY;
    if (at === seq) return last - middle;
    if (at < seq) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function useHeldPlace({
  screen,
  box,
  scrollTo,
  shown,
  extra,
}: {
  screen: RunScreen;
  box: Signal<{ top: number; rowHeight: number }>;
  scrollTo(top: number, rows: number): void;
  shown: number;
  extra: number;
}): void {
  const newest = useRef<number | null>(null);
  const seq = screen.log.entryAt(shown - 1)?.seq ?? null;
  useEffect(() => {
    const before = newest.current;
    newest.current = seq;
    const { top, rowHeight } = box.peek();
    if (before === null || seq === before || top < rowHeight) return;
    const came = indexOf(screen, before);
    if (came > 0) scrollTo(top + came * rowHeight, shown + extra);
  }, [seq, screen, box, scrollTo, shown, extra]);
}

function useRawKeys({ log }: RunScreen, act: { step(by: 1 | -1): void; open(): void; toTop(): void }): void {
  const held = useRef(act);
  held.current = act;
  const keys = useMemo(
    () => ({
      next: () => held.current.step(1),
      previous: () => held.current.step(-1),
      open: () => held.current.open(),
      toTop: () => held.current.toTop(),
      follow: () => (log.state.peek().isFollowing ? log.pause() : held.current.toTop()),
      first: () => log.goToBeginning(),
    }),
    [log],
  );
  useShortcut('run.next', keys.next);
  useShortcut('run.previous', keys.previous);
  useShortcut('run.expand', keys.open);
  useShortcut('run.follow', keys.follow);
  useShortcut('run.first', keys.first);
  useShortcut('run.last', keys.toTop);
}

function markedSeqs({ log }: RunScreen): { from: number; to: number } | null {
  const marked = log.marked.value;
  if (marked === null) return null;
  const ends = [seqOf(marked.anchor), seqOf(marked.head)];
  return { from: Math.min(...ends), to: Math.max(...ends) };
}

function linesOf({ log }: RunScreen, seqs: readonly number[]): string | null {
  const lines = seqs.map((seq) => log.entryOf(seq)).filter((entry) => entry !== null);
  return lines.length === 0 ? null : lines.map(rawLine).join('\n');
}

function dayOf({ log }: RunScreen, index: number): number | null {
  const entry = log.entryAt(index);
  return entry === null ? null : Date.parse(entry.occurred_at);
}
