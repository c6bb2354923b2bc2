import { constants } from 'node:fs';
import { access, readdir, realpath, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { dataFile, formatVersion, inspectFolder, isOwnFile, markerFile, readMarker } from './folder.ts';
import { type FolderHolder, holderOf } from './lock.ts';

/** What there is in a folder that is, or may become, an embedded log. Looking at it changes nothing. */
export type FolderSight =
  | {
      /** There is no log, and `runlog up` would make one. */
      readonly kind: 'none';
      readonly folder: string;
      readonly exists: boolean;
    }
  | {
      readonly kind: 'log';
      readonly folder: string;
      readonly format: number;
      readonly formatOfBuild: number;
      readonly state: 'creating' | 'ready';
      readonly fileBytes: number;
      readonly diskFreeBytes: number;
      /** Null if no process owns it now. */
      readonly holder: FolderHolder | null;
      /** Whether this user may write to it. */
      readonly isWritable: boolean;
    };

/** Rejects with `unusable` if the folder holds something else, or a log that cannot be used. */
export async function lookAtFolder(given: string): Promise<FolderSight> {
  const names = await readdir(given).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    // The message of that is the same for all who open a folder.
    return inspectFolder(given, { create: false, deep: false }).then(() => null);
  });
  if (names === null) return { kind: 'none', folder: resolve(given), exists: false };
  const folder = await realpath(given);
  if (!names.includes(markerFile) && names.every(isOwnFile)) return { kind: 'none', folder, exists: true };
  if (names.includes(markerFile) && (await readMarker(given)).state === 'ready') {
    await inspectFolder(given, { create: false, deep: false });
  } else if (!names.includes(markerFile)) {
    await inspectFolder(given, { create: false, deep: false });
  }
  const { version, state } = await readMarker(folder);
  const { bavail, bsize } = await statfs(folder);
  const data = await stat(join(folder, dataFile)).catch(() => null);
  return {
    ...{ kind: 'log', folder, format: version, formatOfBuild: formatVersion, state },
    ...{ fileBytes: data?.size ?? 0, diskFreeBytes: bavail * bsize },
    holder: await holderOf(folder),
    isWritable: await mayWrite(folder),
  };
}

/** The nearest folder above that exists is where a new one would be made. */
export async function mayBeMade(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (await stat(at).catch(() => null)) return await mayWrite(at);
    if (dirname(at) === at) return false;
  }
}

async function mayWrite(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
