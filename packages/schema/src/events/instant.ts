const OFFSET = '(?:[Zz]|[+-](?:[01]\\d|2[0-3])(?::?[0-5]\\d)?)';
/** Snapshots hold timestamps as they were sent, so their length needs a bound. */
export const FRACTION_DIGITS_MAX = 32;

/** A day that exists and a time of day, between which a blank may stand. ISO's basic form has no separators. */
function dayAndTime({ dash, colon }: { dash: '-' | ''; colon: ':' | '' }): string {
  const leapYear = '(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)';
  const dayOfAnyYear = [
    `(?:0[13578]|1[02])${dash}(?:0[1-9]|[12]\\d|3[01])`,
    `(?:0[469]|11)${dash}(?:0[1-9]|[12]\\d|30)`,
    `02${dash}(?:0[1-9]|1\\d|2[0-8])`,
  ].join('|');
  const day = `(?:\\d{4}${dash}(?:${dayOfAnyYear})|${leapYear}${dash}02${dash}29)`;
  const second = `(?:${colon}[0-5]\\d(?:[.,]\\d{1,${FRACTION_DIGITS_MAX}})?)?`;
  const midnight = `24${colon}00(?:${colon}00(?:[.,]0{1,${FRACTION_DIGITS_MAX}})?)?`;
  return `${day}[Tt ](?:(?:[01]\\d|2[0-3])${colon}[0-5]\\d${second}|${midnight})`;
}

/**
 * The timestamps that are accepted: ISO 8601 and RFC 3339 as people write them, with a UTC offset. Their day and time
 * exist, so each of them is an instant.
 */
export const timestampPattern = new RegExp(
  `^(?:${dayAndTime({ dash: '-', colon: ':' })}|${dayAndTime({ dash: '', colon: '' })})${OFFSET}$`,
);

/**
 * Returns the instant of an accepted timestamp in milliseconds since 1970, without what is finer, or NaN for any other
 * text. The years 0 to 9999 and their offsets make it reach from the year -1 to 10000.
 */
export function instantOf(timestamp: string): number {
  const common = commonInstantOf(timestamp);
  return Number.isNaN(common) ? anyInstantOf(timestamp) : common;
}

/** HH:MM:SS in UTC of an instant in milliseconds since 1970, in any year. */
export function clockOf(instantMs: number): string {
  const second = ((Math.floor(instantMs / 1_000) % 86_400) + 86_400) % 86_400;
  return `${two(Math.floor(second / 3_600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

const DASH = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;

/** Reads what nearly every emitter writes, `2026-01-03T23:59:47.900000+00:00` or with `Z`, and gives NaN for the rest. */
function commonInstantOf(text: string): number {
  const end = text.length - (text.charCodeAt(text.length - 1) === UPPER_Z ? 1 : 6);
  if (end < 19 || (end !== text.length - 1 && !text.endsWith('+00:00'))) return Number.NaN;
  if (
    text.charCodeAt(4) !== DASH ||
    text.charCodeAt(7) !== DASH ||
    text.charCodeAt(10) !== UPPER_T ||
    text.charCodeAt(13) !== COLON ||
    text.charCodeAt(16) !== COLON
  )
    return Number.NaN;
  let milliseconds = 0;
  if (end > 19) {
    if (text.charCodeAt(19) !== POINT || end === 20 || end > 20 + FRACTION_DIGITS_MAX) return Number.NaN;
    for (let at = 20; at < end; at += 1) {
      const digit = digitAt(text, at);
      if (at < 23) milliseconds += digit * (at === 20 ? 100 : at === 21 ? 10 : 1);
      else if (Number.isNaN(digit)) return Number.NaN;
    }
  }
  const year = twoDigitsAt(text, 0) * 100 + twoDigitsAt(text, 2);
  const month = twoDigitsAt(text, 5);
  const day = twoDigitsAt(text, 8);
  const hour = twoDigitsAt(text, 11);
  const minute = twoDigitsAt(text, 14);
  const second = twoDigitsAt(text, 17);
  if (!isDay(year, month, day) || !(hour <= 23 && minute <= 59 && second <= 59)) return Number.NaN;
  return millisecondsSince1970({ year, month, day, hour, minute, second, milliseconds });
}

const DAYS_OF_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDay(year: number, month: number, day: number): boolean {
  if (!(day >= 1 && day <= (DAYS_OF_MONTH[month - 1] ?? 0))) return false;
  return day < 29 || month !== 2 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0));
}

function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 0x30;
  return digit >= 0 && digit <= 9 ? digit : Number.NaN;
}

function twoDigitsAt(text: string, at: number): number {
  return digitAt(text, at) * 10 + digitAt(text, at + 1);
}

const fields =
  /^(\d{4})-?(\d\d)-?(\d\d).(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d):?(\d\d)?)$/;

function anyInstantOf(text: string): number {
  if (!timestampPattern.test(text)) return Number.NaN;
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second = 0,
    fraction = '',
    sign,
    offsetHour = 0,
    offsetMinute = 0,
  ] = fields.exec(text)!;
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000;
  const localMs = millisecondsSince1970({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    milliseconds: Number(`${fraction}000`.slice(0, 3)),
  });
  return sign === '-' ? localMs + offsetMs : localMs - offsetMs;
}

/** The calendar repeats itself after this time. */
const FOUR_CENTURIES_MS = 146_097 * 86_400_000;

function millisecondsSince1970(at: {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  milliseconds: number;
}): number {
  const sinceMidnightMs = ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000 + at.milliseconds;
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  return Date.UTC(at.year + 400, at.month - 1, at.day) - FOUR_CENTURIES_MS + sinceMidnightMs;
}
