import { readFileSync } from 'node:fs';

/** Reads a small file of UTF-8. A byte order mark, which some editors write, is not part of the text. */
export function readTextFile(file: string): string {
  return textIn(readFileSync(file));
}

/** Throws a NoTextError if it is not UTF-8: with replacement characters, a secret would only be a wrong one. */
export function textIn(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new NoTextError('the file is not text in UTF-8', { cause: error });
  }
}

export class NoTextError extends Error {
  override readonly name = 'NoTextError';
}
