import type { RunRow } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';

/** A row of the index, of a run `c1/r1/default` that has one event. */
export function indexRow(overrides: Partial<RunRow> = {}): RunRow {
  const at = '2026-01-04T00:00:00.000Z';
  return {
    ...{ cluster_id: 'c1', run_id: 'r1', group_id: 'default', status: 'running' },
    ...{ state: 'running', state_since: at, task_name: null, started_at: null },
    ...{ last_event_at: at, last_received_at: at, current_episode: 0, current_batch: 0 },
    ...{ max_batches: null, batch_avg_accuracy: null, batch_avg_reward: null, events_per_second: 0 },
    ...{ total_events_received: 1, duplicates: 0, missing: 0, missing_is_exact: true },
    ...{ attempt: 0, end: null, interval_ms: null, spark: [], seq: 1 },
    ...overrides,
  };
}

export function stateCounts(overrides: Partial<StateCounts> = {}): StateCounts {
  return { running: 0, quiet: 0, lost_contact: 0, finished: 0, failed: 0, ...overrides };
}
