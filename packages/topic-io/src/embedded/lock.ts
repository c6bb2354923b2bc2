import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TopicIoError } from '../topic-io.ts';
import { type Liveness, livenessOf, type OwnerIdentity, thisProcess } from './owner.ts';
import { answersOnSocket, listenAsOwner, type OwnerSocket } from './owner-socket.ts';

/**
 * The lock that gives a folder one owner. The owner is the process that wrote the highest `owner-N.json`. That file is
 * never deleted, only superseded by N+1, which exactly one contender can create, so there is no race for a dead owner's
 * folder.
 */
export interface FolderLock extends AsyncDisposable {
  readonly owner: OwnerIdentity;
  /** Whether the folder still lies where it was locked. It may have been moved, and another may be in its place. */
  isInPlace(): Promise<boolean>;
}

interface OwnerEntry {
  readonly number: number;
  readonly owner: OwnerIdentity | null;
  readonly released: boolean;
  readonly socketName: string | null;
  /** The folder that the owner has; null in entries of older builds. */
  readonly folder: FolderPlace | null;
}

interface FolderPlace {
  readonly device: string;
  readonly inode: string;
}

const entryPattern = /^owner-(\d{1,15})\.json$/;
const temporaryPattern = /^owner-[0-9a-f-]{36}\.(tmp|sock)$/;
const leftBehindAfterMs = 60_000;
const attemptsMax = 20;
/** How long an entry may have no content. Its writer is between creating and filling it, or died there. */
const emptyEntryGraceMs = 10_000;

export function isLockFile(name: string): boolean {
  return entryPattern.test(name) || temporaryPattern.test(name);
}

export async function lockFolder(
  folder: string,
  identity: OwnerIdentity = thisProcess(),
): Promise<FolderLock> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const found = await newestEntry(folder);
    if (found !== null && (await isHeld(folder, found, identity))) throw heldError(folder, found.owner);
    const number = (found?.number ?? 0) + 1;
    const place = await placeOf(folder);
    const socket = await listenAsOwner(folder);
    const socketName = socket?.name ?? null;
    const taken = await createEntry(folder, number, { ...identity, socketName, folder: place });
    // Another process may have taken this number, released it and been superseded while we looked: the highest number
    // counts.
    if (taken && (await newestEntry(folder))?.number === number) {
      await removeOlder(folder, { number, socketName });
      return holdLock({ folder, place, number, identity, socket });
    }
    if (taken) await unlink(entryPath(folder, number));
    await socket?.close();
  }
  throw new TopicIoError(
    'unusable',
    `${folder}: many processes are trying to open this log at once; start only one of them`,
  );
}

/** Whether a process owns the folder, as far as it can be seen from here. */
export async function isOwned(folder: string, here: OwnerIdentity = thisProcess()): Promise<boolean> {
  const found = await newestEntry(folder);
  return found !== null && (await isHeld(folder, found, here));
}

/** The process that owns a folder. */
export interface FolderHolder {
  /** Null while it is starting. */
  readonly pid: number | null;
  readonly host: string | null;
}

/** Resolves to null if no process owns the folder, as far as it can be seen from here. */
export async function holderOf(
  folder: string,
  here: OwnerIdentity = thisProcess(),
): Promise<FolderHolder | null> {
  const found = await newestEntry(folder);
  if (found === null || !(await isHeld(folder, found, here))) return null;
  return { pid: found.owner?.pid ?? null, host: found.owner?.host ?? null };
}

/**
 * Refuses a reader beside an owner in another container. LMDB tells its readers apart by pid, so such a reader could
 * pass for the owner itself, and remove the owner's reading state when it ends.
 */
export async function checkReadableBeside(
  folder: string,
  here: OwnerIdentity = thisProcess(),
): Promise<void> {
  const found = await newestEntry(folder);
  if (found === null || found.released || found.owner === null) return;
  if (livenessOf(found.owner, here) !== 'unknown' || !(await isHeld(folder, found, here))) return;
  throw new TopicIoError(
    'unusable',
    `${folder} is in use by process ${found.owner.pid} in another container or on another host (${found.owner.host}); ` +
      'run this there, or stop that process',
  );
}

function holdLock(held: {
  folder: string;
  place: FolderPlace;
  number: number;
  identity: OwnerIdentity;
  socket: OwnerSocket | null;
}): FolderLock {
  const { folder, place, number, identity, socket } = held;
  let released: Promise<void> | undefined;
  const isInPlace = async () => isSamePlace(await placeOf(folder).catch(() => null), place);
  return {
    owner: identity,
    isInPlace,
    async [Symbol.asyncDispose]() {
      released ??= (async () => {
        await socket?.close();
        // The entry of a folder that was moved stays there, and is that of a process that has ended.
        if (await isInPlace()) await markReleased(entryPath(folder, number), identity);
      })();
      await released;
    },
  };
}

async function markReleased(path: string, identity: OwnerIdentity): Promise<void> {
  const content = JSON.stringify({ released: true, ...identity });
  const temporary = join(dirname(path), `owner-${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch {
    await removeIfThere(temporary);
    // A full disk still accepts a write that needs no new block.
    const { size } = await stat(path);
    await writeFile(path, content.padEnd(size), { flag: 'r+' });
  }
}

async function isHeld(folder: string, found: OwnerEntry, here: OwnerIdentity): Promise<boolean> {
  if (found.released) return false;
  if (found.owner === null) {
    const { mtimeMs } = await stat(entryPath(folder, found.number));
    return Date.now() - mtimeMs < emptyEntryGraceMs;
  }
  const liveness: Liveness = livenessOf(found.owner, here);
  switch (liveness) {
    case 'alive':
      return !(await isCopy(folder, found));
    case 'dead':
      return false;
    case 'unknown':
      return found.socketName === null || answersOnSocket(folder, found.socketName);
    default:
      return liveness satisfies never;
  }
}

/**
 * Whether the entry came into this folder as part of a copy of the folder that it names. Some file systems give a folder
 * another number after a while, so the owner's socket is asked too: nobody listens at the copy of a socket.
 */
async function isCopy(folder: string, found: OwnerEntry): Promise<boolean> {
  if (found.folder === null || found.socketName === null) return false;
  return (
    !isSamePlace(found.folder, await placeOf(folder)) && !(await answersOnSocket(folder, found.socketName))
  );
}

async function placeOf(folder: string): Promise<FolderPlace> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return { device: String(dev), inode: String(ino) };
}

function isSamePlace(one: FolderPlace | null, other: FolderPlace): boolean {
  return one?.device === other.device && one.inode === other.inode;
}

function heldError(folder: string, owner: OwnerIdentity | null): TopicIoError {
  const who = owner === null ? 'a process that is starting' : `process ${owner.pid} on host ${owner.host}`;
  return new TopicIoError(
    'unusable',
    `${folder} is in use by ${who}; stop that process, or choose another folder (one process owns a log)`,
  );
}

async function newestEntry(folder: string): Promise<OwnerEntry | null> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const number = Math.max(0, ...(await entryNumbers(folder)));
    if (number === 0) return null;
    try {
      return { number, ...parseEntry(await readFile(entryPath(folder, number), 'utf8')) };
    } catch (error) {
      // The entry was superseded and removed after we listed the folder.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new TopicIoError(
    'unusable',
    `${folder}: many processes are trying to open this log at once; start only one of them`,
  );
}

function parseEntry(text: string): Omit<OwnerEntry, 'number'> {
  try {
    const parsed = JSON.parse(text) as OwnerIdentity & Partial<Omit<OwnerEntry, 'number' | 'owner'>>;
    return {
      owner: typeof parsed.pid === 'number' ? parsed : null,
      released: parsed.released === true,
      socketName: typeof parsed.socketName === 'string' ? parsed.socketName : null,
      folder: typeof parsed.folder?.inode === 'string' ? parsed.folder : null,
    };
  } catch {
    return { owner: null, released: false, socketName: null, folder: null };
  }
}

async function createEntry(folder: string, number: number, content: object): Promise<boolean> {
  const temporary = join(folder, `owner-${randomUUID()}.tmp`);
  await writeFile(temporary, JSON.stringify(content));
  try {
    // A link appears together with its content, and only if the name is free.
    await link(temporary, entryPath(folder, number));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error;
    return await createWithoutLink(folder, number, content);
  } finally {
    await unlink(temporary);
  }
}

async function createWithoutLink(folder: string, number: number, content: object): Promise<boolean> {
  try {
    await writeFile(entryPath(folder, number), JSON.stringify(content), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes files that dead owners left. A temporary file younger than a minute may belong to another contender and
 * stays.
 */
async function removeOlder(
  folder: string,
  own: { number: number; socketName: string | null },
): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const number = entryPattern.exec(name)?.[1];
    if (number !== undefined && Number(number) < own.number) await removeIfThere(path);
    else if (temporaryPattern.test(name) && name !== own.socketName && (await isLeftBehind(path))) {
      await removeIfThere(path);
    }
  }
}

async function isLeftBehind(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > leftBehindAfterMs;
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}

async function entryNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => {
    const number = entryPattern.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

function entryPath(folder: string, number: number): string {
  return join(folder, `owner-${number}.json`);
}
