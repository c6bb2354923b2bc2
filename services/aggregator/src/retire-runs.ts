import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';

import type { RunHead } from '@runlog/schema/run/snapshot';

/** The runs that one sweep of one partition retires; the rest goes with the next sweep. */
const RETIRED_PER_SWEEP_MAX = 1_000;

/** Runs that have been silent for longer than the retention. */
export function silentRuns(
  states: Pick<ReadonlyRunStates, 'heads'>,
  at: { nowMs: number; retentionMs: number },
): RunHead[] {
  const before = new Date(at.nowMs - at.retentionMs).toISOString();
  const silent: RunHead[] = [];
  for (const [, state] of states.heads()) {
    // Canonical ISO text compares as time does.
    if (state.last_received_at < before) silent.push(state);
    if (silent.length >= RETIRED_PER_SWEEP_MAX) break;
  }
  return silent;
}
