import { byteOrderMarkBytes, closedValueEnd, type EventRange, isSpace, walked } from '../split-body.ts';

/** What can be read of a body whose arrays are damaged. */
export interface DamagedBody {
  readonly ranges: readonly EventRange[];
  /** Where the object begins that does not end, if there is one. */
  readonly restStart: number | null;
}

const QUOTE = 0x22;
const BRACE_OPEN = 0x7b;
const BACKSLASH = 0x5c;
/** Whitespace is skipped beside these: commas, and brackets that no object is in. */
const separators = new Set(Buffer.from(',[]}'));
const endsOfScalar = new Set(Buffer.from(',[]{}'));

/**
 * Finds the values in a body in which `splitSequence` found a fault, wherever the fault is: brackets and commas around objects say
 * nothing here. Returns null if there are more than `eventsMax`.
 */
export function splitDamaged(body: Uint8Array, eventsMax: number): DamagedBody | null {
  const ranges: EventRange[] = [];
  let at = byteOrderMarkBytes(body);
  for (;;) {
    while (at < body.length && (isSpace(body[at]) || separators.has(body[at]!))) at += 1;
    if (at >= body.length) return { ranges, restStart: null };
    const end = body[at] === BRACE_OPEN ? closedValueEnd(body, at, body.length) : scalarEnd(body, at);
    if (end === null) return { ranges, restStart: at };
    if (ranges.length === eventsMax) return null;
    ranges.push(walked(body, at, end));
    at = end;
  }
}

/** Returns the place behind what is no object, which has at least one byte. */
function scalarEnd(body: Uint8Array, start: number): number {
  let inText = false;
  for (let at = start; at < body.length; at += 1) {
    const byte = body[at]!;
    if (byte === QUOTE) inText = !inText;
    else if (inText && byte === BACKSLASH) at += 1;
    else if (!inText && at > start && endsOfScalar.has(byte)) return at;
  }
  return body.length;
}
