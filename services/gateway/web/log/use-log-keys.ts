import { useMemo } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import type { LogRow } from './log-row.ts';
import { extendedTo } from './marked-rows.ts';

export interface LogKeys {
  /** The row that the keys act on, by its id. */
  readonly activeId: { value: string | null; peek(): string | null };
  /** The rows in view, by their indexes. */
  inView(): { readonly first: number; readonly last: number };
  /** Scrolls as little as needed to have a row in view. */
  reveal(index: number): void;
  toTop(): void;
  press(row: LogRow): void;
}

/**
 * The keys of the log: up and down its rows, open, to its ends, pause and follow, and what is around a match. `mark` goes to
 * the next row and marks those on the way.
 */
export function useLogKeys(screen: RunScreen, keys: LogKeys): { mark(by: 1 | -1): void } {
  const act = useMemo(() => actsOf(screen, keys), [screen, keys]);
  useShortcut('run.next', act.next);
  useShortcut('run.previous', act.previous);
  useShortcut('run.expand', act.expand);
  useShortcut('run.first', act.first);
  useShortcut('run.last', act.last);
  useShortcut('run.follow', act.follow);
  useShortcut('run.around', act.around);
  return act;
}

function actsOf(screen: RunScreen, { activeId, inView, reveal, toTop, press }: LogKeys) {
  const { log } = screen;
  const activeIndex = () => log.rows.peek().findIndex(({ id }) => id === activeId.peek());
  const step = (by: 1 | -1, { extend = false } = {}) => {
    const rows = log.rows.peek();
    const held = activeIndex();
    const { first, last } = inView();
    const from = held >= 0 ? held : by > 0 ? first - 1 : Math.min(rows.length, last + 1);
    const at = nextRow(rows, from, by);
    if (at < 0) return;
    log.leaveEnd();
    const row = rows[at]!;
    const begun = rows[held]?.id ?? row.id;
    log.marked.value = extend ? extendedTo(log.marked.peek(), { from: begun, to: row.id }) : null;
    activeId.value = row.id;
    if (!extend && row.kind === 'event') screen.select(row.seq);
    reveal(at);
  };
  return {
    next: () => step(1),
    previous: () => step(-1),
    mark: (by: 1 | -1) => step(by, { extend: true }),
    expand() {
      const row = log.rows.peek()[activeIndex()];
      if (row !== undefined) press(row);
    },
    first() {
      log.goToBeginning();
      toTop();
    },
    last() {
      activeId.value = null;
      log.follow();
    },
    follow: () => (log.state.peek().isFollowing ? log.pause() : log.follow()),
    around() {
      if (log.around.peek() !== null) {
        log.showMatches();
        return;
      }
      const row = log.rows.peek()[activeIndex()];
      const seq = row !== undefined && 'seq' in row ? row.seq : screen.selected.peek();
      if (seq === null) return;
      log.showAround(seq);
      screen.select(seq);
    },
  };
}

/** Rows that something can be done with: neither dates, nor an edge that only says what is beyond it. */
function nextRow(rows: readonly LogRow[], from: number, by: 1 | -1): number {
  for (let at = from + by; at >= 0 && at < rows.length; at += by) {
    const row = rows[at]!;
    if (row.kind === 'date') continue;
    if (row.kind !== 'edge' || row.state === 'failed' || row.state === 'searching') return at;
  }
  return -1;
}
