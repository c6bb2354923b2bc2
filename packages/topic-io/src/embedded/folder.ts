import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TopicIoError } from '../topic-io.ts';
import { checkPermissions, faultOfDataFile } from './data-file.ts';
import { makeDurableFolder, syncFolder } from './durable.ts';
import { isLockFile } from './lock.ts';
import { rowCheckOf } from './sealed-rows.ts';

/** The files of an embedded log: a marker that names the format, LMDB's two files, and the owner's entry. */
export const markerFile = 'runlog-log.json';
export const dataFile = 'log.mdb';
const formatName = 'runlog embedded log';
/** Since the second format, every row has a checksum. Logs of the first are read and continued. */
export const formatVersion = 2;
export const remedy = 'restore the folder from a copy, or move it away to start with an empty log';

export interface Marker {
  readonly name: string;
  readonly version: number;
  /** Whether the log was begun in the first format, so that some of its rows may have no checksum. */
  readonly mayBeUnsealed: boolean;
  /** Is `creating` until the database was written once. A folder that a crash left in this state holds nothing yet. */
  readonly state: 'creating' | 'ready';
  /** The size of the database when the marker was written. A database never shrinks, so a smaller one was cut. */
  readonly dataBytes: number;
}

export function unusable(folder: string, what: string, cause?: unknown): TopicIoError {
  return new TopicIoError('unusable', `${folder}: ${what}`, cause === undefined ? {} : { cause });
}

export interface FolderState {
  /** Whether the database was ever written. Without a marker, or after a crash during creation, it was not. */
  readonly isReady: boolean;
  readonly mayBeUnsealed: boolean;
}

/**
 * Makes sure, before anything is written into the folder, that it holds our log, or is empty, or does not exist yet
 * (then it is made). Everything else is refused with `unusable`. Nothing that was there is ever changed. With `deep` the whole database is read and checked.
 */
export async function inspectFolder(
  folder: string,
  mode: { create: boolean; deep: boolean },
): Promise<FolderState> {
  const names = await listFolder(folder, mode);
  if (!names.includes(markerFile)) {
    const foreign = names.filter((name) => !isOwnFile(name));
    if (foreign.length > 0) {
      throw unusable(
        folder,
        `holds files but no ${markerFile} (found ${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ' …' : ''}), ` +
          'so it is not a runlog log; choose an empty folder or one that does not exist',
      );
    }
    if (!mode.create)
      throw unusable(folder, 'holds no log; start the owner once, or choose the right folder');
    return { isReady: false, mayBeUnsealed: false };
  }
  const marker = await readMarker(folder);
  if (marker.state === 'creating') {
    if (!mode.create)
      throw unusable(folder, 'is being created at this moment; try again when the owner is running');
    return { isReady: false, mayBeUnsealed: false };
  }
  const data = join(folder, dataFile);
  await checkPermissions(data, { readOnly: !mode.create });
  const { mayBeUnsealed, dataBytes } = marker;
  const isSound = mode.deep ? rowCheckOf({ mayBeUnsealed }) : null;
  const fault = await faultOfDataFile(data, { bytesMin: dataBytes, isSound }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return 'is missing';
      throw error;
    },
  );
  if (fault !== null) throw unusable(folder, `${dataFile} ${fault}; ${remedy}`);
  return { isReady: true, mayBeUnsealed };
}

export async function writeMarker(
  folder: string,
  { state, mayBeUnsealed }: Pick<Marker, 'state' | 'mayBeUnsealed'>,
): Promise<void> {
  const dataBytes = state === 'ready' ? (await stat(join(folder, dataFile))).size : 0;
  const marker: Marker = { name: formatName, version: formatVersion, mayBeUnsealed, state, dataBytes };
  const temporary = join(folder, `${markerFile}-${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, `${JSON.stringify(marker)}\n`, { flush: true });
    await rename(temporary, join(folder, markerFile));
    await syncFolder(folder);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/**
 * Sets aside what a crash left of a database that was being created. Nothing was acknowledged before the marker says
 * `ready`, so nothing is lost; an older runlog may have been less careful, so it is not deleted.
 */
export async function setUnfinishedAside(folder: string): Promise<void> {
  const data = join(folder, dataFile);
  const fault = await faultOfDataFile(data, {
    bytesMin: 0,
    isSound: rowCheckOf({ mayBeUnsealed: false }),
  }).catch(() => null);
  if (fault !== null) await rename(data, `${data}-unfinished`);
}

export async function readMarker(folder: string): Promise<Marker> {
  const text = await readFile(join(folder, markerFile), 'utf8');
  const marker = parseMarker(text);
  if (marker === null || marker.name !== formatName) {
    throw unusable(folder, `${markerFile} is not the marker of a runlog log; choose another folder`);
  }
  if (marker.version < 1 || marker.version > formatVersion) {
    throw unusable(
      folder,
      `was written in format ${marker.version}, this runlog reads formats up to ${formatVersion}; ` +
        'use the version of runlog that wrote it, or another folder',
    );
  }
  return marker;
}

function parseMarker(text: string): Marker | null {
  try {
    const parsed = JSON.parse(text) as Marker | null;
    if (typeof parsed !== 'object' || typeof parsed?.version !== 'number') return null;
    const dataBytes = typeof parsed.dataBytes === 'number' ? parsed.dataBytes : 0;
    return { ...parsed, dataBytes, mayBeUnsealed: parsed.version === 1 || parsed.mayBeUnsealed === true };
  } catch {
    return null;
  }
}

async function listFolder(folder: string, mode: { create: boolean }): Promise<string[]> {
  try {
    if (mode.create) await makeDurableFolder(folder);
    return await readdir(folder);
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EEXIST':
      case 'ENOTDIR':
        throw unusable(folder, 'is a file, not a folder; choose another path', error);
      case 'ENOENT':
        throw unusable(folder, 'does not exist; start the owner once, or choose the right folder', error);
      case 'EACCES':
      case 'EPERM':
      case 'EROFS':
        throw unusable(
          folder,
          'cannot be read or written: no permission; change its owner or choose another',
          error,
        );
      default:
        throw unusable(folder, `cannot be used: ${String(error)}`, error);
    }
  }
}

/** Whether a folder that holds no log yet may have it: what a start left that was killed early. */
export function isOwnFile(name: string): boolean {
  return isLockFile(name) || isMarkerTemporary(name);
}

function isMarkerTemporary(name: string): boolean {
  return name.startsWith(`${markerFile}-`) && name.endsWith('.tmp');
}
