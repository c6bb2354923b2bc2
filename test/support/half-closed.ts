import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** What comes to a client that ends its side of the connection with its request, as `nc -N` does. */
export class HalfClosed implements Disposable {
  /** All that came, once the server has ended its side too. */
  readonly whole: Promise<string>;
  readonly #socket: Socket;
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.whole = (async () => {
      for await (const text of socket.setEncoding('utf8')) this.#text += text as string;
      return this.#text;
    })();
    // A test that fails before it waits for the end is told of its own failure.
    this.whole.catch(() => undefined);
  }

  /** Sends bytes, ends its side, and reads. */
  static async send(url: string, bytes: string | Buffer): Promise<HalfClosed> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    await once(socket, 'connect');
    socket.end(bytes);
    return new HalfClosed(socket);
  }

  /** What has come so far. */
  get text(): string {
    return this.#text;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** A request without a body, as bytes. */
export function getBytes(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`;
}
