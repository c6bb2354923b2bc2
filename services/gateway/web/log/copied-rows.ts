/** What is written for rows, by their ids or for those that are marked. Null leaves the copying to the browser. */
export interface CopiedRows {
  ofIds(ids: readonly string[]): string | null;
  ofMarked(): string | null;
}

/** Has what was selected copied as one line a row. A part of a single row is copied as it is. */
export function copyRows(event: ClipboardEvent, list: HTMLElement, rows: CopiedRows): void {
  const selection = document.getSelection();
  const isInText = selection !== null && !selection.isCollapsed;
  const ids = isInText ? selectedIds(list, selection) : [];
  if (isInText && ids.length < 2) return;
  const text = isInText ? rows.ofIds(ids) : rows.ofMarked();
  if (text === null || event.clipboardData === null) return;
  event.clipboardData.setData('text/plain', text);
  event.preventDefault();
}

function selectedIds(list: HTMLElement, selection: Selection): string[] {
  const rows = [...list.querySelectorAll<HTMLElement>('[data-row]')];
  return rows.filter((row) => selection.containsNode(row, true)).map(({ dataset }) => dataset.row ?? '');
}
