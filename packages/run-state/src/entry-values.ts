import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EntryMetadata } from '@runlog/schema/events/event-type';
import { ENTRY_VALUE_CHARS_MAX, ENTRY_VALUES_BYTES_MAX, ENTRY_VALUES_MAX } from '@runlog/schema/limits';
import { jsonBytes } from '@runlog/schema/run/cut-text';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

type Values = EventLogEntry['values'];

const NO_VALUES: Values = Object.freeze({});
/** The names that come first, in order. One array serves every call, because the fold makes an entry at a time. */
const chosen: string[] = Array.from({ length: ENTRY_VALUES_MAX }, () => '');

/**
 * Returns the first eight scalars of `data` that the entry does not tell already: finite numbers, booleans, and text of at
 * most 64 characters. The members of a JSON object have no order, and the fold must not depend on how an emitter sorts
 * them. So the shortest names come first, and those of one length in the order of their UTF-16 units. A value that would
 * take the JSON beyond its bound is left out. The result may be shared and is never to be changed.
 */
export function entryValuesOf(
  data: TelemetryEvent['data'],
  entry: { metadata: EntryMetadata; told: readonly string[] },
): Values {
  if (data == null) return NO_VALUES;
  let count = 0;
  for (const name in data) {
    if (!isShown(data[name]) || isTold(name, entry)) continue;
    if (count === ENTRY_VALUES_MAX && !isBefore(name, chosen[count - 1]!)) continue;
    let at = count < ENTRY_VALUES_MAX ? count : count - 1;
    for (; at > 0 && isBefore(name, chosen[at - 1]!); at -= 1) chosen[at] = chosen[at - 1]!;
    chosen[at] = name;
    if (count < ENTRY_VALUES_MAX) count += 1;
  }
  return count === 0 ? NO_VALUES : chosenValues(data, count);
}

function chosenValues(data: Readonly<Record<string, unknown>>, count: number): Values {
  let bytesAtMost = 0;
  for (let index = 0; index < count; index += 1) {
    const name = chosen[index]!;
    const value = data[name];
    const chars = name.length + (typeof value === 'string' ? value.length : 0);
    bytesAtMost += chars * TEXT_BYTES_MAX + MEMBER_BYTES + NUMBER_BYTES_MAX;
  }
  const mustMeasure = bytesAtMost > ENTRY_VALUES_BYTES_MAX - BRACES_BYTES;
  const values: Values = {};
  let bytes = BRACES_BYTES;
  for (let index = 0; index < count; index += 1) {
    const name = chosen[index]!;
    const value = data[name] as string | number | boolean;
    if (mustMeasure) {
      const valueBytes = typeof value === 'string' ? textBytes(value) + 2 : NUMBER_BYTES_MAX;
      const next = bytes + textBytes(name) + MEMBER_BYTES + valueBytes;
      if (next > ENTRY_VALUES_BYTES_MAX) continue;
      bytes = next;
    }
    // A state must equal the state that is read back, and JSON writes -0 as 0.
    values[name] = typeof value === 'number' ? value + 0 : value;
  }
  return values;
}

const BRACES_BYTES = 2;
/** Two quotes, a colon and a comma. */
const MEMBER_BYTES = 4;
/** A number takes at most this much, and a boolean less: `-1.2345678901234567e-100`. */
const NUMBER_BYTES_MAX = 24;
/** The most that JSON takes for one UTF-16 unit: `\u0000`. */
const TEXT_BYTES_MAX = 6;

function textBytes(text: string): number {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return jsonBytes(text);
  }
  return text.length;
}

function isShown(value: unknown): boolean {
  switch (typeof value) {
    case 'number':
      // JSON.parse reads 1e400 as Infinity, which JSON cannot write.
      return Number.isFinite(value);
    case 'boolean':
      return true;
    case 'string':
      return value.length <= ENTRY_VALUE_CHARS_MAX;
    default:
      return false;
  }
}

function isTold(name: string, entry: { metadata: EntryMetadata; told: readonly string[] }): boolean {
  return (
    name === 'env_id' ||
    name.length > ENTRY_VALUE_CHARS_MAX ||
    Object.hasOwn(entry.metadata, name) ||
    entry.told.includes(name) ||
    // Setting it would set the prototype.
    name === '__proto__'
  );
}

function isBefore(name: string, other: string): boolean {
  return name.length === other.length ? name < other : name.length < other.length;
}
