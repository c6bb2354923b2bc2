import type { Figure } from '@runlog/schema/run/figures';

const COLUMNS = ['x', 't', 'first', 'last', 'min', 'max', 'count', 'attempt'] as const;

/**
 * Writes figures as CSV, a line a bucket, with the line breaks and quotes of the standard. Numbers are exact: whoever reads
 * one gets the double that is stored. `t` is in milliseconds since 1970. The field of a value is empty where no point of the
 * bucket has one.
 */
export function figuresCsv(figures: readonly Figure[]): string {
  const lines = [`name,bucket,${COLUMNS.join(',')}`];
  for (const figure of figures) {
    const name = csvText(figure.name);
    for (const bucket of figure.x.keys()) {
      const numbers = COLUMNS.map((column) => figure[column][bucket] ?? '');
      lines.push(`${name},${bucket},${numbers.join(',')}`);
    }
  }
  return lines.map((line) => `${line}\r\n`).join('');
}

function csvText(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
