import { emptySnapshot } from '@runlog/run-state/delivery';
import type { DeliveredEntry, DeliveredSnapshot, EventLogEntry } from '@runlog/schema/run/snapshot';
import { TEST_EPOCH } from './event-factory.ts';

/** An entry of the event log. Each has an `event_id` of its own, which follows from `seq`. */
export function entryOf(overrides: Partial<EventLogEntry> = {}): EventLogEntry {
  const { metadata, ...rest } = overrides;
  return {
    timestamp: '23:59:47',
    event_type: 'EPOCH_COMPLETED',
    env_id: 0,
    message: 'EPOCH_COMPLETED',
    episode: 0,
    seq: 1,
    occurred_at: '2026-01-03T23:59:47.900000+00:00',
    severity: 'info',
    values: {},
    ...rest,
    metadata: { event_id: `event-${overrides.seq ?? 1}`, ...metadata },
  };
}

export function deliveredEntry(overrides: Partial<DeliveredEntry> = {}): DeliveredEntry {
  const { relative_time = '(1s ago)', ...rest } = overrides;
  return { ...entryOf(rest), relative_time };
}

/** A run `c1/r1/default` of one event, as it is delivered. */
export function deliveredSnapshot(overrides: Partial<DeliveredSnapshot> = {}): DeliveredSnapshot {
  return {
    ...emptySnapshot({ cluster_id: 'c1', run_id: 'r1', group_id: 'default' }),
    position: { epoch: TEST_EPOCH, seq: 1 },
    first_seq: 1,
    last_event_id: 'event-1',
    last_received_at: '2026-01-04T00:00:00.000Z',
    state: 'running',
    state_since: '2026-01-04T00:00:00.000Z',
    total_events_received: 1,
    ...overrides,
  };
}
