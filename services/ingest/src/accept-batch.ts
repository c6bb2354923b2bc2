import { isUtf8 } from 'node:buffer';
import { type EventRecord, encodeEvent } from '@runlog/records/event-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { validateEvent } from '@runlog/schema/events/validate-event';
import type { EventFaultCode, HttpFaultCode } from '@runlog/schema/faults';
import type { EventError } from '@runlog/schema/http/ingest-api';
import { BODY_EVENTS_MAX, EVENT_BYTES_MAX, EVENT_DEPTH_MAX, EVENT_ID_CHARS_MAX } from '@runlog/schema/limits';
import { cutLetters } from '@runlog/schema/run/cut-text';
import { DEFAULT_GROUP, formatRunKey } from '@runlog/schema/run/run-key';
import { runKeyPart } from '@runlog/schema/run/run-key-part';
import { messageOf } from '@runlog/topic-io/error-message';
import { parseJson } from '@runlog/topic-io/parse-json';
import { projectEvent, projectedBody } from './project-event.ts';
import {
  duplicateName,
  type EventRange,
  type Project,
  type ProjectedRange,
  quoteNonFinite,
  splitJson,
  splitLines,
  walked,
} from './split-body.ts';

export type BodyFormat = 'json' | 'ndjson';

/** A valid event, ready to be appended. */
export interface AcceptedEvent {
  readonly index: number;
  /** Its value is the event's own bytes as received, unless `normalized`. */
  readonly record: EventRecord;
  /** Whether a bare NaN or Infinity became a string. */
  readonly normalized: boolean;
}

/** A rejected event: what the answer says about it, and what the rejected topic keeps. */
export interface RejectedEvent {
  readonly error: EventError;
  /** `cluster/run/group` if the event names them validly, else the cluster. */
  readonly key: string;
  readonly value: Buffer;
}

export type Judgement =
  | { readonly kind: 'refused'; readonly code: HttpFaultCode; readonly message: string }
  | {
      readonly kind: 'judged';
      /** The number of events of the body; for NDJSON the number of lines that are not blank. */
      readonly total: number;
      readonly events: readonly AcceptedEvent[];
      readonly rejected: readonly RejectedEvent[];
    };

export interface BodyOrigin {
  readonly format: BodyFormat;
  readonly clusterId: string;
  readonly receivedAtMs: number;
  /**
   * Whether events keep their parsed form, which readers in this process can use. Elsewhere it would only take up
   * memory.
   */
  readonly keepsJson?: boolean;
}

/** Returns the judgement after the log has refused some of its valid events. */
export function withRefused(
  judged: Extract<Judgement, { kind: 'judged' }>,
  refused: readonly { event: AcceptedEvent; fault: Error }[],
): Extract<Judgement, { kind: 'judged' }> {
  if (refused.length === 0) return judged;
  const rejected = refused.map(({ event: { index, record }, fault: { message } }): RejectedEvent => {
    const event_id = eventIdOf(parseJson(record.value.toString('utf8')));
    const error = { index, event_id, code: 'event_too_large', path: '', message } as const;
    return { error, key: record.key, value: record.value };
  });
  const all = [...judged.rejected, ...rejected].sort((a, b) => a.error.index - b.error.index);
  return { ...judged, rejected: all };
}

/** V8 quotes the source around a fault; this much of the message is enough for an answer. */
const MESSAGE_LETTERS_MAX = 200;

/**
 * Judges a whole body. A JSON body is refused as a whole if its framing or any of its events is not JSON; an NDJSON
 * line is judged by itself. Events that are nested too deep are rejected without being parsed, because parsing them is
 * the danger.
 */
export function acceptBatch(body: Buffer, origin: BodyOrigin): Judgement {
  const lines = origin.format === 'ndjson';
  const legible = isUtf8(body);
  if (!legible && !lines) {
    return { kind: 'refused', code: 'invalid_utf8', message: 'the body is not UTF-8' };
  }
  const project = projectorOf(body, { legible, keepsJson: origin.keepsJson === true });
  const split = (lines ? splitLines : splitJson)(body, BODY_EVENTS_MAX, project);
  switch (split.kind) {
    case 'too_many':
      return {
        kind: 'refused',
        code: 'too_many_events',
        message: `a body may have at most ${BODY_EVENTS_MAX} events`,
      };
    case 'broken':
      return { kind: 'refused', code: 'invalid_json', message: split.message };
    case 'events':
      break;
    default: {
      const unreachable: never = split;
      throw new Error(`unknown split ${JSON.stringify(unreachable)}`);
    }
  }
  const events: AcceptedEvent[] = [];
  const rejected: RejectedEvent[] = [];
  const receivedAt = new Date(origin.receivedAtMs).toISOString();
  for (const [index, range] of split.ranges.entries()) {
    const bytes = body.subarray(range.start, range.end);
    const verdict = judge(bytes, range, legible || isUtf8(bytes));
    if (verdict.kind === 'valid') {
      events.push(acceptedEvent(verdict, { index, receivedAt, origin }));
    } else if (verdict.code === 'invalid_json' && !lines) {
      const where = split.ranges.length === 1 ? 'the body' : `event ${index}`;
      return { kind: 'refused', code: 'invalid_json', message: `${where} is not JSON: ${verdict.message}` };
    } else {
      const { code, path, message, value } = verdict;
      const error = { index, event_id: eventIdOf(value), code, path, message };
      rejected.push({ error, key: keyOf(value, origin.clusterId), value: bytes });
    }
  }
  return { kind: 'judged', total: split.ranges.length, events, rejected };
}

interface Valid {
  readonly kind: 'valid';
  readonly event: TelemetryEvent;
  readonly bytes: Buffer;
  readonly normalized: boolean;
}

export interface Fault {
  readonly kind: 'fault';
  readonly code: EventFaultCode;
  readonly path: string;
  readonly message: string;
  /** The value, if it was parsed before the fault was found. */
  readonly value: unknown;
}

/** Has the walk read the fields that schemas know, unless the whole of each event is needed. */
function projectorOf(body: Buffer, use: { legible: boolean; keepsJson: boolean }): Project | undefined {
  if (!use.legible || use.keepsJson) return undefined;
  const projected = projectedBody(body);
  return (from) => projectEvent(projected, from);
}

function judge(bytes: Buffer, range: EventRange | ProjectedRange, legible: boolean): Valid | Fault {
  if ('value' in range) {
    // A fault is told from the whole event, which the rejected topic keeps too.
    const verdict = bytes.length > EVENT_BYTES_MAX ? null : validateEvent(range.value);
    if (verdict !== null && 'event' in verdict)
      return { kind: 'valid', event: verdict.event, bytes, normalized: false };
    return judgeWhole(bytes, walked(bytes, 0, bytes.length), legible);
  }
  return judgeWhole(bytes, range, legible);
}

/** JSON within the bounds of an event. `bytes` are those received, unless `normalized`. */
interface Read {
  readonly kind: 'read';
  readonly value: unknown;
  readonly bytes: Buffer;
  readonly normalized: boolean;
}

function judgeWhole(bytes: Buffer, range: EventRange, legible: boolean): Valid | Fault {
  const read = readEvent(bytes, range, legible);
  if (read.kind === 'fault') return read;
  const { value, normalized } = read;
  const verdict = validateEvent(value);
  if ('fault' in verdict) return { kind: 'fault', ...verdict.fault, value };
  return { kind: 'valid', event: verdict.event, bytes: read.bytes, normalized };
}

/** Parses what may be an event. Nothing is parsed that is nested too deep. */
export function readEvent(bytes: Buffer, range: EventRange, legible: boolean): Read | Fault {
  if (!legible) return fault('invalid_utf8', 'the line is not UTF-8');
  if (range.depth > EVENT_DEPTH_MAX) {
    return fault('too_deep', `an event may be nested ${EVENT_DEPTH_MAX} deep, this one is ${range.depth}`);
  }
  const parsed = parse(bytes);
  if ('message' in parsed) return fault('invalid_json', parsed.message);
  const { value } = parsed;
  if (bytes.length > EVENT_BYTES_MAX) {
    const message = `an event may have at most ${EVENT_BYTES_MAX} bytes, this one has ${bytes.length}`;
    return fault('event_too_large', message, value);
  }
  if (isObject(value) && Object.keys(value).length !== range.members) {
    const name = duplicateName(bytes, { ...range, start: 0, end: bytes.length }) ?? '';
    const message = `the key ${cutLetters(JSON.stringify(name), MESSAGE_LETTERS_MAX)} occurs twice`;
    return {
      kind: 'fault',
      code: 'duplicate_key',
      path: cutLetters(name, MESSAGE_LETTERS_MAX),
      message,
      value,
    };
  }
  return { kind: 'read', value, bytes: parsed.rewritten ?? bytes, normalized: parsed.rewritten !== null };
}

function fault(code: EventFaultCode, message: string, value: unknown = null): Fault {
  return { kind: 'fault', code, path: '', message, value };
}

type Parsed = { readonly value: unknown; readonly rewritten: Buffer | null } | { readonly message: string };

/** Parses strictly first. Only text that is then refused is searched for bare non-finite numbers. */
function parse(bytes: Buffer): Parsed {
  try {
    return { value: JSON.parse(bytes.toString('utf8')) as unknown, rewritten: null };
  } catch (error) {
    const rewritten = quoteNonFinite(bytes);
    if (rewritten !== null) {
      try {
        return { value: JSON.parse(rewritten.toString('utf8')) as unknown, rewritten };
      } catch {
        // The text is also broken in another way, so the fault of the bytes as received is reported.
      }
    }
    return { message: cutLetters(messageOf(error), MESSAGE_LETTERS_MAX) };
  }
}

function acceptedEvent(
  { event, bytes, normalized }: Valid,
  at: { index: number; receivedAt: string; origin: BodyOrigin },
): AcceptedEvent {
  const { clusterId, receivedAtMs, keepsJson } = at.origin;
  const json = keepsJson === true ? event : undefined;
  const record = encodeEvent(event, {
    clusterId,
    value: bytes,
    receivedAtMs,
    receivedAt: at.receivedAt,
    json,
  });
  return { index: at.index, record, normalized };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the id only if it is no longer than an id may be, so that the answer to a rejected event stays small. */
export function eventIdOf(value: unknown): string | null {
  if (!isObject(value) || typeof value.event_id !== 'string') return null;
  return value.event_id.length <= EVENT_ID_CHARS_MAX ? value.event_id : null;
}

export function keyOf(value: unknown, clusterId: string): string {
  if (!isObject(value)) return clusterId;
  const run = runKeyPart.safeParse(value.run_id);
  const group = runKeyPart.safeParse(value.group_id ?? DEFAULT_GROUP);
  if (!run.success || !group.success) return clusterId;
  return formatRunKey({ cluster_id: clusterId, run_id: run.data, group_id: group.data });
}
