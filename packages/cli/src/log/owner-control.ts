import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { realpath, unlink } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LogConfig } from '@runlog/service-kit/log-config';
import { withFolderSocket } from '@runlog/topic-io/embedded/folder-socket';
import { messageOf } from '@runlog/topic-io/error-message';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError, type TopicIoErrorCode } from '@runlog/topic-io/topic-io';
import {
  doOwnerWork,
  type OwnerProgress,
  type OwnerRequest,
  type OwnerResult,
  ownerRequestSchema,
} from './owner-work.ts';

/**
 * One process owns an embedded log; commands that write ask it over this socket in the folder, which the folder's own
 * permissions protect. One JSON line asks; lines of progress, then one result or error, answer.
 */
const SOCKET_NAME = 'control.sock';
const REQUEST_BYTES_MAX = 1024 * 1024;

type Answer =
  | { readonly progress: OwnerProgress }
  | { readonly result: OwnerResult }
  | { readonly error: { readonly code: TopicIoErrorCode | 'failed'; readonly message: string } };

/** Answers commands until it is disposed; work that is then under way is aborted. */
export async function serveOwnerControl(options: {
  io: TopicIo;
  config: LogConfig;
  logger: Logger;
}): Promise<AsyncDisposable> {
  const folder = await realpath(options.config.dataFolder);
  const stop = new AbortController();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    void answer(socket, { ...options, signal: stop.signal });
  });
  // We hold the lock on the folder, so a socket found here belongs to a dead owner.
  await unlink(join(folder, SOCKET_NAME)).catch(() => undefined);
  await withFolderSocket({ folder, name: SOCKET_NAME }, async (path) => {
    server.listen({ path });
    await once(server, 'listening');
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await unlink(join(folder, SOCKET_NAME)).catch(() => undefined);
    },
  };
}

async function answer(
  socket: Socket,
  use: { io: TopicIo; config: LogConfig; logger: Logger; signal: AbortSignal },
): Promise<void> {
  const say = (said: Answer) => {
    if (socket.writable) socket.write(`${JSON.stringify(said)}\n`);
  };
  const left = new AbortController();
  socket.once('close', () => left.abort());
  try {
    const request = ownerRequestSchema.parse(JSON.parse(await firstLine(socket)));
    use.logger.info({ ...request }, 'a command asked for work');
    const signal = AbortSignal.any([use.signal, left.signal]);
    const result = await doOwnerWork(request, {
      ...use,
      signal,
      onProgress: (progress) => say({ progress }),
    });
    say({ result });
  } catch (error) {
    const code = error instanceof TopicIoError ? error.code : 'failed';
    if (left.signal.aborted)
      use.logger.info({}, 'the command that asked for work is gone; its work is aborted');
    else use.logger.warn({ err: error }, 'work for a command failed');
    say({ error: { code, message: messageOf(error) } });
  }
  socket.end();
}

async function firstLine(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    const end = text.indexOf('\n');
    if (end !== -1) return text.slice(0, end);
    if (text.length > REQUEST_BYTES_MAX) throw new Error('the request is too long');
  }
  throw new Error('the connection ended before a request arrived');
}

/** Returns null if no process answers in that folder. Rejects with the owner's error. */
export async function askOwner(
  request: OwnerRequest,
  use: { folder: string; signal: AbortSignal; onProgress: (progress: OwnerProgress) => void },
): Promise<OwnerResult | null> {
  const { folder, signal, onProgress } = use;
  if (!existsSync(join(folder, SOCKET_NAME))) return null;
  const socket = await withFolderSocket({ folder, name: SOCKET_NAME }, async (path) => {
    const connecting = connect(path);
    try {
      await once(connecting, 'connect', { signal });
      return connecting;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED' || code === 'ENOENT') return null;
      throw error;
    }
  });
  if (socket === null) return null;
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  socket.write(`${JSON.stringify(request)}\n`);
  for await (const line of createInterface({ input: socket })) {
    const said = JSON.parse(line) as Answer;
    if ('progress' in said) onProgress(said.progress);
    else if ('result' in said) return said.result;
    else if (said.error.code === 'failed') throw new TopicIoError('unavailable', said.error.message);
    else throw new TopicIoError(said.error.code, said.error.message);
  }
  signal.throwIfAborted();
  throw new TopicIoError(
    'unavailable',
    `the process that owns ${folder} ended while it was working; ask again`,
  );
}
