import { isUtf8 } from 'node:buffer';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { validateEvent } from '@runlog/schema/events/validate-event';
import type { HttpFaultCode } from '@runlog/schema/faults';
import { EVENT_DEPTH_MAX, SENDER_BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { isObject, readEvent } from '../accept-batch.ts';
import { type EventRange, type Split, splitLines, splitSequence, walked } from '../split-body.ts';
import { madeOfObject } from './foreign-event.ts';
import type { MadeEvent, Unmakeable } from './made-event.ts';
import { ownTimeOf } from './own-time.ts';
import { splitDamaged } from './split-damaged.ts';

/** A TelemetryEvent as it was sent. */
export interface OwnEvent {
  readonly kind: 'own';
  readonly event: TelemetryEvent;
  readonly bytes: Buffer;
  readonly normalized: boolean;
}

/** What can be kept of an item that is no event, and the value if there is one. */
export interface BadItem extends Unmakeable {
  readonly raw: Buffer;
  readonly value?: unknown;
}

export type SenderItem = OwnEvent | MadeEvent | BadItem;

/** The events of a body, which are made one by one when their turn comes, so that a body costs little more than itself. */
export interface SenderSource {
  readonly kind: 'source';
  readonly total: number;
  /** Must be asked once for each index, in order. */
  readonly item: (index: number) => SenderItem;
}

export interface UnreadableBody {
  readonly kind: 'unreadable';
  readonly code: HttpFaultCode;
  readonly message: string;
}

/** `json` is any sequence of JSON values. In `text`, a line that is no JSON is the message of an event. */
export type SenderFormat = 'json' | 'ndjson' | 'text';

export const TOO_MANY_EVENTS: UnreadableBody = {
  kind: 'unreadable',
  code: 'too_many_events',
  message: `a body of this kind may have at most ${SENDER_BODY_EVENTS_MAX} events`,
};

/** What is made of an object is nested deeper than the object itself. */
const FOREIGN_DEPTH_MAX = EVENT_DEPTH_MAX - 2;

interface SourceOptions {
  readonly format: SenderFormat;
  readonly defaultRunId: string;
  readonly eventsMax?: number;
  /** Whether the events of a damaged body count, because its sender would never send them in a whole one. */
  readonly takesDamaged?: boolean;
}

/** Finds the values of a body from a sender that knows nothing of TelemetryEvents. */
export function sourceOfBody(body: Buffer, options: SourceOptions): SenderSource | UnreadableBody {
  const { format, eventsMax = SENDER_BODY_EVENTS_MAX, takesDamaged = false } = options;
  const legible = isUtf8(body);
  if (!legible && format === 'json' && !takesDamaged) {
    return { kind: 'unreadable', code: 'invalid_utf8', message: 'the body is not UTF-8' };
  }
  const split: Split = format === 'json' ? splitSequence(body, eventsMax) : splitLines(body, eventsMax);
  switch (split.kind) {
    case 'too_many':
      return TOO_MANY_EVENTS;
    case 'broken':
      if (takesDamaged)
        return sourceOfDamaged(body, { ...options, eventsMax, legible, fault: split.message });
      return { kind: 'unreadable', code: 'invalid_json', message: split.message };
    case 'events': {
      const { ranges } = split;
      return {
        kind: 'source',
        total: ranges.length,
        item: (index) => {
          const range = ranges[index]!;
          const place = 'depth' in range ? range : walked(body, range.start, range.end);
          return itemOf(body, place, { ...options, legible });
        },
      };
    }
    default: {
      const unreachable: never = split;
      throw new Error(`unknown split ${JSON.stringify(unreachable)}`);
    }
  }
}

/** The last item is the fault, with what is left of the body or, if all of it was read, its beginning. */
function sourceOfDamaged(
  body: Buffer,
  options: SourceOptions & { eventsMax: number; legible: boolean; fault: string },
): SenderSource | UnreadableBody {
  const damaged = splitDamaged(body, options.eventsMax);
  if (damaged === null) return TOO_MANY_EVENTS;
  const { ranges, restStart } = damaged;
  const code = 'invalid_json';
  if (ranges.length === 0) return { kind: 'unreadable', code, message: options.fault };
  const raw = body.subarray(restStart ?? 0);
  const rest: BadItem = { kind: 'unmakeable', code, path: '', message: options.fault, raw };
  return {
    kind: 'source',
    total: ranges.length + 1,
    item: (index) => (index === ranges.length ? rest : itemOf(body, ranges[index]!, options)),
  };
}

function itemOf(
  body: Buffer,
  range: EventRange,
  options: { format: SenderFormat; defaultRunId: string; legible: boolean },
): SenderItem {
  const bytes = body.subarray(range.start, range.end);
  const legible = options.legible || isUtf8(bytes);
  const defaults = { runId: options.defaultRunId };
  const read = readEvent(bytes, range, legible);
  if (read.kind === 'fault') {
    if (options.format === 'text' && legible && !isBracketed(bytes)) {
      return madeOf({ message: bytes.toString('utf8') }, bytes, defaults);
    }
    return { ...read, kind: 'unmakeable', raw: bytes };
  }
  const { value } = read;
  if (!isObject(value)) {
    if (options.format === 'text') return madeOf({ message: bytes.toString('utf8') }, bytes, defaults);
    const message = 'an event must be a JSON object';
    return { kind: 'unmakeable', code: 'schema', path: '', message, raw: bytes, value };
  }
  if (isMeantAsOurs(value)) {
    const verdict = validateEvent(value);
    if ('event' in verdict) {
      return { kind: 'own', event: verdict.event, bytes: read.bytes, normalized: read.normalized };
    }
    // A time as others write it does not make the event a bad one.
    if (verdict.fault.path !== 'timestamp' || ownTimeOf(value.timestamp) === null) {
      return { kind: 'unmakeable', ...verdict.fault, raw: bytes, value };
    }
  }
  if (range.depth > FOREIGN_DEPTH_MAX) {
    const message = `what becomes an event may be nested ${FOREIGN_DEPTH_MAX} deep, this is ${range.depth}`;
    return { kind: 'unmakeable', code: 'too_deep', path: '', message, raw: bytes };
  }
  return madeOf(value, bytes, defaults);
}

function madeOf(
  object: Readonly<Record<string, unknown>>,
  raw: Buffer,
  defaults: { runId: string },
): MadeEvent | BadItem {
  const made = madeOfObject(object, defaults);
  return made.kind === 'made' ? made : { ...made, raw, value: object };
}

/** A damaged object among lines of text is kept as what it is, not as somebody's words. */
function isBracketed(bytes: Buffer): boolean {
  return bytes[0] === 0x7b || bytes[0] === 0x5b;
}

/** An object that has all that an event must have is judged as one, and is not made to fit. */
function isMeantAsOurs(value: Readonly<Record<string, unknown>>): boolean {
  return (
    typeof value.event_id === 'string' &&
    typeof value.event_type === 'string' &&
    typeof value.timestamp === 'string' &&
    typeof value.run_id === 'string' &&
    /^[A-Z][A-Z0-9_]*$/.test(value.event_type)
  );
}
