import { timestampPattern } from '@runlog/schema/events/instant';

/** The time that an event names itself. */
export interface OwnTime {
  readonly timestamp: string;
  /**
   * Whether it is finer than a millisecond, so that two events with the same content and time are one that was sent twice. A
   * program that logs in a loop writes equal lines within one millisecond.
   */
  readonly isFine: boolean;
}

const MILLISECONDS_MAX = 253_402_300_799_999;
const plainNumber = /^\d{9,19}(?:\.\d{1,9})?$/;
const fineFraction = /[.,]\d{3}\d*[1-9]/;

/**
 * Reads a time as senders write it: ISO 8601 (without an offset it is UTC), or a number of seconds, milliseconds,
 * microseconds or nanoseconds since 1970, which their size tells apart. Returns null for anything else.
 */
export function ownTimeOf(value: unknown): OwnTime | null {
  if (typeof value === 'number') return ofNumber(value);
  if (typeof value !== 'string') return null;
  if (plainNumber.test(value)) return ofNumber(Number(value));
  const timestamp = [value, `${value}Z`].find((text) => timestampPattern.test(text));
  return timestamp === undefined ? null : { timestamp, isFine: fineFraction.test(timestamp) };
}

function ofNumber(value: number): OwnTime | null {
  if (!(value >= 1e8)) return null;
  if (value < 1e11) return ofMicroseconds(Math.round(value * 1e6));
  if (value < 1e14) return ofMicroseconds(Math.round(value * 1e3));
  if (value < 1e17) return ofMicroseconds(Math.round(value));
  return ofMicroseconds(Math.round(value / 1e3));
}

function ofMicroseconds(microseconds: number): OwnTime | null {
  const milliseconds = Math.floor(microseconds / 1_000);
  if (!(milliseconds <= MILLISECONDS_MAX)) return null;
  const rest = String(microseconds - milliseconds * 1_000).padStart(3, '0');
  const isFine = rest !== '000';
  return { timestamp: `${new Date(milliseconds).toISOString().slice(0, 23)}${rest}+00:00`, isFine };
}

let knownSecond = -1;
let knownText = '';

/** Returns the time of a number of nanoseconds since 1970; null for 0, which OpenTelemetry has for an unknown one. */
export function timeOfNanoseconds(nanoseconds: bigint): OwnTime | null {
  if (nanoseconds <= 0n) return null;
  const second = Number(nanoseconds / 1_000_000_000n);
  const fraction = Number(nanoseconds % 1_000_000_000n);
  if (second !== knownSecond) {
    if (second * 1_000 > MILLISECONDS_MAX) return null;
    knownText = new Date(second * 1_000).toISOString().slice(0, 19);
    knownSecond = second;
  }
  return {
    timestamp: `${knownText}.${String(fraction).padStart(9, '0')}+00:00`,
    isFine: fraction % 1_000_000 !== 0,
  };
}
