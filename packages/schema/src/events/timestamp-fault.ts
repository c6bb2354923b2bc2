import { cutLetters } from '../run/cut-text.ts';
import { FRACTION_DIGITS_MAX, timestampPattern } from './instant.ts';

const MUST_BE = 'must be ISO 8601 with a UTC offset, such as 2026-01-03T23:59:47.900000+00:00';
/** A day, a time of day, and what follows them, whatever their numbers are. */
const shape =
  /^(?<day>\d{4}-\d\d-\d\d|\d{8})(?:[Tt ](?<time>\d\d:\d\d(?::\d\d)?|\d{4}(?:\d\d)?)(?:[.,](?<fraction>\d+))?(?<rest>.*))?$/su;
const REST_LETTERS_MAX = 32;

/** Says what a timestamp must be, and what is wrong with one that is not accepted (`timestampPattern`). */
export function timestampFault(sent: unknown): string {
  return sent === undefined ? MUST_BE : `${MUST_BE}: ${reasonOf(sent)}`;
}

function reasonOf(sent: unknown): string {
  if (sent === null) return 'this one is null';
  if (typeof sent === 'number') return 'this one is a number';
  if (typeof sent !== 'string') return 'this one is no text';
  const { day, time, fraction = '', rest } = shape.exec(sent)?.groups ?? {};
  if (day === undefined) {
    return /^[+-]?\d+(?:\.\d+)?$/.test(sent) ? 'this one is a number' : 'this one is written in another way';
  }
  const isBasic = !day.includes('-');
  if (!timestampPattern.test(`${day}T${isBasic ? '0000' : '00:00'}Z`)) return `there is no ${day}`;
  if (time === undefined) return 'this one has no time of day';
  if (isBasic !== !time.includes(':')) return 'this one is written in another way';
  if (!timestampPattern.test(`${day}T${time}Z`)) return `there is no ${time}`;
  if (rest === '') return 'this one has no UTC offset';
  if (!timestampPattern.test(`${day}T${time}${rest}`)) {
    return `${JSON.stringify(cutLetters(rest!, REST_LETTERS_MAX))} is no UTC offset`;
  }
  if (fraction.length > FRACTION_DIGITS_MAX) {
    return `a second has at most ${FRACTION_DIGITS_MAX} digits after the point, this one has ${fraction.length}`;
  }
  return 'this one is written in another way';
}
