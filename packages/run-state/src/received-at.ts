/** The text up to the minute, as it was last parsed. Events come in the order of time, so most of them have the same. */
let minuteText = '';
let minuteMs = Number.NaN;

/** Does what `Date.parse` does, but parses only seconds and milliseconds if the rest equals the text before. */
export function parseReceivedAt(text: string): number {
  if (!isCanonical(text)) return Date.parse(text);
  const minute = text.slice(0, 17);
  if (minute !== minuteText) {
    minuteMs = Date.parse(`${minute}00.000Z`);
    minuteText = minute;
  }
  return (
    minuteMs +
    (digit(text, 17) * 10 + digit(text, 18)) * 1_000 +
    digit(text, 20) * 100 +
    digit(text, 21) * 10 +
    digit(text, 22)
  );
}

const CODE_0 = 48;
const CODE_2 = 50;
const CODE_4 = 52;
const CODE_5 = 53;
const CODE_9 = 57;
const CODE_DOT = 46;
const CODE_Z = 90;

/**
 * Says whether the text has the form that `toISOString` writes. Hour 24 is not accepted here, because it is valid only
 * with no minutes or seconds.
 */
function isCanonical(text: string): boolean {
  return (
    text.length === 24 &&
    text.charCodeAt(23) === CODE_Z &&
    text.charCodeAt(19) === CODE_DOT &&
    !(text.charCodeAt(11) === CODE_2 && text.charCodeAt(12) === CODE_4) &&
    isBetween(text.charCodeAt(17), CODE_5) &&
    isBetween(text.charCodeAt(18), CODE_9) &&
    isBetween(text.charCodeAt(20), CODE_9) &&
    isBetween(text.charCodeAt(21), CODE_9) &&
    isBetween(text.charCodeAt(22), CODE_9)
  );
}

function isBetween(code: number, last: number): boolean {
  return code >= CODE_0 && code <= last;
}

function digit(text: string, at: number): number {
  return text.charCodeAt(at) - CODE_0;
}
