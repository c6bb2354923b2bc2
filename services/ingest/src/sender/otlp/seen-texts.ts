const SLOTS = 2_048;
/** Names of attributes are shorter, and what is longer seldom comes again. */
const BYTES_MAX = 32;

/** The short texts seen last, each in the slot that its bytes say. */
const seen: string[] = new Array<string>(SLOTS).fill('');

/**
 * Returns the text of UTF-8 bytes. A log record names its attributes in full, so the same few names come in every record:
 * finding the one that was made before costs a fraction of making it again, and objects take it as a key at once.
 */
export function seenText(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > BYTES_MAX || length === 0) return bytes.toString('utf8', start, end);
  let mixed = length;
  for (let at = start; at < end; at += 1) mixed = (Math.imul(mixed, 31) + bytes[at]!) | 0;
  const slot = (mixed ^ (mixed >>> 15)) & (SLOTS - 1);
  const text = seen[slot]!;
  if (isSame(text, bytes, start, end)) return text;
  const made = bytes.toString('utf8', start, end);
  seen[slot] = made;
  return made;
}

/** A text with other letters than ASCII's is never the same, because its characters are no bytes. */
function isSame(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let at = 0; at < text.length; at += 1) {
    const byte = bytes[start + at]!;
    if (byte >= 0x80 || text.charCodeAt(at) !== byte) return false;
  }
  return true;
}
