import type { Freshness } from '@runlog/schema/run/snapshot';

/** `(2s ago)`, `(5m ago)`, `(3h ago)`, rounded. A clock that runs behind the event's reads as now. */
export function relativeTime(at: { occurredAtMs: number; nowMs: number }): string {
  const seconds = Math.max(0, (at.nowMs - at.occurredAtMs) / 1_000);
  if (seconds < 59.5) return `(${Math.round(seconds)}s ago)`;
  if (seconds < 3_570) return `(${Math.round(seconds / 60)}m ago)`;
  return `(${Math.round(seconds / 3_600)}h ago)`;
}

/** A run is live until its newest event arrived this long ago, then slow. */
export const LIVE_MS_MAX = 2_000;
/** A run is slow until its newest event arrived this long ago, then stale. */
export const SLOW_MS_MAX = 5_000;

/** Compares arrivals by the receiver's clock alone: no two clocks are compared. */
export function freshnessOf(at: { lastReceivedAtMs: number; nowMs: number }): Freshness {
  const ageMs = at.nowMs - at.lastReceivedAtMs;
  if (ageMs < LIVE_MS_MAX) return 'live';
  return ageMs < SLOW_MS_MAX ? 'slow' : 'stale';
}
