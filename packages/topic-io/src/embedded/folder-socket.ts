import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Gives the path of a Unix socket in a folder while it is bound or connected to. Such a path may have 107 bytes only;
 * through /proc the folder's own length does not count.
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
