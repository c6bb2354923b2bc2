/** A column of a chart in which an attempt begins. */
export interface Mark {
  readonly column: number;
  readonly attempt: number;
}

/** Finds where attempts begin, apart from the first one shown. Of several in one column, the newest counts. */
export function attemptMarks(attempts: readonly number[], columnOf: (bucket: number) => number): Mark[] {
  const marks = new Map<number, Mark>();
  for (const [bucket, attempt] of attempts.entries()) {
    if (bucket === 0 || attempts[bucket - 1] === attempt) continue;
    const column = columnOf(bucket);
    marks.set(column, { column, attempt });
  }
  return [...marks.values()];
}

/** Writes the number of each attempt above the column in which it begins, as long as there is room before the next. */
export function markLabels(marks: readonly Mark[], columns: number): string {
  let line = '';
  for (const [at, { column, attempt }] of marks.entries()) {
    const room = (marks[at + 1]?.column ?? columns + 1) - column - 1;
    const label = [`┊attempt ${attempt}`, `┊${attempt}`, '┊'].find((text) => text.length <= room) ?? '┊';
    line = `${line.padEnd(column)}${label}`;
  }
  return line;
}
