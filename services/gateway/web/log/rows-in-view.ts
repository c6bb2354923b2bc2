import type { LogRow } from './log-row.ts';

/** Rows that are drawn above and below those in view, so that a fast wheel shows no hole. */
const OVERSCAN = 12;
/** Nearer to the end than this part of a row counts as at the end: zoomed pages scroll in fractions. */
const END_PART = 0.9;

/** Where the list is scrolled to, in pixels. */
export interface ScrollBox {
  readonly top: number;
  readonly height: number;
  readonly rowHeight: number;
}

/** The rows of a list by their indexes: in view, and drawn. */
export interface RowsInView {
  readonly first: number;
  readonly last: number;
  readonly drawnFrom: number;
  readonly drawnTo: number;
  readonly isAtEnd: boolean;
}

/** Returns which of so many rows of one height are in view. Without any, `last` is before `first`. */
export function rowsInView({ top, height, rowHeight }: ScrollBox, rows: number): RowsInView {
  const first = Math.min(Math.max(0, Math.floor(top / rowHeight)), Math.max(0, rows - 1));
  const last = Math.min(rows - 1, Math.ceil((top + height) / rowHeight) - 1);
  return {
    first,
    last,
    drawnFrom: Math.max(0, first - OVERSCAN),
    drawnTo: Math.min(rows, last + 1 + OVERSCAN),
    isAtEnd: top + height >= (rows - END_PART) * rowHeight,
  };
}

/** Rows with selected text stay in the page while they are out of view, up to so many; else those at its ends do. */
const KEPT_ROWS_MAX = 500;

/** Returns the indexes of the rows to draw: those in view and around it, and those with selected text. */
export function drawnRows(
  { drawnFrom, drawnTo }: RowsInView,
  { rows, text }: { rows: readonly LogRow[]; text: { readonly from: string; readonly to: string } | null },
): readonly number[] {
  const drawn: number[] = [];
  for (let at = drawnFrom; at < drawnTo; at += 1) drawn.push(at);
  if (text === null) return drawn;
  const ends = [text.from, text.to]
    .map((id) => rows.findIndex((row) => row.id === id))
    .filter((at) => at >= 0);
  const first = Math.min(...ends);
  const last = Math.max(...ends);
  const isWhole = last - first < KEPT_ROWS_MAX;
  for (let at = first; at <= last; at += isWhole ? 1 : Math.max(1, last - first)) {
    if (at < drawnFrom || at >= drawnTo) drawn.push(at);
  }
  return drawn.sort((one, other) => one - other);
}

/** Returns where to scroll so that a row is in the middle. */
export function centred(
  index: number,
  { height, rowHeight }: Pick<ScrollBox, 'height' | 'rowHeight'>,
): number {
  return Math.max(0, Math.round((index + 0.5) * rowHeight - height / 2));
}

/** Returns where to scroll so that a row is in view, as near as possible. The date of the minute covers the first row. */
export function revealed(index: number, { top, height, rowHeight }: ScrollBox): number {
  if ((index - 1) * rowHeight < top) return Math.max(0, (index - 1) * rowHeight);
  if ((index + 1) * rowHeight > top + height) return (index + 1) * rowHeight - height;
  return top;
}

/** The row that stays where it is when others come or go: the first whole one in view, and where it was. */
export interface Anchor {
  readonly id: string;
  readonly index: number;
  readonly seq: number;
  /** From the top of the view to the top of the row, in pixels. */
  readonly offset: number;
}

/** Returns the row to hold on to; null if there is none. Dates and edges are not, because they come and go. */
export function anchorOf(rows: readonly LogRow[], box: ScrollBox): Anchor | null {
  const { top, height, rowHeight } = box;
  const from = Math.max(0, Math.ceil(top / rowHeight));
  const to = Math.min(rows.length, Math.ceil((top + height) / rowHeight));
  for (let index = from; index < to; index += 1) {
    const row = rows[index]!;
    if (row.kind === 'date' || row.kind === 'edge' || row.kind === 'gap') continue;
    return { id: row.id, index, seq: row.seq, offset: index * rowHeight - top };
  }
  return null;
}

/**
 * Returns where to scroll so that an anchor stays where it was; null if it may stay as it is. A row that is gone, because it
 * became part of another, is stood for by the next one of the order.
 */
export function heldTop(anchor: Anchor | null, rows: readonly LogRow[], box: ScrollBox): number | null {
  if (anchor === null || rows[anchor.index]?.id === anchor.id) return null;
  const index = indexOf(anchor, rows);
  if (index < 0) return null;
  return Math.max(0, index * box.rowHeight - anchor.offset);
}

function indexOf({ id, seq }: Anchor, rows: readonly LogRow[]): number {
  const same = rows.findIndex((row) => row.id === id);
  if (same >= 0) return same;
  return rows.findIndex((row) => 'seq' in row && ('lastSeq' in row ? row.lastSeq : row.seq) >= seq);
}

/** Returns the minute that the rows from an index on are in, which a date row above them names; null if none does. */
export function minuteAt(rows: readonly LogRow[], index: number): number | null {
  for (let at = Math.min(index, rows.length - 1); at >= 0; at -= 1) {
    const row = rows[at]!;
    if (row.kind === 'date') return row.minuteMs;
  }
  return null;
}
