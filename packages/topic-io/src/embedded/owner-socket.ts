import { randomUUID } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { withFolderSocket } from './folder-socket.ts';

/**
 * A socket in the folder that shows that the owner is alive to a process that cannot see the owner's pid (another
 * container on the same kernel). The kernel refuses connections once the owner is gone, however it ended.
 */
export interface OwnerSocket {
  readonly name: string;
  close(): Promise<void>;
}

const answerTimeoutMs = 2_000;

/** Returns null if the file system or the platform has no such sockets. */
export async function listenAsOwner(folder: string): Promise<OwnerSocket | null> {
  if (process.platform === 'win32') return null;
  const name = `owner-${randomUUID()}.sock`;
  const server = createServer((socket) => socket.destroy());
  try {
    await withFolderSocket({ folder, name }, (path) => listen(server, path));
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
  return await withFolderSocket(
    { folder, name },
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

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
