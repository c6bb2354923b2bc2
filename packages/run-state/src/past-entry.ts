import { eventTypeOf } from '@runlog/schema/events/event-types';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { initialRun } from './initial-run.ts';
import { logEntryOf } from './log-entry.ts';
import type { EventRecord } from './run-record.ts';

/** Below every episode, so that an effect that leaves it alone is recognised. */
const NO_EPISODE = -1;
const noRun = { cluster_id: '', run_id: '', group_id: '' };

/** Makes the entry of an event that is read again. `episode` is the run's before the event. */
export function pastEntryOf({ event, seq }: EventRecord, episode: number): EventLogEntry {
  return logEntryOf(event, { type: eventTypeOf(event.event_type), episode, seq });
}

/** Says whether the fold logs events of this type. */
export function isLogged(eventType: string): boolean {
  return eventTypeOf(eventType).page.class !== 'unlogged';
}

/**
 * Returns the run's episode after an event that sets it, or null after any other. The event must not be a repeat. It has
 * the effect that the fold gives it, on a run of which nothing else is needed.
 */
export function episodeSetBy({ event }: EventRecord): number | null {
  const { effect } = eventTypeOf(event.event_type);
  if (effect === null) return null;
  const run = { ...initialRun(noRun), current_episode: NO_EPISODE };
  effect(run, event);
  return run.current_episode === NO_EPISODE ? null : run.current_episode;
}
