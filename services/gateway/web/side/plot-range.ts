/** Beyond it a plot finds no places for its axis, and far beyond it the difference of two values is no number any more. */
const SIZE_MAX = 1e15;

/**
 * Returns what the values of a plot are divided by before it draws them: a power of ten, and 1 unless they are so great that
 * nothing could be drawn.
 */
export function plotUnit(range: readonly [low: number | null, high: number | null] | null): number {
  const size = Math.max(Math.abs(range?.[0] ?? 0), Math.abs(range?.[1] ?? 0));
  return size > SIZE_MAX ? 10 ** Math.floor(Math.log10(size)) : 1;
}

/** Returns the range with `room` above and below, as a part of it. A line without a range is in the middle. */
export function plotRange(low: number | null, high: number | null, room: number): [number, number] {
  if (low === null || high === null) return [0, 1];
  const around = high > low ? (high - low) * room : Math.abs(low) * 0.1 || 1;
  return [low - around, high + around];
}
