import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What passed a tapped port. */
export interface Passed {
  /** Requests by their status; 0: the connection ended without an answer. */
  readonly byStatus: ReadonlyMap<number, number>;
  readonly requests: number;
  /** Answers of 200 that the sender never got. */
  readonly answersLost: number;
}

export interface TapOptions {
  readonly target: number;
  readonly toLose: readonly number[];
  readonly waitsForIngest: boolean;
}

const REQUEST_HEAD = /(?:POST|GET|HEAD) \/\S* HTTP\/1\.[01]\r\n/g;
const ANSWER_HEAD = /^HTTP\/1\.[01] (\d{3}) /;
/** Longer than the longest first line of a request here. */
const KEPT_LETTERS = 200;
const CONNECT_EVERY_MS = 100;

/**
 * Stands between one sender and ingest, counts requests and answers, and loses some of the answers: the events are stored,
 * the connection is reset, and the sender cannot know. While ingest is down, connections are reset too, or, with
 * `waitsForIngest`, kept until it is back.
 */
export class TappedPort implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #target: number;
  /** The answers of 200 to lose, by their ordinal. */
  readonly #toLose: ReadonlySet<number>;
  readonly #waitsForIngest: boolean;
  readonly #sockets = new Set<Socket>();
  readonly #byStatus = new Map<number, number>();
  #requests = 0;
  #accepted = 0;
  #lost = 0;

  private constructor(server: Server, of: TapOptions) {
    const { port } = server.address() as { port: number };
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
    this.#target = of.target;
    this.#toLose = new Set(of.toLose);
    this.#waitsForIngest = of.waitsForIngest;
    server.on('connection', (socket) => void this.#serve(socket));
  }

  static async start(of: TapOptions): Promise<TappedPort> {
    const server = createServer({ noDelay: true });
    server.listen({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    return new TappedPort(server, of);
  }

  get passed(): Passed {
    return { byStatus: this.#byStatus, requests: this.#requests, answersLost: this.#lost };
  }

  async #serve(sender: Socket): Promise<void> {
    this.#keep(sender);
    const ingest = await this.#connect(sender);
    if (ingest === null) {
      sender.destroy();
      return;
    }
    let unanswered = 0;
    let kept = '';
    sender.on('data', (chunk: Buffer) => {
      const text = kept + chunk.toString('latin1');
      const heads = text.match(REQUEST_HEAD)?.length ?? 0;
      unanswered += heads;
      this.#requests += heads;
      kept = heads === 0 ? text.slice(-KEPT_LETTERS) : '';
      ingest.write(chunk);
    });
    ingest.on('data', (chunk: Buffer) => {
      const status = Number(ANSWER_HEAD.exec(chunk.subarray(0, 16).toString('latin1'))?.[1] ?? 0);
      if (status >= 200) {
        unanswered -= 1;
        this.#count(status);
        if (status === 200 && this.#mustLose()) {
          sender.resetAndDestroy();
          return;
        }
      }
      sender.write(chunk);
    });
    sender.once('close', () => ingest.destroy());
    if (sender.destroyed) ingest.destroy();
    ingest.once('close', () => {
      for (; unanswered > 0; unanswered -= 1) this.#count(0);
      sender.destroy();
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
  }

  async #connect(sender: Socket): Promise<Socket | null> {
    while (!sender.destroyed) {
      const ingest = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
      this.#keep(ingest);
      const [connected] = await Promise.race([
        once(ingest, 'connect').then(() => [true]),
        once(ingest, 'close').then(() => [false]),
      ]).catch(() => [false]);
      if (connected) return ingest;
      if (!this.#waitsForIngest) return null;
      await delay(CONNECT_EVERY_MS);
    }
    return null;
  }

  #count(status: number): void {
    this.#byStatus.set(status, (this.#byStatus.get(status) ?? 0) + 1);
  }

  #mustLose(): boolean {
    this.#accepted += 1;
    if (!this.#toLose.has(this.#accepted)) return false;
    this.#lost += 1;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
