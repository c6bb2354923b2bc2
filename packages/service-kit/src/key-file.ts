import { watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Key, keysFileSchema } from '@runlog/schema/keys';
import { messageOf } from '@runlog/topic-io/error-message';
import type { Logger } from '@runlog/topic-io/logger';
import { readTextFile, textIn } from '@runlog/topic-io/text-file';
import { keyIdLookup, keyLookup, type NamedKeyRing } from './keys.ts';
import { ConfigError } from './read-config.ts';

/** A watch can miss a change (network folders, bind mounts of one file); polling the file's state does not. */
const POLL_MS = 2_000;

/** The keys of a file, reloaded while this is open. */
export interface KeyFile extends NamedKeyRing, AsyncDisposable {}

type ParsedKeys =
  | { readonly kind: 'keys'; readonly keys: readonly Key[] }
  | { readonly kind: 'fault'; readonly fault: string };

/**
 * Parses the text of a key file and reports every fault at once. No message quotes the text, because it may hold a key
 * by mistake.
 */
export function parseKeys(text: string): ParsedKeys {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'fault', fault: 'is not JSON' };
  }
  const parsed = keysFileSchema.safeParse(value);
  if (parsed.success) return { kind: 'keys', keys: parsed.data.keys };
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
  return { kind: 'fault', fault: faults.join('; ') };
}

/** Returns what is wrong with the file that `RUNLOG_KEYS_FILE` names, if anything, for the check of a configuration. */
export function keyFileFaults(path: string | undefined): string[] {
  if (path === undefined) return [];
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    return [`RUNLOG_KEYS_FILE=${path} cannot be read: ${messageOf(error)}; "runlog keys add" creates it`];
  }
  const parsed = parseKeys(text);
  return parsed.kind === 'keys' ? [] : [`RUNLOG_KEYS_FILE=${path} cannot be used: ${parsed.fault}`];
}

/**
 * Loads the file. Throws `ConfigError` if it is missing or broken. From then on a change takes effect within some 2 s,
 * mostly at once. If the file becomes unreadable, this is logged and the former keys stay.
 */
export async function openKeyFile(options: { path: string; logger: Logger }): Promise<KeyFile> {
  const { path, logger } = options;
  const faults = keyFileFaults(path);
  if (faults.length > 0) throw new ConfigError(faults);
  const listeners = new Set<() => void>();
  // The state is taken before reading, so that a change in between is read again and never missed.
  let state = await stateOf(path);
  let text = textIn(await readFile(path));
  const keys = keysOf(text);
  let find = keyLookup(keys);
  let withId = keyIdLookup(keys);
  let reading: Promise<void> = Promise.resolve();
  let isClosed = false;
  let isDue = false;

  const reload = async () => {
    const before = state;
    state = await stateOf(path);
    if (isClosed || state === before) return;
    let read: string;
    try {
      read = textIn(await readFile(path));
    } catch (error) {
      logger.error(
        { path, reason: messageOf(error) },
        'the key file cannot be read; the former keys stay valid',
      );
      return;
    }
    if (isClosed || read === text) return;
    text = read;
    const parsed = parseKeys(read);
    if (parsed.kind === 'fault') {
      logger.error({ path, reason: parsed.fault }, 'the key file cannot be used; the former keys stay valid');
      return;
    }
    find = keyLookup(parsed.keys);
    withId = keyIdLookup(parsed.keys);
    logger.info({ path, keys: parsed.keys.length }, 'keys reloaded');
    for (const listener of listeners) listener();
  };
  // In a folder where much else changes, only one check runs at a time.
  const check = () => {
    if (isDue) return;
    isDue = true;
    reading = reading
      .then(() => {
        isDue = false;
        return reload();
      })
      .catch((error: unknown) => {
        logger.error(
          { path, reason: messageOf(error) },
          'reloading the keys failed; the former keys stay valid',
        );
      });
  };
  const timer = setInterval(check, POLL_MS);
  // The folder is watched, because a file that is replaced by a rename is another file to its watcher.
  const watcher = watch(dirname(path), { persistent: false }, check);
  watcher.on('error', (error) => logger.warn({ path, reason: error.message }, 'the key file is only polled'));
  check();

  return {
    find: (secret) => find(secret),
    withId: (id) => withId(id),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      clearInterval(timer);
      watcher.close();
      await reading;
    },
  };
}

function keysOf(text: string): readonly Key[] {
  const parsed = parseKeys(text);
  if (parsed.kind === 'fault') throw new ConfigError([`RUNLOG_KEYS_FILE cannot be used: ${parsed.fault}`]);
  return parsed.keys;
}

/** Returns a text that differs whenever the file was written or replaced, and is empty while it does not exist. */
async function stateOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return '';
  }
}
