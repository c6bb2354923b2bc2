import { open, readFile, rename, rm } from 'node:fs/promises';
import type { Key } from '@runlog/schema/keys';
import { messageOf } from '@runlog/topic-io/error-message';
import { textIn } from '@runlog/topic-io/text-file';
import { parseKeys } from './key-file.ts';

/** The reason why a key file was left unchanged; the message is for a person. */
export class KeyFileError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'KeyFileError';
  }
}

/** Reads the keys of a file; there are none if it does not exist yet. Rejects with `KeyFileError` if it is broken. */
export async function readKeys(path: string): Promise<readonly Key[]> {
  let text: string;
  try {
    text = textIn(await readFile(path));
  } catch (error) {
    if (isCode(error, 'ENOENT')) return [];
    throw new KeyFileError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const parsed = parseKeys(text);
  if (parsed.kind === 'keys') return parsed.keys;
  throw new KeyFileError(`${path} cannot be used: ${parsed.fault}`);
}

/**
 * Replaces the file with the result of `change`. Only its user may read it. It is replaced in one step, so that a
 * service never sees half of it. Only one editor may work at a time; the new file tells others that one is at work.
 */
export async function editKeys(
  path: string,
  change: (keys: readonly Key[]) => readonly Key[],
): Promise<void> {
  const newPath = `${path}.new`;
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(newPath, 'wx', 0o600);
  } catch (error) {
    if (isCode(error, 'EEXIST')) {
      throw new KeyFileError(
        `${newPath} exists: another "runlog keys" is at work; if one was interrupted, delete the file`,
      );
    }
    throw new KeyFileError(`${path} cannot be written: ${messageOf(error)}`, { cause: error });
  }
  try {
    const text = `${JSON.stringify({ keys: change(await readKeys(path)) }, null, 2)}\n`;
    const parsed = parseKeys(text);
    if (parsed.kind === 'fault') throw new KeyFileError(`the keys would not be usable: ${parsed.fault}`);
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(newPath, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(newPath, { force: true });
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
