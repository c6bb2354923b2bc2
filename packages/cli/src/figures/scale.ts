/** The range of a figure's values, from the least to the greatest. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Returns null if there is no value. */
export function rangeOf(values: Iterable<number | null>): Range | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? null : { low, high };
}

/** Says where in the range a value is, from 0 to 1, and 0.5 if the range has no width. No finite values make it NaN. */
export function partOf(value: number, { low, high }: Range): number {
  if (low === high) return 0.5;
  const width = high - low;
  // The width of nearly all doubles is itself none.
  const part = Number.isFinite(width) ? (value - low) / width : (value / 4 - low / 4) / (high / 4 - low / 4);
  return Math.min(1, Math.max(0, part));
}

/** Returns the value at a part of the range: the inverse of `partOf`. */
export function valueAt(part: number, { low, high }: Range): number {
  return low * (1 - part) + high * part;
}
