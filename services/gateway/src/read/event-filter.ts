import type { EventsQuery } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

export type EventFilter = Pick<EventsQuery, 'type' | 'not_type' | 'env' | 'slot' | 'severity' | 'q'>;

/** Says of an entry whether every part of a filter lets it through. */
export type EntryTest = (entry: EventLogEntry) => boolean;

/** Makes the test of a filter, or null if the filter is empty and lets every event through. */
export function entryTest({ type, not_type, env, slot, severity, q }: EventFilter): EntryTest | null {
  const tests: EntryTest[] = [];
  if (type !== undefined) {
    const types = new Set(type);
    tests.push((entry) => types.has(entry.event_type));
  }
  if (not_type !== undefined) {
    const types = new Set(not_type);
    tests.push((entry) => !types.has(entry.event_type));
  }
  if (env !== undefined) {
    const envs = new Set(env);
    tests.push((entry) => entry.env_id !== null && envs.has(entry.env_id));
  }
  if (slot !== undefined) {
    const slots = new Set(slot);
    tests.push((entry) => slotsOf(entry).some((slot) => slots.has(slot)));
  }
  if (severity !== undefined) {
    const severities = new Set(severity);
    tests.push((entry) => severities.has(entry.severity));
  }
  if (q !== undefined) {
    const part = q.toLowerCase();
    tests.push((entry) => textsOf(entry).some((text) => text.toLowerCase().includes(part)));
  }
  return tests.length === 0 ? null : (entry) => tests.every((test) => test(entry));
}

/** An entry of a type that runlog knows has its slot in the metadata; another one may have it in its values. */
function slotsOf({ metadata, values }: EventLogEntry): string[] {
  return [metadata.slot_id, values.slot_id].filter((slot) => slot !== undefined).map(String);
}

/** Metadata and values are searched by name and by content. */
function textsOf({ message, event_type, metadata, values }: EventLogEntry): string[] {
  const details = [...Object.entries(metadata), ...Object.entries(values)];
  return [message, event_type, ...details.flatMap(([name, value]) => [name, String(value)])];
}
