import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/**
 * A socket in the folder that says "the owner lives" to a process that cannot see the owner's pid (another container
 * on the same kernel): the kernel refuses connections once the owner is gone, however it went.
 */
export interface OwnerSocket {
  readonly name: string;
  close(): Promise<void>;
}

const answerTimeoutMs = 2_000;

/** `null` where the file system or the platform has no such sockets. */
export async function listenAsOwner(folder: string): Promise<OwnerSocket | null> {
  if (process.platform === 'win32') return null;
  const name = `owner-${randomUUID()}.sock`;
  const server = createServer((socket) => socket.destroy());
  try {
    await withShortPath(folder, name, (path) => listen(server, path));
  } catch {
    return null;
  }
  server.unref();
  return {
    name,
    async close() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await unlink(join(folder, name)).catch(() => undefined);
    },
  };
}

export async function answersOnSocket(folder: string, name: string): Promise<boolean> {
  return await withShortPath(
    folder,
    name,
    (path) =>
      new Promise<boolean>((resolve, reject) => {
        const socket = connect(path);
        socket.setTimeout(answerTimeoutMs, () => settle(true));
        socket.once('connect', () => settle(true));
        socket.once('error', (error: NodeJS.ErrnoException) => {
          if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') settle(false);
          else reject(error);
        });
        const settle = (answers: boolean): void => {
          socket.destroy();
          resolve(answers);
        };
      }),
  );
}

/** A socket's path may have 107 bytes only; through /proc a folder's own length does not count. */
async function withShortPath<T>(folder: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return await use(join(folder, name));
  const descriptor = openSync(folder, 'r');
  try {
    return await use(`/proc/self/fd/${descriptor}/${name}`);
  } finally {
    closeSync(descriptor);
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
