/**
 * Makes text safe to print. Others write the text of events, and no control character of theirs may reach a terminal.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    character === '\n' || character === '\t' ? ' ' : '�',
  );
}
