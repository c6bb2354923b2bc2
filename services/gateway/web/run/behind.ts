/** What is drawn more than this after the server received it is said in amber. */
export const BEHIND_MS_MAX = 2_000;
/** A measurement says something about now for so long, or for so many of the run's usual intervals. */
const HOLDS_MS = 2_000;
const HOLDS_INTERVALS = 4;
/** Whoever was late is not for ever: a run that has paused since is drawn as a whole. */
const LATE_HOLDS_MS_MAX = 10_000;

/** How long after the server received the newest event it was drawn, and when it was. All times are the server's. */
export interface DrawnSample {
  readonly behindMs: number;
  readonly drawnMs: number;
}

/**
 * Measures at the moment of drawing. Returns null if the step says nothing about the delay: it is the first one after a
 * connection, which tells of a time in which nothing could come, or it brought no event.
 */
export function sampleOf(step: {
  readonly isLive: boolean;
  /** `last_received_at` of what was drawn before, and of what is drawn now. */
  readonly receivedBefore: string | null;
  readonly received: string;
  /** Null if the server's time is not known. */
  readonly drawnMs: number | null;
}): DrawnSample | null {
  const { isLive, receivedBefore, received, drawnMs } = step;
  if (!isLive || drawnMs === null || received === receivedBefore) return null;
  const behindMs = drawnMs - Date.parse(received);
  return Number.isNaN(behindMs) ? null : { behindMs: Math.max(0, behindMs), drawnMs };
}

/**
 * Returns how far what is drawn is behind what the server has, or null where nothing says it: when no event has come for
 * far longer than usual, everything that there is has been drawn.
 */
export function behindAt(
  sample: DrawnSample | null,
  at: { readonly nowMs: number | null; readonly intervalMs: number | null },
): number | null {
  if (sample === null || at.nowMs === null) return null;
  const usualMs = HOLDS_INTERVALS * (at.intervalMs ?? 0);
  const isLate = sample.behindMs > BEHIND_MS_MAX;
  const holdsMs = Math.max(HOLDS_MS, isLate ? Math.min(LATE_HOLDS_MS_MAX, usualMs) : usualMs);
  return at.nowMs - sample.drawnMs <= holdsMs ? sample.behindMs : null;
}
