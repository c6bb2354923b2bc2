import { createServer, type Server } from 'node:net';

/**
 * The range is below the ports that systems hand out for port 0 or for outgoing connections (Linux: 32768 and up). So
 * nobody gets one of these by chance while the test does not listen on it: before the first start, between two starts,
 * or while its process is down.
 */
const FIRST = 12_000;
const LAST = 32_000;

/** Returns different ports that nobody listens on. Another test picks the same ones once in thousands of runs. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    while (held.size < count) {
      const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
      const server = held.has(port) ? null : await listener(port);
      if (server !== null) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** Resolves to null if the port is taken. */
function listener(port: number): Promise<Server | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
  });
}
