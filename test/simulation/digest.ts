import type { DeliveredSnapshot, RunSnapshot } from '@runlog/schema/run/snapshot';

/** Returns what tells two states of a run apart, except `activity`, which is sent rarely. */
export function digest(state: DeliveredSnapshot | RunSnapshot): string {
  const {
    total_events_received,
    duplicates,
    missing,
    unsure,
    first_seq,
    evicted_seq,
    last_event_id,
    status,
  } = state;
  const numbers = [total_events_received, duplicates, missing, unsure, first_seq, evicted_seq].join();
  const eventLog = state.event_log.map((entry) => entry.seq).join();
  const milestones = state.milestones.map((entry) => entry.seq).join();
  return `${numbers} ${last_event_id} ${status} [${eventLog}] [${milestones}]`;
}
