import type { LogRow } from './log-row.ts';
import type { LogStore } from './log-store.ts';
import { centred, type ScrollBox } from './rows-in-view.ts';

export interface TargetPlace {
  /** The row that shows the event, or the next one behind it. */
  readonly rowId: string;
  /** Where to scroll. */
  readonly top: number;
  /** The roll-up or burst that hides the event. */
  readonly toOpen: string | null;
  /** Whether nothing that is on its way would change that. */
  readonly isSettled: boolean;
}

/** Returns where the log shows an event that it was asked to go to; null while nothing of it is loaded. */
export function targetPlace(
  seq: number,
  { log, rows, box }: { log: LogStore; rows: readonly LogRow[]; box: ScrollBox },
): TargetPlace | null {
  if (rows.every(({ kind }) => kind === 'edge')) return null;
  const isLoading = [rows[0], rows.at(-1)].some((row) => row?.kind === 'edge' && row.state === 'loading');
  const found = log.rowOf(seq);
  if (found < 0 && isLoading) return null;
  const index = found < 0 ? rows.length - 1 : found;
  const row = rows[index]!;
  const isFolded = (row.kind === 'rollup' || row.kind === 'burst') && !row.isOpen;
  const toOpen = isFolded && log.entryOf(seq) !== null ? row.id : null;
  const rowsInHalf = Math.ceil(box.height / box.rowHeight / 2);
  const isNearEdge = index < rowsInHalf || index >= rows.length - rowsInHalf;
  return {
    rowId: row.id,
    top: centred(index, box),
    toOpen,
    isSettled: toOpen === null && !(isLoading && isNearEdge),
  };
}
