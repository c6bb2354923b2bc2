import type { TelemetryEvent } from '@runlog/schema/events/event';
import { validateEvent } from '@runlog/schema/events/validate-event';
import { controlRecordSchema } from '@runlog/schema/log/log-records';
import { eventHeaders } from '@runlog/schema/log/topics';
import { DEFAULT_GROUP, parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { modernise } from './modernise.ts';
import { parseReceivedAt } from './received-at.ts';

interface Placed {
  /** `cluster/run/group`. */
  readonly key: string;
  readonly run: RunKey;
  /** Offset of the record. */
  readonly seq: number;
  /** The epoch of the topic, from `run-meta`. */
  readonly epoch: string;
}

/** A record of `run-events` as the fold reads it. */
export type RunRecord =
  | (Placed & {
      readonly kind: 'event';
      readonly event: TelemetryEvent;
      /** ISO, UTC, by ingest's clock. */
      readonly receivedAt: string;
      readonly receivedAtMs: number;
    })
  | (Placed & {
      readonly kind: 'retired';
      /** Only while the run's position is at or below it; null: in any case. */
      readonly through: number | null;
    });

/** A record that no fold can read, with a sentence saying why; it belongs into quarantine. */
export interface Unfoldable {
  readonly kind: 'unfoldable';
  readonly reason: string;
}

/** The parts of a log record that `decodeRunRecord` reads. */
export interface EncodedRecord {
  readonly offset: number;
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestampMs: number;
  /** The result of `JSON.parse` for the value, where it is known. */
  readonly json?: unknown;
}

/**
 * Parses and judges one record. Foreign producers write to Kafka too, so nothing is believed. `known` is the record's
 * key taken apart, where the caller has it.
 */
export function decodeRunRecord(
  record: EncodedRecord,
  epoch: string,
  known: RunKey | null = null,
): RunRecord | Unfoldable {
  const run = known ?? parseRunKey(record.key);
  if (run === null) return unfoldable(`the key is not cluster/run/group: ${excerpt(record.key)}`);
  if (record.value === null) return unfoldable('the record has no value');
  const { key, offset: seq } = record;
  let value = record.json;
  if (value === undefined) {
    try {
      value = JSON.parse(record.value.toString('utf8'));
    } catch (error) {
      return unfoldable(`the value is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (record.headers[eventHeaders.control] !== undefined) {
    const control = controlRecordSchema.safeParse(value);
    if (!control.success) return unfoldable('unknown control record');
    return { kind: 'retired', key, run, seq, epoch, through: control.data.through };
  }
  const verdict = validateEvent(value);
  if ('fault' in verdict) return unfoldable(`${verdict.fault.path} ${verdict.fault.message}`.trim());
  const { event } = verdict;
  if (event.run_id !== run.run_id || (event.group_id ?? DEFAULT_GROUP) !== run.group_id) {
    return unfoldable('run_id and group_id of the event differ from the key of its record');
  }
  const header = record.headers[eventHeaders.receivedAt];
  const parsedMs = header === undefined ? Number.NaN : parseReceivedAt(header);
  const receivedAtMs = Number.isNaN(parsedMs) ? record.timestampMs : parsedMs;
  return {
    kind: 'event',
    key,
    run,
    seq,
    epoch,
    event: modernise(event),
    // Canonical, so that the largest is found by comparing text.
    receivedAt:
      header !== undefined && receivedAtMs === parsedMs && header.length === 24 && header.endsWith('Z')
        ? header
        : isoOf(receivedAtMs),
    receivedAtMs,
  };
}

function isoOf(ms: number): string {
  // The bounds of what toISOString writes with a four-digit year: anything else would throw or sort wrongly.
  return new Date(Math.min(Math.max(ms, 0), 253_402_300_799_999)).toISOString();
}

function unfoldable(reason: string): Unfoldable {
  return { kind: 'unfoldable', reason };
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
