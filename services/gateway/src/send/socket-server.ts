import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type HttpFaultCode, httpFaultBody, httpFaults } from '@runlog/schema/faults';
import {
  STREAM_AUTH_MS_MAX,
  STREAM_FRAME_BYTES_MAX,
  STREAM_HEARTBEAT_MS,
  STREAM_PONG_MS_MAX,
  STREAM_RECONNECT_MS_MAX,
  STREAM_RECONNECT_MS_MIN,
} from '@runlog/schema/limits';
import { type CloseReason, closeCodes } from '@runlog/schema/stream/close-codes';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import type { Clock } from '@runlog/service-kit/clock';
import { HttpFault } from '@runlog/service-kit/http-server';
import { type AnsweredHosts, hostFault } from '@runlog/service-kit/http-server-hosts';
import type { Logger } from '@runlog/topic-io/logger';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access, Viewer } from '../access.ts';
import { encode, type Hub } from '../fan-out/hub.ts';
import { Session } from '../fan-out/session.ts';
import { originRefusal } from '../http/origins.ts';
import { Outbox } from './outbox.ts';

const TICK_MS = 1_000;
/** The number of ticks over which heartbeats are spread. Each connection has its own second. */
const HEARTBEAT_TICKS = STREAM_HEARTBEAT_MS / TICK_MS;
/** How long a connection may take to close before it is cut. */
const CLOSE_MS_MAX = 1_000;
/** The window in which connections are closed when draining, so that their clients do not all come back at once. */
const DRAIN_MS_MAX = 3_000;
const DRAIN_MS_PER_CONNECTION = 10;
const SERVER = 'runlog/0.1.0';

interface Connection {
  readonly socket: WebSocket;
  readonly stream: Socket;
  readonly session: Session;
  readonly outbox: Outbox;
  /** The tick of the cycle in which the connection gets its heartbeat. */
  readonly tick: number;
  pingedAtMs: number | null;
  full: boolean;
  closing: boolean;
}

/** `WS /v1/stream`: the only place that knows `ws`. */
export class SocketServer implements AsyncDisposable {
  readonly #sockets: WebSocketServer;
  readonly #options: SocketServerOptions;
  readonly #connections = new Set<Connection>();
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;
  #bytesSentBefore = 0;
  #draining = false;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    const socketOptions = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // The limit here is twice the protocol's, so that a frame that is only somewhat too large gets the protocol's own
      // close code.
      maxPayload: 2 * STREAM_FRAME_BYTES_MAX,
      maxFragments: 64,
      maxBufferedChunks: 1_024,
      closeTimeout: CLOSE_MS_MAX,
      handleProtocols: (offered: Set<string>) =>
        offered.has(STREAM_SUBPROTOCOL) ? STREAM_SUBPROTOCOL : (false as const),
    };
    this.#sockets = new WebSocketServer(socketOptions);
    options.server.on('upgrade', this.#upgrade);
    this.#stopListening = options.access.onChange(() => this.#recheckKeys());
  }

  /** The number of connections, and of those whose queue is full. */
  get load(): { open: number; lagging: number } {
    let lagging = 0;
    for (const { full } of this.#connections) if (full) lagging += 1;
    return { open: this.#connections.size, lagging };
  }

  /** The bytes written to all connections since the start, framing included. */
  get bytesSent(): number {
    let bytes = this.#bytesSentBefore;
    for (const { stream } of this.#connections) bytes += stream.bytesWritten;
    return bytes;
  }

  /** Ends every connection. The clients come back and resume. */
  closeAll(reason: CloseReason): void {
    for (const connection of this.#connections) this.#close(connection, reason);
  }

  /**
   * Tells every client, closes each connection at a random time within a short window, and then cuts those that have
   * not closed.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining = true;
    const { clock, random } = this.#options;
    const windowMs = Math.min(DRAIN_MS_MAX, this.#connections.size * DRAIN_MS_PER_CONNECTION);
    await Promise.all(
      [...this.#connections].map(
        (connection) =>
          new Promise<void>((resolve) => {
            connection.outbox.push(encode({ drain: { within_ms: windowMs } }));
            connection.socket.once('close', () => resolve());
            clock.after(random() * windowMs, () => this.#close(connection, 'draining'));
          }),
      ),
    );
    this.#options.server.off('upgrade', this.#upgrade);
    this.#stopListening();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#sockets.close();
  }

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const { allowedOrigins, answeredHosts } = this.#options;
    const hub = this.#draining ? null : this.#options.hub();
    const misdirected = hostFault(request, answeredHosts);
    const refusedOrigin = originRefusal(request.headers, allowedOrigins);
    if (misdirected !== null) {
      refuse(socket, misdirected.code, misdirected.message);
    } else if (request.url?.split('?')[0] !== STREAM_PATH) {
      refuse(socket, 'not_found', `the stream is at ${STREAM_PATH}`);
    } else if (refusedOrigin !== null) {
      refuse(socket, 'forbidden', refusedOrigin);
    } else if (hub === null) {
      if (this.#draining) refuse(socket, 'closing', 'this gateway is closing');
      else refuse(socket, 'not_ready', 'this gateway is still reading the log');
    } else {
      const viewer = this.#viewerOf(request);
      if (viewer instanceof HttpFault) {
        refuse(socket, viewer.code, viewer.message);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.#open(webSocket, { stream: socket as Socket, hub, viewer }),
      );
    }
  };

  /** Returns the viewer by the header, if there is one. Null means that the first frame will show a key. */
  #viewerOf(request: IncomingMessage): Viewer | null | HttpFault {
    const { access } = this.#options;
    if (!access.isOpen && request.headers.authorization === undefined) return null;
    try {
      return access.viewerOfRequest(request);
    } catch (error) {
      if (error instanceof HttpFault) return error;
      throw error;
    }
  }

  /**
   * Closes the connections of revoked keys, and of keys that now show other runs, whose clients must subscribe anew.
   */
  #recheckKeys(): void {
    for (const connection of this.#connections) {
      const standing = connection.session.viewer?.standing() ?? 'current';
      if (standing === 'revoked') this.#close(connection, 'bad_key');
      else if (standing === 'changed') this.#close(connection, 'server_error');
    }
  }

  #open(
    socket: WebSocket,
    { stream, hub, viewer }: { stream: Socket; hub: Hub; viewer: Viewer | null },
  ): void {
    const { access, clock, logger } = this.#options;
    const outbox = new Outbox({
      sink: {
        send: (message, written) => socket.send(message, { binary: false, compress: false }, () => written()),
        get bufferedBytes() {
          return socket.bufferedAmount;
        },
      },
      clock,
      defer: setImmediate,
      on: {
        full: () => {
          connection.full = true;
          // We stop reading from a client that has stopped reading. Otherwise its requests would queue answers without
          // end.
          socket.pause();
        },
        drained: () => {
          connection.full = false;
          connection.pingedAtMs = null;
          socket.resume();
          session.drained();
        },
        stuck: () => this.#close(connection, 'slow_client'),
        sent: this.#options.onSent,
      },
    });
    const session = new Session({
      ...{ hub, outlet: outbox, clock },
      auth: { ...access, viewer, onRefused: () => this.#close(connection, 'bad_key') },
    });
    const tick = this.#ticks % HEARTBEAT_TICKS;
    const connection: Connection = {
      socket,
      stream,
      session,
      outbox,
      tick,
      pingedAtMs: null,
      full: false,
      closing: false,
    };
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    const cancelAuth =
      viewer !== null
        ? () => undefined
        : clock.after(STREAM_AUTH_MS_MAX, () => {
            if (session.viewer === null) this.#close(connection, 'no_auth');
          });

    socket.on('message', (data: Buffer, isBinary) => {
      if (connection.closing) return;
      connection.pingedAtMs = null;
      if (data.length > STREAM_FRAME_BYTES_MAX) this.#close(connection, 'frame_too_large');
      else if (isBinary) session.receiveBinary();
      else session.receive(data.toString('utf8'));
    });
    socket.on('pong', () => {
      connection.pingedAtMs = null;
    });
    // Only the close that follows matters. A client that breaks the framing is not a fault of ours.
    socket.on('error', (error) => logger.debug({ err: error }, 'a stream connection broke'));
    socket.on('close', () => {
      this.#connections.delete(connection);
      this.#bytesSentBefore += stream.bytesWritten;
      cancelAuth();
      outbox.dispose();
      session.dispose();
      if (this.#connections.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    });
    outbox.push(
      encode({
        hello: {
          server: SERVER,
          heartbeat_ms: STREAM_HEARTBEAT_MS,
          reconnect: { min_ms: STREAM_RECONNECT_MS_MIN, max_ms: STREAM_RECONNECT_MS_MAX },
        },
      }),
    );
  }

  /**
   * Is run by one timer for all connections. Sends heartbeats to those whose second it is, and ends those that do not
   * answer.
   */
  #tick(): void {
    this.#ticks += 1;
    const nowMs = this.#options.clock.now();
    for (const connection of this.#connections) {
      // A ping that cannot be written cannot be answered, and a full queue has its own timeout.
      if (connection.full || connection.closing) continue;
      if (connection.pingedAtMs !== null && nowMs - connection.pingedAtMs > STREAM_PONG_MS_MAX) {
        this.#close(connection, 'no_pong');
      } else if (connection.tick === this.#ticks % HEARTBEAT_TICKS) {
        connection.session.heartbeat();
        connection.pingedAtMs = nowMs;
        connection.socket.ping();
      }
    }
  }

  #close(connection: Connection, reason: CloseReason): void {
    const { socket, outbox, session } = connection;
    if (connection.closing) return;
    connection.closing = true;
    if (!connection.full) outbox.flush();
    outbox.dispose();
    session.dispose();
    // A paused socket would never see the other side's close.
    socket.resume();
    socket.close(closeCodes[reason].close, reason);
  }
}

export interface SocketServerOptions {
  readonly server: Server;
  /** Returns null until the feed has caught up. */
  readonly hub: () => Hub | null;
  readonly allowedOrigins: readonly string[];
  readonly answeredHosts: AnsweredHosts;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Is called with the number of frames of each batch that is handed to a connection. */
  readonly onSent: (frames: number) => void;
}

function refuse(socket: Duplex, code: HttpFaultCode, message: string): void {
  const { status } = httpFaults[code];
  const text = JSON.stringify(httpFaultBody(code, message));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    ...(status === 503 ? ['retry-after: 1'] : []),
    ...(status === 401 ? ['www-authenticate: Bearer realm="runlog"'] : []),
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}
