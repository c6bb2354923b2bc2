import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';

import type { RunHead } from '@runlog/schema/run/snapshot';

/** The most runs that one sweep of a partition retires. The next sweep retires the rest. */
const RETIRED_PER_SWEEP_MAX = 1_000;

/** Returns runs that have been silent for longer than the retention time. */
export function silentRuns(
  states: Pick<ReadonlyRunStates, 'heads'>,
  at: { nowMs: number; retentionMs: number },
): RunHead[] {
  const before = new Date(at.nowMs - at.retentionMs).toISOString();
  const silent: RunHead[] = [];
  for (const [, state] of states.heads()) {
    // Canonical ISO texts sort in the order of time.
    if (state.last_received_at < before) silent.push(state);
    if (silent.length >= RETIRED_PER_SWEEP_MAX) break;
  }
  return silent;
}
