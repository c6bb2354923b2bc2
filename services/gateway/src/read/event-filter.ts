import type { EventsQuery } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

export type EventFilter = Pick<EventsQuery, 'type' | 'env' | 'severity' | 'q'>;

/** Says of an entry whether every part of a filter lets it through. */
export type EntryTest = (entry: EventLogEntry) => boolean;

/** Makes the test of a filter, or null if the filter is empty and lets every event through. */
export function entryTest({ type, env, severity, q }: EventFilter): EntryTest | null {
  const tests: EntryTest[] = [];
  if (type !== undefined) {
    const types = new Set(type);
    tests.push((entry) => types.has(entry.event_type));
  }
  if (env !== undefined) {
    const envs = new Set(env);
    tests.push((entry) => entry.env_id !== null && envs.has(entry.env_id));
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

/** Metadata and values are searched by name and by content. */
function textsOf({ message, event_type, metadata, values }: EventLogEntry): string[] {
  const details = [...Object.entries(metadata), ...Object.entries(values)];
  return [message, event_type, ...details.flatMap(([name, value]) => [name, String(value)])];
}
