import type { Logger } from '../logger.ts';
import { readTextFile } from '../text-file.ts';
import type { Secret } from './config.ts';
import { FreshFiles } from './fresh-files.ts';

/** Returns the secret in the text of a file: all of it but the ends of lines at its end. Throws if nothing is left. */
export function secretIn(text: string): string {
  const secret = text.replace(/[\r\n]+$/, '');
  if (secret.trim() === '') throw new Error('the file is empty');
  return secret;
}

export function readSecret(secret: Secret): string {
  return 'value' in secret ? secret.value : secretIn(readTextFile(secret.file));
}

/** Returns a function that returns the secret as it is now. */
export function secretSource(use: { what: string; secret: Secret; logger: Logger }): () => string {
  const { what, secret, logger } = use;
  if ('value' in secret) return () => secret.value;
  const make = ([text = '']: readonly string[]) => secretIn(text);
  const files = new FreshFiles({ what, files: [secret.file], make, logger });
  return () => files.get();
}
