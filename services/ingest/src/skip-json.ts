/**
 * Skips JSON in a body byte by byte, and proves while it does so that `JSON.parse` would take it. It makes no values. What
 * it does not know it refuses, and another way decides.
 */

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const ARRAY_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_CLOSE = 0x5d;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
/** Set in lower-case letters only. */
const LOWER_BIT = 0x20;

/** Deeper nesting is refused here, so that the recursion stays flat. It is far below what an event may have. */
const DEPTH_MAX = 16;

/** What every function here returns instead of a place if it refuses. */
export const REFUSED = -1;

/** Returns the place after the whitespace. */
export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  let byte = bytes[at];
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
    at += 1;
    byte = bytes[at];
  }
  return at;
}

/** Returns the place after the value that begins at `at`, inside `level` arrays and objects. */
export function skipValue(bytes: Uint8Array, at: number, level: number): number {
  const byte = bytes[at];
  switch (byte) {
    case QUOTE:
      return skipString(bytes, at + 1);
    case BRACE_OPEN:
      return level < DEPTH_MAX ? skipObject(bytes, at + 1, level + 1) : REFUSED;
    case ARRAY_OPEN:
      return level < DEPTH_MAX ? skipArray(bytes, at + 1, level + 1) : REFUSED;
    case 0x74:
      return isAt(bytes, at, TRUE) ? at + 4 : REFUSED;
    case 0x66:
      return isAt(bytes, at, FALSE) ? at + 5 : REFUSED;
    case 0x6e:
      return isAt(bytes, at, NULL) ? at + 4 : REFUSED;
    default:
      return skipNumber(bytes, at);
  }
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

function isAt(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let next = 1; next < word.length; next += 1) if (bytes[at + next] !== word[next]) return false;
  return true;
}

/** Returns the place after the closing quote of a string whose first character is at `from`. */
export function skipString(bytes: Uint8Array, from: number): number {
  const end = bytes.length;
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) {
      at = skipEscape(bytes, at + 1);
      if (at === REFUSED) return REFUSED;
    } else if (byte < 0x20) return REFUSED;
    else at += 1;
  }
  return REFUSED;
}

function skipEscape(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === LOWER_U) {
    for (let digit = at + 1; digit <= at + 4; digit += 1) if (!isHex(bytes[digit])) return REFUSED;
    return at + 5;
  }
  // One of " \ / b f n r t.
  return byte !== undefined && '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? at + 1 : REFUSED;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const lower = byte | LOWER_BIT;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function skipNumber(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from;
  if (bytes[at] === ZERO) at += 1;
  else {
    at = skipDigits(bytes, at);
    if (at === REFUSED) return REFUSED;
  }
  if (bytes[at] === POINT) {
    at = skipDigits(bytes, at + 1);
    if (at === REFUSED) return REFUSED;
  }
  const byte = bytes[at];
  if (byte !== undefined && (byte | LOWER_BIT) === LOWER_E) {
    const sign = bytes[at + 1];
    at = skipDigits(bytes, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
  }
  return at;
}

function skipDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at += 1;
  return at === from ? REFUSED : at;
}

function skipArray(bytes: Uint8Array, from: number, level: number): number {
  let at = skipSpace(bytes, from);
  if (bytes[at] === ARRAY_CLOSE) return at + 1;
  for (;;) {
    at = skipValue(bytes, at, level);
    if (at === REFUSED) return REFUSED;
    at = skipSpace(bytes, at);
    if (bytes[at] === ARRAY_CLOSE) return at + 1;
    if (bytes[at] !== COMMA) return REFUSED;
    at = skipSpace(bytes, at + 1);
  }
}

function skipObject(bytes: Uint8Array, from: number, level: number): number {
  let at = skipSpace(bytes, from);
  if (bytes[at] === BRACE_CLOSE) return at + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) return REFUSED;
    at = skipColon(bytes, skipString(bytes, at + 1));
    if (at === REFUSED) return REFUSED;
    at = skipValue(bytes, at, level);
    if (at === REFUSED) return REFUSED;
    at = skipSpace(bytes, at);
    if (bytes[at] === BRACE_CLOSE) return at + 1;
    if (bytes[at] !== COMMA) return REFUSED;
    at = skipSpace(bytes, at + 1);
  }
}

/** Returns the place of the value after the name that ends at `from`. */
export function skipColon(bytes: Uint8Array, from: number): number {
  if (from === REFUSED) return REFUSED;
  const at = skipSpace(bytes, from);
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : REFUSED;
}
