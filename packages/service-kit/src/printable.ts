/**
 * Makes text safe to print. Others write the text of events, and no control character of theirs may reach a terminal, nor a
 * character that changes the direction of what follows it. Tabs and line breaks become a space.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (/[\n\t\u2028\u2029]/.test(character) ? ' ' : '�'));
}

/** Makes text of several lines safe to print, as `printable` does, and keeps its line feeds. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** Makes JSON safe to print: the same document, in which `\u001b` stands for what `printable` would take out. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => (isJsonSpace(character) ? character : escaped(character)));
}

/** Control characters, format characters (as those that change the direction), and separators of lines and paragraphs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Between the tokens of JSON; inside its texts they are escaped already. */
function isJsonSpace(character: string): boolean {
  return character === '\n' || character === '\r' || character === '\t';
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
