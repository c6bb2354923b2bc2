import { REJECTED_BYTES_MAX } from '@runlog/schema/limits';

/**
 * Names of fields whose values nobody should read in the rejected topic. Words are separated by `_`, `-`, `.` or a
 * capital letter.
 */
const SECRET_NAME =
  /(?:^|[_.-])(?:passwords?|passwd|passphrase|pwd|secrets?|token|apikeys?|(?:api|private|access|secret|signing|encryption)[_.-]keys?|authorization|bearer|credentials?|cookies?)(?:$|[_.-])/i;

/** Matches text that looks like the name of a JSON field, up to its value. */
const NAME = /"((?:[^"\\]|\\.){1,128})"\s{0,16}:\s{0,16}/g;

const AUTHORIZATION_VALUE = /\b(bearer|basic)( +)[A-Za-z0-9._~+/=-]{8,}/gi;

export const REDACTED = '"[redacted]"';

/**
 * Replaces the values of fields that look secret, whatever they are, and text that looks like the value of an
 * Authorization header. The rest stays unchanged. It works on text, because a rejected value need not be JSON and may
 * be cut off. Its time is proportional to the length of the text.
 */
export function redact(text: string): string {
  const parts: string[] = [];
  let kept = 0;
  NAME.lastIndex = 0;
  for (let match = NAME.exec(text); match !== null; match = NAME.exec(text)) {
    const from = NAME.lastIndex;
    const isString = text[from] === '"';
    const isSecret = isSecretName(match[1]!);
    if (isSecret) {
      const end = valueEnd(text, from);
      parts.push(text.slice(kept, from), REDACTED);
      kept = end;
      NAME.lastIndex = end;
    } else if (isString) {
      NAME.lastIndex = stringEnd(text, from);
    }
  }
  parts.push(text.slice(kept));
  return parts.join('').replace(AUTHORIZATION_VALUE, '$1$2[redacted]');
}

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replace(/([a-z0-9])([A-Z])/g, '$1_$2'));
}

/** Returns the end of the value that begins here, or the end of the text if the value is cut off. */
function valueEnd(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return stringEnd(text, from);
  if (first !== '{' && first !== '[') {
    let end = from;
    while (end < text.length && !',}]\r\n'.includes(text[end]!)) end += 1;
    return end;
  }
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '"') at = stringEnd(text, at) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

function stringEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

/**
 * Returns the part of a rejected value that is kept: redacted, and at most REJECTED_BYTES_MAX. It is a copy, because a
 * view would keep the whole body in memory. It is read as Latin-1, so that bytes that are not UTF-8 stay unchanged.
 */
export function redactedBytes(value: Buffer): Buffer {
  const text = redact(value.toString('latin1', 0, REJECTED_BYTES_MAX));
  return Buffer.from(text.slice(0, REJECTED_BYTES_MAX), 'latin1');
}
