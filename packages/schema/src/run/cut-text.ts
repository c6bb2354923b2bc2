import { METADATA_BYTES_MAX, METADATA_CHARS_MAX, SLOT_ID_CHARS_MAX } from '../limits.ts';

/** Cuts text so that it is short enough to be stored. Cut text ends in `…` and never splits a surrogate pair. */
export function cutText(text: string, limits: { charsMax: number; jsonBytesMax: number }): string {
  const { charsMax, jsonBytesMax } = limits;
  // A character is at most six bytes of JSON (`\u0000`), so the length alone decides for most text.
  if (text.length <= charsMax && text.length * 6 <= jsonBytesMax) return text;
  if (text.length <= charsMax && jsonBytes(text) <= jsonBytesMax) return text;
  let bytes = ELLIPSIS_BYTES;
  let end = 0;
  while (end < text.length) {
    const point = text.codePointAt(end) as number;
    const width = point > 0xffff ? 2 : 1;
    const next = bytes + pointBytes(point);
    if (end + width > charsMax - 1 || next > jsonBytesMax) break;
    bytes = next;
    end += width;
  }
  return `${text.slice(0, end)}…`;
}

/** Cuts text to at most this many letters (code points), of which the last is `…` if anything was cut. */
export function cutLetters(text: string, lettersMax: number): string {
  if (text.length <= lettersMax) return text;
  let end = 0;
  for (let letters = 0; letters < lettersMax && end < text.length; letters += 1) {
    if (letters === lettersMax - 1 && end + widthAt(text, end) < text.length) return `${text.slice(0, end)}…`;
    end += widthAt(text, end);
  }
  return text;
}

/** Returns the UTF-16 units of the code point that begins there. */
function widthAt(text: string, at: number): 1 | 2 {
  return (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
}

/** Cuts a string of an entry's metadata, a task or a reward mode to its stored length. */
export function cutName(text: string): string {
  return cutText(text, { charsMax: METADATA_CHARS_MAX, jsonBytesMax: METADATA_BYTES_MAX });
}

/** Cuts a slot id of a run to its stored length. */
export function cutSlotId(text: string): string {
  return cutText(text, { charsMax: SLOT_ID_CHARS_MAX, jsonBytesMax: SLOT_ID_CHARS_MAX + 32 });
}

const ELLIPSIS_BYTES = 3;

/** Returns the UTF-8 bytes that the text takes within JSON's quotes. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}

/**
 * Does the same for one code point, as JSON.stringify writes it: with short escapes, \u00XX for controls, and lone
 * surrogates escaped.
 */
function pointBytes(point: number): number {
  if (point === 0x22 || point === 0x5c) return 2;
  if (point < 0x20) return point === 8 || point === 9 || point === 10 || point === 12 || point === 13 ? 2 : 6;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  if (point >= 0xd800 && point <= 0xdfff) return 6;
  return point > 0xffff ? 4 : 3;
}
