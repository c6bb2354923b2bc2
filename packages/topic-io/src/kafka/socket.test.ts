import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { framed } from '../../../../test/support/framed.ts';
import { socketFactory } from './socket.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.destroy();
});

async function startServer(onConnection: (peer: Socket) => void): Promise<number> {
  const server = createServer((peer) => {
    open.push(peer);
    onConnection(peer);
  }).listen(0, '127.0.0.1');
  open.push({ destroy: () => void server.close() });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function connectTo(port: number, closing = new AbortController().signal): Socket {
  const create = socketFactory(closing);
  const socket = create({ host: '127.0.0.1', port, ssl: null, onConnect: () => undefined });
  open.push(socket);
  return socket;
}

function frameOf(bytes: number): Buffer {
  return framed(Buffer.alloc(bytes, 9));
}

describe('a socket to a broker', () => {
  it('gives each answer in one piece, and then ends', async () => {
    const sizes = [0, 10, 5_000_000, 3, 70_000, 70_000];
    const port = await startServer((peer) => peer.end(Buffer.concat(sizes.map(frameOf))));
    const socket = connectTo(port);
    const got: number[] = [];
    socket.on('data', (frame: Buffer) => {
      expect(frame.equals(frameOf(frame.length - 4))).toBe(true);
      got.push(frame.length - 4);
    });
    await once(socket, 'end');
    expect(got).toEqual(sizes);
  });

  it('fails and says why if the peer is not a broker', async () => {
    const port = await startServer((peer) => peer.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const socket = connectTo(port);
    socket.on('data', () => undefined);
    await expect(once(socket, 'end')).rejects.toThrow('what answers is not a Kafka broker');
  });

  it('is dead from the start when its session was closed before', async () => {
    const port = await startServer(() => undefined);
    const socket = connectTo(port, AbortSignal.abort());
    await expect(once(socket, 'connect')).rejects.toThrow('closed');
  });
});
