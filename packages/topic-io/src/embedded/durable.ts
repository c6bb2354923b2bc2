import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Resolves when the content and the size of the file are on disk. fdatasync promises less of a file that grew. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Resolves when the names in the folder are on disk. Without this a power cut may take back a file that was made. */
export async function syncFolder(path: string): Promise<void> {
  // Windows writes names with the files, and cannot open a folder.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes the folder and those above it, if they are missing. */
export async function makeDurableFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  const last = dirname(resolve(first));
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    await syncFolder(folder);
    if (folder === last || folder === dirname(folder)) return;
  }
}
