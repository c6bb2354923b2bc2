/** A gap weighs as much as its share of this many usual ones. */
const MEMORY = 7;
/** A run that slept for longer usually sends as often as before. */
const GAP_MS_MAX = 24 * 3_600_000;

/**
 * Returns how far apart the events of a run usually arrive after another gap between two arrivals, in milliseconds. It is
 * the length of the gap that a moment usually falls into: each gap weighs by its length, so a burst of many events every
 * 25 s makes some 25 s, not milliseconds. Integers only, so every process comes to the same number.
 */
export function usualInterval(held: number | null, gapMs: number): number {
  const gap = Math.min(gapMs, GAP_MS_MAX);
  if (held === null) return gap;
  return held + Math.floor(((gap - held) * gap) / (gap + MEMORY * held));
}
