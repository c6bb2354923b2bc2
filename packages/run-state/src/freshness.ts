import type { Freshness } from '@runlog/schema/run/snapshot';

/** `(2s ago)`, `(5m ago)`, `(3h ago)`, rounded. A clock that runs behind the event's reads as now. */
export function relativeTime(at: { occurredAtMs: number; nowMs: number }): string {
  const seconds = Math.max(0, (at.nowMs - at.occurredAtMs) / 1_000);
  if (seconds < 59.5) return `(${Math.round(seconds)}s ago)`;
  if (seconds < 3_570) return `(${Math.round(seconds / 60)}m ago)`;
  return `(${Math.round(seconds / 3_600)}h ago)`;
}

/** Live under 2 s since the last event arrived, slow under 5 s, stale after. By the receiver's clock alone. */
export function freshnessOf(at: { lastReceivedAtMs: number; nowMs: number }): Freshness {
  const ageMs = at.nowMs - at.lastReceivedAtMs;
  if (ageMs < 2_000) return 'live';
  return ageMs < 5_000 ? 'slow' : 'stale';
}
