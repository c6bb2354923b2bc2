import type { Freshness } from '@runlog/schema/run/snapshot';

/** `(2s ago)`, `(5m ago)`, `(3h ago)`, rounded. If this clock is behind the event's, the event reads as now. */
export function relativeTime(at: { occurredAtMs: number; nowMs: number }): string {
  const seconds = Math.max(0, (at.nowMs - at.occurredAtMs) / 1_000);
  if (seconds < 59.5) return `(${Math.round(seconds)}s ago)`;
  if (seconds < 3_570) return `(${Math.round(seconds / 60)}m ago)`;
  return `(${Math.round(seconds / 3_600)}h ago)`;
}

/** A run is live while its newest event arrived less than this long ago. After that it is slow. */
export const LIVE_MS_MAX = 2_000;
/** A run is slow while its newest event arrived less than this long ago. After that it is stale. */
export const SLOW_MS_MAX = 5_000;

/** Compares times of the receiver's clock only, never times of two clocks. */
export function freshnessOf(at: { lastReceivedAtMs: number; nowMs: number }): Freshness {
  const ageMs = at.nowMs - at.lastReceivedAtMs;
  if (ageMs < LIVE_MS_MAX) return 'live';
  return ageMs < SLOW_MS_MAX ? 'slow' : 'stale';
}
