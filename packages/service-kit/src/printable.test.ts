import { expect, it } from 'vitest';
import { printable, printableJson } from './printable.ts';

const harmful = [
  ['an escape sequence', '\u001b[2J'],
  ['a control character of eight bits', '\u009b2J'],
  ['a change of direction', '\u202eabc'],
  ['an isolated direction', '\u2066abc\u2069'],
  ['a letter that is not seen', 'a\u200bb'],
  ['a tag beyond the first plane', 'a\u{e0041}b'],
] as const;

it.each(harmful)('prints %s as a sign that something was there', (_, text) => {
  expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(printable(text)).toContain('�');
});

it('prints line breaks and tabs as spaces', () => {
  expect(printable('a\nb\tc\u2028d\u2029e')).toBe('a b c d e');
});

it.each(harmful)('escapes %s in JSON, which stays the same document', (_, text) => {
  const document = { [text]: [text, 1] };
  const json = printableJson(JSON.stringify(document, null, 2));
  expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(json)).toEqual(document);
});

it('leaves other letters alone', () => {
  const text = 'größer 損失 🙂 {"a":1}';
  expect(printable(text)).toBe(text);
  expect(printableJson(text)).toBe(text);
});
