import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Passes every connection to one port of this machine on to another one, as a tunnel does. */
export async function startForwarder({ from, to }: { from: number; to: number }): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
  };
  const server = createServer((socket) => {
    const onward = connect({ port: to, host: '127.0.0.1' });
    keep(socket);
    keep(onward);
    socket.pipe(onward).pipe(socket);
    socket.once('close', () => onward.destroy());
    onward.once('close', () => socket.destroy());
  });
  server.listen({ port: from, host: '127.0.0.1' });
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
