import { modernise } from '@runlog/run-state/modernise';
import { parseReceivedAt } from '@runlog/run-state/received-at';
import type { RunRecord } from '@runlog/run-state/run-record';
import { SCHEMA_VERSION, type TelemetryEvent } from '@runlog/schema/events/event';
import { validateEvent } from '@runlog/schema/events/validate-event';
import { DEFAULT_GROUP, formatRunKey } from '@runlog/schema/run/run-key';
import { parseJson } from '@runlog/topic-io/parse-json';
import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';

/** The headers of an event's record. */
export const eventHeaders = {
  eventType: 'event_type',
  eventId: 'event_id',
  receivedAt: 'received_at',
  schemaVersion: 'schema_version',
  emitterId: 'emitter_id',
  emitterSeq: 'emitter_seq',
} as const;

/** The record of an event, ready to be appended. */
export interface EventRecord extends RecordToAppend {
  readonly value: Buffer;
}

type EventIdentity = Pick<
  TelemetryEvent,
  'event_type' | 'event_id' | 'run_id' | 'group_id' | 'emitter_id' | 'emitter_seq'
>;

/** An event as it arrived. */
export interface Arrival {
  readonly clusterId: string;
  /** The bytes as received, or with bare NaN quoted. */
  readonly value: Buffer;
  readonly receivedAtMs: number;
  /** The same time as ISO text, which the events of a body share. */
  readonly receivedAt: string;
  /** The parsed value, if readers in this process can use it. */
  readonly json?: unknown;
}

/** Encodes the record of a valid event. */
export function encodeEvent(event: EventIdentity, arrived: Arrival): EventRecord {
  const headers: Record<string, string> = {
    [eventHeaders.eventType]: event.event_type,
    [eventHeaders.eventId]: event.event_id,
    [eventHeaders.receivedAt]: arrived.receivedAt,
    [eventHeaders.schemaVersion]: SCHEMA_VERSION,
  };
  if (event.emitter_id != null && event.emitter_seq != null) {
    headers[eventHeaders.emitterId] = event.emitter_id;
    headers[eventHeaders.emitterSeq] = String(event.emitter_seq);
  }
  const key = formatRunKey({
    cluster_id: arrived.clusterId,
    run_id: event.run_id,
    group_id: event.group_id ?? DEFAULT_GROUP,
  });
  return { key, value: arrived.value, headers, timestampMs: arrived.receivedAtMs, json: arrived.json };
}

/** Returns the id of the event in a record without validating it, or undefined if it holds none. */
export function eventIdOf({ value }: Pick<LogRecord, 'value'>): unknown {
  const event = value === null ? undefined : parseJson(value.toString('utf8'));
  return (event as { event_id?: unknown } | null | undefined)?.event_id;
}

/** Returns the time at which ingest received the event or wrote the control record, as the record says it. */
export function receivedAtOf(record: Pick<LogRecord, 'headers'>): string | null {
  return record.headers[eventHeaders.receivedAt] ?? null;
}

/**
 * Validates the parsed value of a record whose run is known, and converts the event to today's shape. If no fold can
 * read it, the result is a text that says why.
 */
export function decodeEvent(
  value: unknown,
  placed: Pick<RunRecord, 'key' | 'run' | 'seq' | 'epoch'>,
  record: Pick<LogRecord, 'headers' | 'timestampMs'>,
): RunRecord | string {
  const verdict = validateEvent(value);
  if ('fault' in verdict) return `${verdict.fault.path} ${verdict.fault.message}`.trim();
  const { event } = verdict;
  const { key, run, seq, epoch } = placed;
  if (event.run_id !== run.run_id || (event.group_id ?? DEFAULT_GROUP) !== run.group_id) {
    return 'run_id and group_id of the event differ from the key of its record';
  }
  const header = record.headers[eventHeaders.receivedAt];
  const parsedMs = header === undefined ? Number.NaN : parseReceivedAt(header);
  const receivedAtMs = withinYears(Number.isNaN(parsedMs) ? record.timestampMs : parsedMs);
  return {
    kind: 'event',
    key,
    run,
    seq,
    epoch,
    event: modernise(event),
    // The time is in canonical form, so that the latest is found by comparing text.
    receivedAt:
      header !== undefined && receivedAtMs === parsedMs && header.length === 24 && header.endsWith('Z')
        ? header
        : new Date(receivedAtMs).toISOString(),
    receivedAtMs,
  };
}

/** These are the bounds within which toISOString writes a four-digit year. Anything else would throw or sort wrongly. */
function withinYears(ms: number): number {
  return Math.min(Math.max(ms, 0), 253_402_300_799_999);
}
