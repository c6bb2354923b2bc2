import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TopicIoError } from '../topic-io.ts';
import { checkPermissions, faultOfDataFile } from './data-file.ts';
import { isLockFile } from './lock.ts';

/** The files of an embedded log: a marker that names the format, LMDB's two files, and the owner's entry. */
export const markerFile = 'runlog-log.json';
export const dataFile = 'log.mdb';
const formatName = 'runlog embedded log';
export const formatVersion = 1;
interface Marker {
  readonly name: string;
  readonly version: number;
  /** Is `creating` until the database was written once. A folder that a crash left in this state holds nothing yet. */
  readonly state: 'creating' | 'ready';
  /** The size of the database when the marker was written. A database never shrinks, so a smaller one was cut. */
  readonly dataBytes: number;
}

export function unusable(folder: string, what: string, cause?: unknown): TopicIoError {
  return new TopicIoError('unusable', `${folder}: ${what}`, cause === undefined ? {} : { cause });
}

/**
 * Makes sure, before anything is written into the folder, that it holds our log, or is empty, or does not exist yet
 * (then it is made). Everything else is refused with `unusable`. Nothing that was there is ever changed.
 */
export async function inspectFolder(folder: string, mode: { create: boolean }): Promise<void> {
  const names = await listFolder(folder, mode);
  if (!names.includes(markerFile)) {
    const foreign = names.filter((name) => !isLockFile(name) && !isMarkerTemporary(name));
    if (foreign.length > 0) {
      throw unusable(
        folder,
        `holds files but no ${markerFile} (found ${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ' …' : ''}), ` +
          'so it is not a runlog log; choose an empty folder or one that does not exist',
      );
    }
    if (!mode.create)
      throw unusable(folder, 'holds no log; start the owner once, or choose the right folder');
    return;
  }
  const marker = await readMarker(folder);
  if (marker.state === 'creating') {
    if (!mode.create)
      throw unusable(folder, 'is being created at this moment; try again when the owner is running');
    return;
  }
  const data = join(folder, dataFile);
  await checkPermissions(data, { readOnly: !mode.create });
  const fault = await faultOfDataFile(data, { bytesMin: marker.dataBytes }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return 'is missing';
      throw error;
    },
  );
  if (fault !== null) {
    throw unusable(
      folder,
      `${dataFile} ${fault}; restore the folder from a copy, or move it away to start with an empty log`,
    );
  }
}

export async function writeMarker(folder: string, state: Marker['state']): Promise<void> {
  const dataBytes = state === 'ready' ? (await stat(join(folder, dataFile))).size : 0;
  const marker: Marker = { name: formatName, version: formatVersion, state, dataBytes };
  const temporary = join(folder, `${markerFile}-${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, `${JSON.stringify(marker)}\n`, { flush: true });
    await rename(temporary, join(folder, markerFile));
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** Whether the folder's database was ever written. Without a marker, or after a crash during creation, it was not. */
export async function isReady(folder: string): Promise<boolean> {
  if (!(await readdir(folder)).includes(markerFile)) return false;
  return (await readMarker(folder)).state === 'ready';
}

async function readMarker(folder: string): Promise<Marker> {
  const text = await readFile(join(folder, markerFile), 'utf8');
  const marker = parseMarker(text);
  if (marker === null || marker.name !== formatName) {
    throw unusable(folder, `${markerFile} is not the marker of a runlog log; choose another folder`);
  }
  if (marker.version !== formatVersion) {
    throw unusable(
      folder,
      `was written in format ${marker.version}, this runlog reads format ${formatVersion}; ` +
        'use the version of runlog that wrote it, or another folder',
    );
  }
  return marker;
}

function parseMarker(text: string): Marker | null {
  try {
    const parsed = JSON.parse(text) as Marker | null;
    if (typeof parsed !== 'object' || typeof parsed?.version !== 'number') return null;
    return { ...parsed, dataBytes: typeof parsed.dataBytes === 'number' ? parsed.dataBytes : 0 };
  } catch {
    return null;
  }
}

async function listFolder(folder: string, mode: { create: boolean }): Promise<string[]> {
  try {
    if (mode.create) await mkdir(folder, { recursive: true });
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

function isMarkerTemporary(name: string): boolean {
  return name.startsWith(`${markerFile}-`) && name.endsWith('.tmp');
}
