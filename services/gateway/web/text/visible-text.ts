/** Control pictures begin here: U+2400 shows U+0000. */
const PICTURES = 0x2400;
const DELETE_PICTURE = '␡';

/**
 * C0, DEL and C1; line and paragraph separators; what changes the direction of text or is nothing to see (soft hyphen, zero
 * widths, bidi marks, embeddings, overrides and isolates, byte order mark, tags); and halves of surrogate pairs.
 */
const invisible =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be made visible
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/**
 * Makes text of others safe to stand in one line: what cannot be seen, breaks a line or turns its direction is shown as a
 * picture (`␊`) or as its number (`<202E>`). Letters of any direction stay; `<bdi>` keeps them to themselves.
 */
export function visibleText(text: string): string {
  return text.replace(invisible, (character) => {
    const point = character.codePointAt(0)!;
    if (point < 0x20) return String.fromCharCode(PICTURES + point);
    if (point === 0x7f) return DELETE_PICTURE;
    return `<${point.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}
