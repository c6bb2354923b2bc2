import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import { QUERY_CHARS_MAX } from '@runlog/schema/limits';
import type { EventLogEntry, Severity } from '@runlog/schema/run/snapshot';
import type { LogFilter } from '../log/log-filter.ts';

/** One field of an event as it is listed. */
export interface EventField {
  readonly name: string;
  readonly value: string;
  /** What the log is narrowed to by it; null if no filter can name it. */
  readonly filter: Partial<LogFilter> | null;
}

/** Fields of an event beyond it are left to its JSON. */
export const FIELDS_MAX = 200;

/** Members of an event that stand in the head of the pane, or are the run's own. */
const told: ReadonlySet<string> = new Set(['data', 'run_id', 'group_id', 'timestamp']);

/**
 * Returns the fields of an event: what the log says of it, then what was sent. The server searches the text of an entry's
 * message, metadata and values, so other fields cannot be searched for.
 */
export function eventFields(stored: StoredEvent): EventField[] {
  const { entry, event } = stored;
  const fields = [...(entry === null ? [] : entryFields(entry))];
  const listed = new Set(fields.map(({ name }) => name));
  for (const [name, value] of [...Object.entries(event), ...Object.entries(dataOf(event))]) {
    if (value === null || value === undefined || told.has(name) || listed.has(name)) continue;
    listed.add(name);
    fields.push({ name, value: valueText(value), filter: textFilter(entry, { name, value }) });
  }
  return fields.slice(0, FIELDS_MAX);
}

/** Narrows a filter by one more field. What it said of that field is replaced. */
export function narrowedBy(filter: LogFilter, by: Partial<LogFilter>): LogFilter {
  const notTypes = filter.notTypes.filter((type) => by.types?.includes(type) !== true);
  return { ...filter, notTypes, ...by };
}

/** Where an event was sent and received. `laterMs` is below 0 if the sender's clock is ahead. */
export interface EventTimes {
  readonly sentMs: number;
  readonly receivedMs: number | null;
  readonly laterMs: number | null;
}

export function eventTimes({ event, received_at: receivedAt }: StoredEvent): EventTimes {
  const sentMs = Date.parse(String(event.timestamp));
  const receivedMs = receivedAt === null ? null : Date.parse(receivedAt);
  const laterMs = receivedMs === null || Number.isNaN(sentMs) ? null : receivedMs - sentMs;
  return { sentMs, receivedMs, laterMs };
}

/** Which events come before and after an event: those of its seed's slot, else of its environment, else all. */
export interface EventLine {
  readonly name: string;
  readonly query: { readonly env?: readonly number[]; readonly slot?: readonly string[] };
}

export function lineOfEvent(entry: EventLogEntry | null, envName: (env: number) => string): EventLine {
  if (entry === null) return { name: 'this run', query: {} };
  const { env_id: env, metadata, values } = entry;
  const slot = String(metadata.slot_id ?? values.slot_id ?? '');
  // A comma would part the slot for the server.
  const canAsk = slot !== '' && !slot.includes(',');
  if (env === null && !canAsk) return { name: 'this run', query: {} };
  return {
    name: [env === null ? '' : envName(env), canAsk ? slot : ''].filter((part) => part !== '').join(' '),
    query: { ...(env !== null && { env: [env] }), ...(canAsk && { slot: [slot] }) },
  };
}

function entryFields(entry: EventLogEntry): EventField[] {
  const { event_type: type, severity, env_id: env, episode, message, metadata, values } = entry;
  const slot = metadata.slot_id ?? values.slot_id;
  const fields: EventField[] = [
    { name: 'event_type', value: type, filter: { types: [type] } },
    { name: 'severity', value: severity, filter: { severities: [severity satisfies Severity] } },
  ];
  if (env !== null) fields.push({ name: 'env_id', value: String(env), filter: { envs: [env] } });
  if (slot !== undefined) {
    const filter = String(slot).includes(',') ? null : { slots: [String(slot)] };
    fields.push({ name: 'slot_id', value: String(slot), filter });
  }
  if (message !== '' && message !== type)
    fields.push({ name: 'message', value: message, filter: asText(message) });
  fields.push({ name: 'episode', value: String(episode), filter: null });
  return fields;
}

function textFilter(
  entry: EventLogEntry | null,
  { name, value }: { name: string; value: unknown },
): Partial<LogFilter> | null {
  if (entry === null || typeof value === 'object') return null;
  const text = String(value);
  const isSearched = [...Object.values(entry.metadata), ...Object.values(entry.values)].some(
    (held) => String(held) === text,
  );
  const isKnown = Object.hasOwn(entry.metadata, name) || Object.hasOwn(entry.values, name) || isSearched;
  return isKnown && isSearched ? asText(text) : null;
}

function asText(text: string): Partial<LogFilter> | null {
  const part = text.slice(0, QUERY_CHARS_MAX);
  return part.trim() === '' ? null : { text: part };
}

function dataOf(event: StoredEvent['event']): Record<string, unknown> {
  const { data } = event;
  return typeof data === 'object' && data !== null && !Array.isArray(data)
    ? (data as Record<string, unknown>)
    : {};
}

function valueText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
