import type { ServerFrame } from '@runlog/schema/stream/server-frames';
import { WebSocket } from 'ws';

/** A frame, with the fields of all kinds. */
export type AnyFrame = Partial<
  Record<
    | 'id'
    | 'ch'
    | 'hello'
    | 'ok'
    | 'pong'
    | 'tips'
    | 'snapshot'
    | 'resume'
    | 'figures'
    | 'rows'
    | 'total'
    | 'gone'
    | 'error'
    | 'prev'
    | 'seq'
    | 'entries'
    | 'set'
    | 'reset'
    | 'lag'
    | 'end'
    | 'drain'
    | 'feed'
    | 'replaces',
    unknown
  >
>;

/** A raw client of `WS /v1/stream`, which sends what it is given and keeps the frames that arrive. */
export class StreamSocket implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly frames: ServerFrame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #waiting: (() => void)[] = [];
  #read = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      for (const line of data.toString('utf8').split('\n')) this.frames.push(JSON.parse(line) as ServerFrame);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    socket.on('error', () => undefined);
  }

  /** Opens a connection. Rejects with the HTTP status if it is refused. */
  static async open(
    gateway: string,
    options: {
      path?: string;
      origin?: string;
      protocols?: string[];
      headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<StreamSocket> {
    const url = `${gateway.replace('http', 'ws')}${options.path ?? '/v1/stream'}`;
    const socket = new WebSocket(url, options.protocols ?? ['runlog.v1'], {
      perMessageDeflate: false,
      headers: { ...options.headers },
      ...(options.origin === undefined ? {} : { origin: options.origin }),
    });
    const stream = new StreamSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('unexpected-response', (_request, response) => {
        reject(new Error(`refused with ${response.statusCode}`));
        response.destroy();
      });
      socket.once('error', reject);
    });
    return stream;
  }

  send(frame: object | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /**
   * Takes the next frame that fits and skips frames before it. A heartbeat may come at any moment, so it must be asked for.
   * Rejects if the socket closes.
   */
  async next(fits: (frame: AnyFrame) => boolean = ({ tips }) => tips === undefined): Promise<AnyFrame> {
    for (;;) {
      while (this.#read < this.frames.length) {
        const frame = this.frames[this.#read] as AnyFrame;
        this.#read += 1;
        if (fits(frame)) return frame;
      }
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the stream closed first');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
