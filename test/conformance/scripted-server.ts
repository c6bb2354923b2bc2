import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { httpFaultBody } from '@runlog/schema/faults';
import { STREAM_FRAME_BYTES_MAX } from '@runlog/schema/limits';
import { parseClientFrame } from '@runlog/schema/stream/client-frames';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import { parseSubscription } from '@runlog/schema/stream/subscriptions';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Frame } from './expand-frame.ts';
import { type ScriptedHistory, sendJson } from './scripted-history.ts';

/** What the server hands out beside the protocol, by path: a page that is the client, for example. */
export type Pages = ReadonlyMap<string, { readonly type: string; readonly body: string }>;

interface Attempt {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/**
 * A server that does nothing by itself: it holds what clients do until a step takes it. It answers pings and acks, which
 * a client may send at any time, and it notes what no client may do.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly history: ScriptedHistory;
  readonly faults: string[] = [];
  /** Connections that were asked for and that no step has taken. */
  readonly attempts: Attempt[] = [];
  key: string | null = null;
  readonly #http: Server;
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(STREAM_SUBPROTOCOL) ? STREAM_SUBPROTOCOL : false),
  });
  readonly #pages: Pages;
  readonly #changed: () => void;
  readonly #connections: ScriptedConnection[] = [];

  private constructor(options: { history: ScriptedHistory; pages: Pages; changed: () => void }) {
    this.history = options.history;
    this.#pages = options.pages;
    this.#changed = options.changed;
    this.#http = createServer((request, response) => this.#respond(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#asked({ request, socket, head }));
  }

  /** `changed` is called after everything that a client did. */
  static async start(options: {
    history: ScriptedHistory;
    pages: Pages;
    changed: () => void;
  }): Promise<ScriptedServer> {
    const server = new ScriptedServer(options);
    server.#http.listen({ port: 0, host: '127.0.0.1' });
    await once(server.#http, 'listening');
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get streamUrl(): string {
    return `${this.origin.replace('http', 'ws')}${STREAM_PATH}`;
  }

  /** The newest connection. */
  get connection(): ScriptedConnection {
    const newest = this.#connections.at(-1);
    if (newest === undefined) throw new Error('no step has accepted a connection yet');
    return newest;
  }

  get hasOpenConnection(): boolean {
    return this.#connections.at(-1)?.isOpen ?? false;
  }

  /** Frames that no step has taken. */
  get framesLeft(): readonly Frame[] {
    return this.#connections.flatMap(({ received }) => received);
  }

  /** Accepts the oldest attempt. */
  async accept(): Promise<ScriptedConnection> {
    const { request, socket, head } = this.attempts.shift()!;
    const accepted = await new Promise<WebSocket>((resolve) => {
      this.#upgrades.handleUpgrade(request, socket, head, resolve);
    });
    const connection = new ScriptedConnection(accepted, {
      bearer: bearerOf(request),
      faults: this.faults,
      changed: this.#changed,
    });
    this.#connections.push(connection);
    return connection;
  }

  /** Answers the oldest attempt with a status of HTTP. */
  refuse(status: number): void {
    const { socket } = this.attempts.shift()!;
    socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.history.release();
    for (const connection of this.#connections) connection.drop();
    for (const { socket } of this.attempts) socket.destroy();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #asked(attempt: Attempt): void {
    const { request, socket } = attempt;
    const url = new URL(request.url ?? '/', this.origin);
    const offered = request.headers['sec-websocket-protocol']?.split(/, */) ?? [];
    if (url.pathname !== STREAM_PATH) this.faults.push(`a connection was asked for at ${url.pathname}`);
    if (url.search !== '') this.faults.push(`the address of the stream had a query: ${url.search}`);
    if (!offered.includes(STREAM_SUBPROTOCOL)) this.faults.push(`the subprotocol was not offered`);
    socket.on('error', () => undefined);
    this.attempts.push(attempt);
    this.#changed();
  }

  #respond(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', this.origin);
    const page = this.#pages.get(pathname);
    if (page !== undefined) {
      response.writeHead(200, { 'content-type': page.type });
      response.end(page.body);
    } else if (!/^\/v1\/runs\/[^/]+\/[^/]+\/[^/]+\/events$/.test(pathname)) {
      sendJson(response, 404, httpFaultBody('not_found', pathname));
    } else if (this.key !== null && bearerOf(request) !== this.key) {
      this.faults.push('history was asked for without the key');
      sendJson(response, 401, httpFaultBody('unauthorized', 'no key'));
    } else {
      this.history.respond(request, response);
    }
    this.#changed();
  }
}

/** One accepted connection. Frames wait in `received` until a step takes them. */
export class ScriptedConnection {
  readonly received: Frame[] = [];
  /** The key of the handshake's header. */
  readonly bearer: string | null;
  readonly #socket: WebSocket;
  #isOpen = true;

  constructor(socket: WebSocket, options: { bearer: string | null; faults: string[]; changed: () => void }) {
    this.#socket = socket;
    this.bearer = options.bearer;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isOpen = false;
      options.changed();
    });
    socket.on('message', (data: Buffer) => {
      if (data.length > STREAM_FRAME_BYTES_MAX) options.faults.push(`a message has ${data.length} bytes`);
      for (const line of data.toString('utf8').split('\n')) this.#take(line, options.faults);
      options.changed();
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Frames of one message are separated by newlines. */
  send(...frames: readonly Frame[]): void {
    this.sendText(frames.map((frame) => JSON.stringify(frame)).join('\n'));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  close(code: number): void {
    this.#socket.close(code, 'as the scenario says');
  }

  /** Cuts the connection without a close frame. */
  drop(): void {
    this.#isOpen = false;
    this.#socket.terminate();
  }

  /** Reads and writes nothing any more: not even a close frame is answered. */
  freeze(): void {
    this.#isOpen = false;
    this.#socket.pause();
  }

  #take(line: string, faults: string[]): void {
    let frame: Frame;
    try {
      frame = JSON.parse(line) as Frame;
    } catch {
      faults.push(`the client sent what is not JSON: ${line.slice(0, 200)}`);
      return;
    }
    const request = parseClientFrame(frame);
    const fault = faultOf(request);
    if (fault !== null) faults.push(`the gateway refuses ${line.slice(0, 200)}: ${fault}`);
    else if (request.verb === 'ping') this.send({ id: request.frame.id, pong: true });
    else this.received.push(frame);
  }
}

/** Returns why the gateway would refuse a frame or an item of it. */
function faultOf(request: ReturnType<typeof parseClientFrame>): string | null {
  if (request.verb === 'fault') return request.message;
  if (request.verb !== 'sub') return null;
  const refused = request.frame.sub.map(parseSubscription).find((item) => item.kind === 'fault');
  return refused?.message ?? null;
}

function bearerOf(request: IncomingMessage): string | null {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? null;
}
