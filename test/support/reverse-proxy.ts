import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A small reverse proxy that serves a gateway under a path, as nginx does with `location /runlog/`. */
export interface ReverseProxy extends AsyncDisposable {
  /** `http://localhost:PORT` */
  readonly origin: string;
  /** Every request's target, as the browser sent it. */
  readonly asked: readonly string[];
}

/**
 * Strips `path` from each request and passes it on; anything else gets 404. With `passesHost` the upstream gets the
 * browser's `Host`, else its own.
 */
export async function startReverseProxy(options: {
  upstream: string;
  path: string;
  passesHost: boolean;
}): Promise<ReverseProxy> {
  const { path } = options;
  const { hostname, port, host } = new URL(options.upstream);
  const asked: string[] = [];
  const upstream = (incoming: IncomingMessage, target: string) => {
    const headers = { ...incoming.headers, ...(options.passesHost ? {} : { host }) };
    return request({ hostname, port, path: target, method: incoming.method, headers, agent: false });
  };
  /** Returns the target without the path, or null if it is not below it. */
  const targetOf = ({ url = '/' }: IncomingMessage) => {
    asked.push(url);
    return url.startsWith(`${path}/`) ? url.slice(path.length) : null;
  };

  const server = createServer((incoming, response) => {
    const target = targetOf(incoming);
    if (target === null) {
      response.writeHead(404).end();
      return;
    }
    const outgoing = upstream(incoming, target);
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.on('upgrade', (incoming, socket, head) => {
    socket.on('error', () => socket.destroy());
    const target = targetOf(incoming);
    if (target === null) {
      socket.destroy();
      return;
    }
    const outgoing = upstream(incoming, target);
    const send = (answer: IncomingMessage) => {
      const fields = answer.rawHeaders.map((text, at) => (at % 2 === 0 ? `\r\n${text}: ` : text)).join('');
      socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}${fields}\r\n\r\n`);
    };
    outgoing.on('upgrade', (answer, tunnel, first) => {
      send(answer);
      socket.write(first);
      tunnel.write(head);
      tunnel.on('error', () => socket.destroy());
      tunnel.on('close', () => socket.destroy());
      socket.on('close', () => tunnel.destroy());
      tunnel.pipe(socket).pipe(tunnel);
    });
    outgoing.on('response', (answer) => {
      send(answer);
      answer.pipe(socket);
    });
    outgoing.on('error', () => socket.destroy());
    outgoing.end();
  });
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.close();
      // The server itself would forget those that became WebSockets, and yet wait for them.
      for (const socket of connections) socket.destroy();
      await once(server, 'close');
    },
  };
}
