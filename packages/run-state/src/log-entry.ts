import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EntryMetadata, EventType } from '@runlog/schema/events/event-type';
import { clockOf, instantOf } from '@runlog/schema/events/instant';
import { MESSAGE_BYTES_MAX } from '@runlog/schema/limits';
import { cutName, cutText } from '@runlog/schema/run/cut-text';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { entryValuesOf } from './entry-values.ts';
import { severityOf } from './severity.ts';

/**
 * Makes the entry of an event (TELE-810 to 815): a generic message that can be rolled up, and the details in `metadata`. The
 * row of its type writes both; `values` hold what else the event's `data` says. `episode` is the run's before the event. The
 * event must be in today's shape.
 */
export function logEntryOf(
  event: TelemetryEvent,
  { type, episode, seq }: { type: EventType; episode: number; seq: number },
): EventLogEntry {
  const metadata: EntryMetadata = { event_id: event.event_id };
  const said = type.entry === null ? event.message || event.event_type : type.entry(event, metadata);
  const message = cutText(said, { charsMax: MESSAGE_BYTES_MAX, jsonBytesMax: MESSAGE_BYTES_MAX });
  bound(metadata);
  return {
    timestamp: utcClockOf(event.timestamp),
    event_type: event.event_type,
    env_id: type.scope === 'run' ? null : environmentOf(event.data),
    message,
    metadata,
    episode,
    seq,
    occurred_at: event.timestamp,
    severity: severityOf(event.severity),
    values: entryValuesOf(event, { type, message, metadata }),
  };
}

/** Cuts text, and makes -0 a 0, as JSON writes it: a state must equal the state that is read back. */
function bound(metadata: EntryMetadata): void {
  for (const name of Object.keys(metadata)) {
    const value = metadata[name]!;
    metadata[name] = typeof value === 'string' ? cutName(value) : value + 0;
  }
}

/** Returns the environment that an event names, or null if it names none or the emitters' "unknown" (-1). */
function environmentOf(data: TelemetryEvent['data']): number | null {
  const env = data?.env_id;
  return Number.isSafeInteger(env) && (env as number) >= 0 ? (env as number) + 0 : null;
}

/** HH:MM:SS in UTC. The text of nearly every timestamp holds it. */
function utcClockOf(timestamp: string): string {
  if (timestamp.length >= 19 && (timestamp.endsWith('+00:00') || timestamp.endsWith('Z'))) {
    const clock = timestamp.slice(11, 19);
    if (clock[5] === ':' && clock < '24') return clock;
  }
  return clockOf(instantOf(timestamp));
}
