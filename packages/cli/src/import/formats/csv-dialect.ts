/** How a file separates its cells, and what stands before the digits behind the point. */
export interface CsvDialect {
  readonly delimiter: ',' | ';' | '\t' | '|';
  readonly isDecimalComma: boolean;
}

const delimiters = [',', ';', '\t', '|'] as const;

/** Reads it off the header: the sign that stands in it most often, outside quotes. A single column has commas. */
export function dialectOfHeader(line: string): CsvDialect {
  const bare = line.replace(/"(?:[^"]|"")*"/g, '');
  let delimiter: CsvDialect['delimiter'] = ',';
  let most = 0;
  for (const sign of delimiters) {
    const times = bare.split(sign).length - 1;
    if (times > most) [delimiter, most] = [sign, times];
  }
  // Whoever writes decimal commas cannot separate cells by them.
  return { delimiter, isDecimalComma: delimiter === ';' };
}

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const nonFinite = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['+infinity', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
]);

/**
 * Returns the number of a cell, or null if it is text. Integers that a double cannot hold, and digits after a leading zero, are
 * names.
 */
export function cellNumber(text: string, { isDecimalComma }: CsvDialect): number | null {
  const special = nonFinite.get(text.toLowerCase());
  if (special !== undefined) return special;
  const point = isDecimalComma && /^[^.,]*,[^.,]*$/.test(text) ? text.replace(',', '.') : text;
  if (!numberPattern.test(point) || /^[+-]?0\d/.test(point)) return null;
  const number = Number(point);
  return !Number.isFinite(number) || (/^[+-]?\d+$/.test(point) && !Number.isSafeInteger(number))
    ? null
    : number;
}
