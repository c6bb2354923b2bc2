import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EntryMetadata, EventType } from '@runlog/schema/events/event-type';
import {
  ENTRY_SAID_BYTES_MAX,
  ENTRY_VALUE_CHARS_MAX,
  ENTRY_VALUES_BYTES_MAX,
  ENTRY_VALUES_MAX,
  EVENT_TYPES_MAX,
} from '@runlog/schema/limits';
import { jsonBytes } from '@runlog/schema/run/cut-text';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

type Values = EventLogEntry['values'];
type Data = NonNullable<TelemetryEvent['data']>;

const NO_VALUES: Values = Object.freeze({});

/**
 * Returns the first eight scalars of an event's `data` that its entry does not tell already: finite numbers, booleans, and
 * text of at most 64 characters. The fold must not depend on the order in which an emitter writes the members of a JSON
 * object. So the names that the row of the type puts first come first, then the shortest, and those of one length in the
 * order of their UTF-16 units. Values beyond the bytes that an entry may have are left out, so `metadata` and `message` must
 * be cut already. The result may be shared, so it must not be changed.
 */
export function entryValuesOf(
  event: TelemetryEvent,
  entry: { type: EventType; message: string; metadata: EntryMetadata },
): Values {
  const { data } = event;
  if (data == null) return NO_VALUES;
  const { type, message, metadata } = entry;
  const taken: Taken = { values: {}, count: 0, nameChars: 0, textChars: 0 };
  let nameBytesMax = 1;
  for (let at = 0; at < type.valuesFirst.length; at += 1) {
    const name = type.valuesFirst[at]!;
    if (type.entry === null || !Object.hasOwn(metadata, name)) take(taken, name, data[name]);
  }
  // Some types have more than a hundred fields, which need not be read if those that come first are there.
  if (taken.count < ENTRY_VALUES_MAX) {
    const { asSent, inOrder, arePlain } = namesOf(event.event_type, { type, data });
    if (!arePlain) nameBytesMax = TEXT_BYTES_MAX;
    for (let at = 0; at < inOrder.length; at += 1) {
      const place = inOrder[at]!;
      take(taken, asSent[place]!, read[place]);
    }
  }
  const { values, count, nameChars, textChars } = taken;
  if (count === 0) return NO_VALUES;
  const textBytesAtMost = nameChars * nameBytesMax + textChars * TEXT_BYTES_MAX;
  const bytesAtMost = BRACES_BYTES + textBytesAtMost + count * (MEMBER_BYTES + NUMBER_BYTES_MAX);
  const bytesMax = bytesLeft(message, metadata);
  return bytesAtMost <= bytesMax ? values : withinBytes(values, bytesMax);
}

interface Taken {
  readonly values: Values;
  count: number;
  /** The UTF-16 units of the names, and of those values that are text. */
  nameChars: number;
  textChars: number;
}

function take(taken: Taken, name: string, value: unknown): void {
  if (taken.count >= ENTRY_VALUES_MAX || !isShown(value)) return;
  // A state must equal the state that is read back, and JSON writes -0 as 0.
  taken.values[name] = typeof value === 'number' ? value + 0 : value;
  taken.count += 1;
  taken.nameChars += name.length;
  if (typeof value === 'string') taken.textChars += value.length;
}

function isShown(value: unknown): value is number | boolean | string {
  // JSON.parse reads 1e400 as Infinity, which JSON cannot write.
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' ? value.length <= ENTRY_VALUE_CHARS_MAX : typeof value === 'boolean';
}

const BRACES_BYTES = 2;
/** Two quotes, a colon and a comma. */
const MEMBER_BYTES = 4;
/** Numbers take at most this much (`-1.2345678901234567e-100`), booleans and the quotes of a text less. */
const NUMBER_BYTES_MAX = 24;
/** The most that JSON takes for one UTF-16 unit: `\u0000`. */
const TEXT_BYTES_MAX = 6;

/** Returns the bytes that an entry's message and metadata leave to its values. */
function bytesLeft(message: string, metadata: EntryMetadata): number {
  let chars = message.length;
  let members = 0;
  for (const name in metadata) {
    const value = metadata[name]!;
    chars += typeof value === 'string' ? name.length + value.length : name.length;
    members += 1;
  }
  const saidAtMost = chars * TEXT_BYTES_MAX + members * (MEMBER_BYTES + NUMBER_BYTES_MAX);
  if (saidAtMost <= ENTRY_SAID_BYTES_MAX - ENTRY_VALUES_BYTES_MAX) return ENTRY_VALUES_BYTES_MAX;
  let said = textBytes(message);
  for (const name in metadata) {
    const value = metadata[name]!;
    const valueBytes = typeof value === 'string' ? textBytes(value) + 2 : NUMBER_BYTES_MAX;
    said += name.length + MEMBER_BYTES + valueBytes;
  }
  return Math.min(ENTRY_VALUES_BYTES_MAX, ENTRY_SAID_BYTES_MAX - said);
}

/** Keeps those that fit, in order. Every number is counted as if it were the longest. */
function withinBytes(values: Values, bytesMax: number): Values {
  const kept: Values = {};
  let bytes = BRACES_BYTES;
  for (const [name, value] of Object.entries(values)) {
    const valueBytes = typeof value === 'string' ? textBytes(value) + 2 : NUMBER_BYTES_MAX;
    const next = bytes + textBytes(name) + MEMBER_BYTES + valueBytes;
    if (next > bytesMax) continue;
    kept[name] = value;
    bytes = next;
  }
  return kept;
}

function textBytes(text: string): number {
  return isPlain(text) ? text.length : jsonBytes(text);
}

/** Says whether JSON takes one byte for each of its characters. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return false;
  }
  return true;
}

/** The names of one `data`. */
interface Names {
  readonly asSent: readonly string[];
  /** The places in `asSent` of those that may be values and that the row does not put first, in their order. */
  readonly inOrder: readonly number[];
  readonly arePlain: boolean;
}

/** By event type, the names that its last event had: nearly every event of a type has the same. */
const lastNames = new Map<string, Names>();
const NAMES_HELD_MAX = 256;
/** The values of the last `data`, at the places of their names. One array serves every call. */
const read: unknown[] = [];

/** Returns the names of `data` and leaves its values in `read`. */
function namesOf(eventType: string, of: { type: EventType; data: Data }): Names {
  const { type, data } = of;
  const last = lastNames.get(eventType);
  if (last !== undefined && readAll(last.asSent, data)) return last;
  const asSent = Object.keys(data);
  readAll(asSent, data);
  const told = new Set(['env_id', 'event_id', ...type.told, ...type.valuesFirst]);
  const inOrder = Array.from(asSent.keys())
    .filter((place) => !told.has(asSent[place]!) && isNameOfValue(asSent[place]!))
    .sort((place, other) => compare(asSent[place]!, asSent[other]!));
  const names = { asSent, inOrder, arePlain: inOrder.every((place) => isPlain(asSent[place]!)) };
  if (asSent.length <= NAMES_HELD_MAX) {
    if (lastNames.size >= EVENT_TYPES_MAX) lastNames.clear();
    lastNames.set(eventType, names);
  }
  return names;
}

/** Returns false if `data` has other names than these, or in another order. */
function readAll(names: readonly string[], data: Data): boolean {
  let at = 0;
  for (const name in data) {
    if (name !== names[at]) return false;
    read[at] = data[name];
    at += 1;
  }
  return at === names.length;
}

function isNameOfValue(name: string): boolean {
  // Setting __proto__ would set the prototype.
  return name.length <= ENTRY_VALUE_CHARS_MAX && name !== '__proto__';
}

function compare(name: string, other: string): number {
  return name.length - other.length || (name < other ? -1 : 1);
}
