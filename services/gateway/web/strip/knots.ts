/**
 * Maps a number through the points (from[i], to[i]) and the straight lines between them. Neither column may go back. Below the
 * first point and above the last one the result is that of the point, so it never leaves `to`, and it never goes back either.
 */
export function interpolate(value: number, from: readonly number[], to: readonly number[]): number {
  const below = lastAtOrBelow(value, from);
  if (below < 0) return to[0]!;
  const above = below + 1;
  if (above >= from.length) return to[below]!;
  const part = (value - from[below]!) / (from[above]! - from[below]!);
  return Math.min(to[above]!, to[below]! + part * (to[above]! - to[below]!));
}

/** Returns the index of the last of the ascending numbers that is not above the value, or -1. */
export function lastAtOrBelow(value: number, ascending: readonly number[]): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Returns the indexes of the longest part of the values that never goes back. So one clock that is far ahead, or is set back
 * for a while, takes nothing away from the others.
 */
export function longestOrdered(values: readonly number[]): number[] {
  /** The index of the least value that ends an ordered part of each length, and what stands before each value in its part. */
  const ends: number[] = [];
  const endValues: number[] = [];
  const before = new Int32Array(values.length);
  for (const [index, value] of values.entries()) {
    const length = lastAtOrBelow(value, endValues) + 1;
    before[index] = length === 0 ? -1 : ends[length - 1]!;
    ends[length] = index;
    endValues[length] = value;
  }
  const ordered: number[] = [];
  for (let index = ends.at(-1) ?? -1; index >= 0; index = before[index]!) ordered.push(index);
  return ordered.reverse();
}
