import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Passes `use` a path of a Unix socket in a folder, which is valid while the socket is bound or connected to. Such a
 * path may have only 107 bytes; a path through /proc does not contain the folder's own.
 */
export async function withFolderSocket<T>(
  at: { folder: string; name: string },
  use: (path: string) => Promise<T>,
): Promise<T> {
  if (process.platform !== 'linux') return await use(join(at.folder, at.name));
  const descriptor = openSync(at.folder, 'r');
  try {
    return await use(`/proc/self/fd/${descriptor}/${at.name}`);
  } finally {
    closeSync(descriptor);
  }
}
