import { copyText, rawLine } from './copy.ts';
import type { LogRow } from './log-row.ts';
import type { LogStore } from './log-store.ts';

/** Rows from one to the other, in either order, by their ids. */
export interface MarkedRows {
  readonly anchor: string;
  readonly head: string;
}

/** Text to be pasted, and how many lines it has. */
export interface MarkedText {
  readonly text: string;
  readonly lines: number;
}

/** Marks the rows from where the marking began, else from `from`, to `to`. */
export function extendedTo(held: MarkedRows | null, { from, to }: { from: string; to: string }): MarkedRows {
  return { anchor: held?.anchor ?? from, head: to };
}

/** Returns the first and the last index of marked rows; null if one of them is not there any more. */
export function markedRange(
  rows: readonly Pick<LogRow, 'id'>[],
  marked: MarkedRows | null,
): { readonly from: number; readonly to: number } | null {
  if (marked === null) return null;
  const anchor = rows.findIndex(({ id }) => id === marked.anchor);
  const head = rows.findIndex(({ id }) => id === marked.head);
  if (anchor < 0 || head < 0) return null;
  return { from: Math.min(anchor, head), to: Math.max(anchor, head) };
}

/** The marked rows as text, one line each: of the log, or of the raw table, whose rows are the events. Null if none are. */
export function markedText(log: LogStore, marked: MarkedRows | null): MarkedText | null {
  if (marked === null) return null;
  if (log.isRaw.peek()) return rawText(log, [seqOf(marked.anchor), seqOf(marked.head)]);
  const rows = log.rows.peek();
  const range = markedRange(rows, marked);
  return range === null ? null : withLines(copyText(rows.slice(range.from, range.to + 1)));
}

/** The id of the row of an event in the raw table. */
export function rawRowId(seq: number): string {
  return `e${seq}`;
}

export function seqOf(rowId: string): number {
  return Number(rowId.slice(1));
}

function rawText(log: LogStore, ends: readonly number[]): MarkedText | null {
  const from = Math.min(...ends);
  const to = Math.max(...ends);
  const lines: string[] = [];
  for (let at = log.counts.peek().shown - 1; at >= 0; at -= 1) {
    const entry = log.entryAt(at);
    if (entry !== null && entry.seq >= from && entry.seq <= to) lines.push(rawLine(entry));
  }
  return withLines(lines.join('\n'));
}

function withLines(text: string): MarkedText | null {
  return text === '' ? null : { text, lines: text.split('\n').length };
}
