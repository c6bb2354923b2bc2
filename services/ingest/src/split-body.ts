/**
 * Finds the events of a request body without building any value: it walks once over the bytes and knows only strings
 * and brackets. `JSON.parse` judges the text of each event. An array is valid exactly if its brackets and commas are
 * and every element is, so a body is accepted exactly if `JSON.parse` accepts it.
 */

import type { Projection } from './project-event.ts';

/** The place of one event in the body, without surrounding whitespace. */
export interface EventPlace {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** An event whose known fields were read in the walk, so that it need not be parsed. */
export interface ProjectedRange extends EventPlace {
  readonly value: Readonly<Record<string, unknown>>;
}

/** Reads the event that begins at a place, or returns null if it has to be walked and parsed (`projectEvent`). */
export type Project = (from: number) => Projection | null;

/** An event, and what the walk learned about it. */
export interface EventRange extends EventPlace {
  /** Nesting of arrays and objects: 0 for a bare string or number, 1 for a flat object. */
  readonly depth: number;
  /**
   * The number of members of the outermost object, counted by its colons. It is meaningful only if the bytes are valid
   * JSON.
   */
  readonly members: number;
}

export type Split =
  | { readonly kind: 'events'; readonly ranges: readonly (EventRange | ProjectedRange)[] }
  | { readonly kind: 'too_many' }
  | { readonly kind: 'broken'; readonly message: string };

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const ARRAY_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
/** The bit that is set in braces and not in brackets. */
const BRACE_BIT = 0x20;

function opens(byte: number): boolean {
  return (byte | BRACE_BIT) === BRACE_OPEN;
}

function closes(byte: number): boolean {
  return (byte | BRACE_BIT) === BRACE_CLOSE;
}

/**
 * Splits a JSON body into the elements of its array, or returns the body itself as one. `eventsMax` bounds the work as
 * well as the result.
 */
export function splitJson(body: Uint8Array, eventsMax: number, project: Project = never): Split {
  const bodyEnd = trimmedEnd(body, body.length);
  let at = skipSpace(body, byteOrderMarkBytes(body), bodyEnd);
  if (at === bodyEnd) return { kind: 'broken', message: 'the body is empty' };
  if (body[at] !== ARRAY_OPEN) {
    return { kind: 'events', ranges: [projected(project, at, bodyEnd) ?? walked(body, at, bodyEnd)] };
  }
  const ranges: (EventRange | ProjectedRange)[] = [];
  at = skipSpace(body, at + 1, bodyEnd);
  if (body[at] === ARRAY_CLOSE && at < bodyEnd) {
    if (at + 1 !== bodyEnd) return trailing(at + 1);
    return { kind: 'events', ranges };
  }
  for (;;) {
    const { stop, range } = elementAt(body, at, { bodyEnd, project });
    if (stop >= bodyEnd) return { kind: 'broken', message: 'the array does not end: the body is cut off' };
    if (range.end === at) return { kind: 'broken', message: `an event is missing at byte ${at}` };
    if (ranges.length === eventsMax) return { kind: 'too_many' };
    ranges.push(range);
    if (body[stop] === ARRAY_CLOSE) {
      if (stop + 1 !== bodyEnd) return trailing(stop + 1);
      return { kind: 'events', ranges };
    }
    if (body[stop] !== COMMA) return { kind: 'broken', message: `unexpected bracket at byte ${stop}` };
    at = skipSpace(body, stop + 1, bodyEnd);
  }
}

/** Returns an element of the array, and the place of the comma or bracket after it. */
function elementAt(
  body: Uint8Array,
  at: number,
  { bodyEnd, project }: { bodyEnd: number; project: Project },
): { stop: number; range: EventRange | ProjectedRange } {
  const projection = project(at);
  if (projection !== null) {
    const { end, value } = projection;
    const stop = skipSpace(body, end, bodyEnd);
    if (body[stop] === COMMA || body[stop] === ARRAY_CLOSE) return { stop, range: { start: at, end, value } };
  }
  const walk = walkFrom(body, at, bodyEnd);
  return { stop: walk.next, range: rangeOf(walk, at, trimmedEnd(body, walk.next, at)) };
}

/**
 * Splits an NDJSON body into its lines, which end with LF or CR LF. Lines that hold only whitespace are not events and
 * are not counted.
 */
export function splitLines(body: Uint8Array, eventsMax: number, project: Project = never): Split {
  const ranges: (EventRange | ProjectedRange)[] = [];
  let lineStart = byteOrderMarkBytes(body);
  while (lineStart < body.length) {
    const feed = body.indexOf(LINE_FEED, lineStart);
    const lineEnd = feed === -1 ? body.length : feed;
    const start = skipSpace(body, lineStart, lineEnd);
    if (start < lineEnd) {
      if (ranges.length === eventsMax) return { kind: 'too_many' };
      const end = trimmedEnd(body, lineEnd, start);
      ranges.push(projected(project, start, end) ?? walked(body, start, end));
    }
    lineStart = lineEnd + 1;
  }
  return { kind: 'events', ranges };
}

/**
 * Splits a body that is a sequence of values: one, several with nothing, whitespace or a comma between them, or arrays, whose
 * elements are then the values. What is no object and no array reaches to the end of its line. An array that does not end
 * breaks the body; an object that does not end is the last value.
 */
export function splitSequence(body: Uint8Array, eventsMax: number): Split {
  const bodyEnd = trimmedEnd(body, body.length);
  const ranges: EventRange[] = [];
  let at = skipSpace(body, byteOrderMarkBytes(body), bodyEnd);
  // Nearly every sequence is one array.
  if (body[at] === ARRAY_OPEN && at < bodyEnd) {
    const whole = splitJson(body, eventsMax);
    if (whole.kind !== 'broken') return whole;
  }
  for (;;) {
    while (at < bodyEnd && (isSpace(body[at]) || body[at] === COMMA)) at += 1;
    if (at >= bodyEnd) return { kind: 'events', ranges };
    const end = valueEnd(body, at, bodyEnd);
    if (body[at] === ARRAY_OPEN) {
      const inner = splitJson(body.subarray(at, end), eventsMax - ranges.length);
      if (inner.kind !== 'events') return inner;
      for (const { start, end: stop } of inner.ranges) ranges.push(walked(body, at + start, at + stop));
    } else {
      if (ranges.length === eventsMax) return { kind: 'too_many' };
      ranges.push(walked(body, at, trimmedEnd(body, end, at)));
    }
    at = end;
  }
}

/** Returns the place behind the value that begins at `at`. */
function valueEnd(bytes: Uint8Array, at: number, end: number): number {
  if (!opens(bytes[at]!)) {
    const feed = bytes.indexOf(LINE_FEED, at);
    return feed === -1 || feed > end ? end : feed;
  }
  return closedValueEnd(bytes, at, end) ?? end;
}

/** Returns the place behind the object or array that begins at `at`, or null if it does not end. */
export function closedValueEnd(bytes: Uint8Array, at: number, end: number): number | null {
  let next = at;
  let level = 0;
  while (next < end) {
    const byte = bytes[next]!;
    if (byte === QUOTE) {
      next = stringEnd(bytes, next, end);
      continue;
    }
    next += 1;
    if (opens(byte)) level += 1;
    else if (closes(byte)) {
      level -= 1;
      if (level === 0) return next;
    }
  }
  return null;
}

function trailing(at: number): Split {
  return { kind: 'broken', message: `something follows the end of the array at byte ${at}` };
}

/** Projects nothing. */
const never: Project = () => null;

/** Projects the event at a place if it ends where it has to. */
function projected(project: Project, start: number, end: number): ProjectedRange | null {
  const projection = project(start);
  return projection?.end === end ? { start, end, value: projection.value } : null;
}

/** Walks over what is known to be one event. */
export function walked(body: Uint8Array, start: number, end: number): EventRange {
  return rangeOf(walkFrom(body, start, end), start, end);
}

interface Walked {
  readonly next: number;
  readonly depth: number;
  readonly members: number;
}

function rangeOf(walked: Walked, start: number, end: number): EventRange {
  return { start, end, depth: walked.depth, members: walked.members };
}

/**
 * Walks from `at` to the comma or bracket that ends this value, or to `end`. Every byte that is received goes
 * through here, or through a projection.
 */
function walkFrom(bytes: Uint8Array, at: number, end: number): Walked {
  let next = at;
  let level = 0;
  let depth = 0;
  let members = 0;
  while (next < end) {
    const byte = bytes[next]!;
    if (byte === QUOTE) {
      next = stringEnd(bytes, next, end);
      continue;
    }
    if (byte === COLON) {
      if (level === 1) members += 1;
    } else if (byte === COMMA) {
      if (level === 0) break;
    } else if (opens(byte)) {
      level += 1;
      if (level > depth) depth = level;
    } else if (closes(byte)) {
      if (level === 0) break;
      level -= 1;
    }
    next += 1;
  }
  return { next, depth, members };
}

/** Returns the place just after the closing quote of the string that begins at `at`, or `end` if it is cut off. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  let next = at + 1;
  while (next < end) {
    const byte = bytes[next];
    if (byte === QUOTE) return next + 1;
    next += byte === BACKSLASH ? 2 : 1;
  }
  return end;
}

/** Returns a name that the outermost object has twice, comparing decoded names, or null if every name occurs once. */
export function duplicateName(bytes: Buffer, range: EventRange): string | null {
  const seen = new Set<string>();
  let level = 0;
  let nameStart = -1;
  let nameEnd = -1;
  let next = range.start;
  while (next < range.end) {
    const byte = bytes[next]!;
    if (byte === QUOTE) {
      nameStart = next;
      next = stringEnd(bytes, next, range.end);
      nameEnd = next;
      continue;
    }
    if (byte === COLON && level === 1) {
      const name = JSON.parse(bytes.toString('utf8', nameStart, nameEnd)) as string;
      if (seen.has(name)) return name;
      seen.add(name);
    } else if (opens(byte)) {
      level += 1;
    } else if (closes(byte)) {
      level -= 1;
    }
    next += 1;
  }
  return null;
}

/**
 * Puts quotes around bare NaN, Infinity and -Infinity, which Python writes. It does so only where a value may stand,
 * never inside a string, and returns null if there is none. A misplaced literal stays as it is, so text that is broken
 * in another way stays broken.
 */
export function quoteNonFinite(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  let copied = 0;
  /** The last byte outside strings that is not whitespace; 0 at the beginning. */
  let before = 0;
  let next = 0;
  while (next < bytes.length) {
    const byte = bytes[next]!;
    if (byte === QUOTE) {
      next = stringEnd(bytes, next, bytes.length);
      before = QUOTE;
      continue;
    }
    const literalBytes = valueMayFollow(before) ? nonFiniteBytes(bytes, next) : 0;
    if (literalBytes > 0 && valueEndsAt(bytes, next + literalBytes)) {
      parts.push(
        bytes.subarray(copied, next),
        quoteMark,
        bytes.subarray(next, next + literalBytes),
        quoteMark,
      );
      next += literalBytes;
      copied = next;
      before = QUOTE;
      continue;
    }
    if (!isSpace(byte)) before = byte;
    next += 1;
  }
  if (parts.length === 0) return null;
  parts.push(bytes.subarray(copied));
  return Buffer.concat(parts);
}

const quoteMark = Buffer.from('"');
const nonFinite = [Buffer.from('NaN'), Buffer.from('Infinity'), Buffer.from('-Infinity')];

function nonFiniteBytes(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first !== 0x4e && first !== 0x49 && first !== MINUS) return 0;
  for (const literal of nonFinite) {
    const end = at + literal.length;
    if (end <= bytes.length && bytes.compare(literal, 0, literal.length, at, end) === 0)
      return literal.length;
  }
  return 0;
}

function valueMayFollow(byte: number): boolean {
  return byte === 0 || byte === COLON || byte === COMMA || byte === ARRAY_OPEN;
}

/** A name of an object is followed by a colon, a value never is: that tells `{"a":1,NaN:2}` from `[1,NaN]`. */
function valueEndsAt(bytes: Uint8Array, at: number): boolean {
  const next = skipSpace(bytes, at, bytes.length);
  if (next === bytes.length) return true;
  const byte = bytes[next]!;
  return byte === COMMA || closes(byte);
}

export function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(bytes[at])) at += 1;
  return at;
}

function trimmedEnd(bytes: Uint8Array, from: number, start = 0): number {
  let end = from;
  while (end > start && isSpace(bytes[end - 1])) end -= 1;
  return end;
}

/**
 * Returns the length of a byte order mark. Windows tools write one, and RFC 8259 lets a reader skip it. It is not part
 * of any event.
 */
export function byteOrderMarkBytes(body: Uint8Array): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
}
