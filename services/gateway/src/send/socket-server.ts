import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { httpFaultBody, httpFaults } from '@runlog/schema/faults';
import {
  STREAM_FRAME_BYTES_MAX,
  STREAM_HEARTBEAT_MS,
  STREAM_RECONNECT_MS_MAX,
  STREAM_RECONNECT_MS_MIN,
} from '@runlog/schema/limits';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import { HttpFault, RETRY_AFTER_SECONDS } from '@runlog/service-kit/http-server';
import { type AnsweredHosts, hostFault } from '@runlog/service-kit/http-server-hosts';
import type { Logger } from '@runlog/topic-io/logger';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access, Viewer } from '../access.ts';
import { encode } from '../fan-out/encoded-frame.ts';
import type { Hub } from '../fan-out/hub.ts';
import { originRefusal } from '../http/origins.ts';
import { SLOW_CLOSE_MS_MAX } from './connection.ts';
import type { Connections } from './connections.ts';
import { SocketSink } from './socket-sink.ts';

const hello = encode({
  hello: {
    server: 'runlog/0.1.0',
    heartbeat_ms: STREAM_HEARTBEAT_MS,
    reconnect: { min_ms: STREAM_RECONNECT_MS_MIN, max_ms: STREAM_RECONNECT_MS_MAX },
  },
});

export interface SocketServerOptions {
  readonly server: Server;
  readonly connections: Connections;
  /** Returns null until the feed has caught up. */
  readonly hub: () => Hub | null;
  readonly allowedOrigins: readonly string[];
  readonly answeredHosts: AnsweredHosts;
  readonly access: Access;
  readonly logger: Logger;
}

/** `WS /v1/stream`: accepts WebSockets and makes connections of them. */
export class SocketServer implements Disposable {
  readonly #sockets: WebSocketServer;
  readonly #options: SocketServerOptions;

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
      // The connection cuts sooner.
      closeTimeout: SLOW_CLOSE_MS_MAX,
      handleProtocols: (offered: Set<string>) =>
        offered.has(STREAM_SUBPROTOCOL) ? STREAM_SUBPROTOCOL : (false as const),
    };
    this.#sockets = new WebSocketServer(socketOptions);
    options.server.on('upgrade', this.#upgrade);
  }

  /** Accepts nothing more. Open connections are not touched. */
  [Symbol.dispose](): void {
    this.#options.server.off('upgrade', this.#upgrade);
    this.#sockets.close();
  }

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const admitted = this.#admit(request);
    if (admitted instanceof HttpFault) {
      refuse(socket, admitted);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#open(webSocket, { ...admitted, stream: socket as Socket }),
    );
  };

  /** A viewer of null means that the first frame will show a key. */
  #admit(request: IncomingMessage): { hub: Hub; viewer: Viewer | null } | HttpFault {
    const { access, allowedOrigins, answeredHosts, connections } = this.#options;
    const misdirected = hostFault(request, answeredHosts);
    if (misdirected !== null) return new HttpFault(misdirected.code, misdirected.message);
    const [path, query] = request.url?.split('?') ?? [];
    if (path !== STREAM_PATH) return new HttpFault('not_found', `the stream is at ${STREAM_PATH}`);
    const [parameter] = new URLSearchParams(query).keys();
    if (parameter !== undefined) {
      return new HttpFault('invalid_query', `${STREAM_PATH} takes no parameter "${parameter.slice(0, 64)}"`);
    }
    const refusedOrigin = originRefusal(request.headers, allowedOrigins);
    if (refusedOrigin !== null) return new HttpFault('forbidden', refusedOrigin);
    const refusal = connections.refusal();
    if (refusal !== null) return refusal;
    const hub = this.#options.hub();
    if (hub === null) return new HttpFault('not_ready', 'this gateway is still reading the log');
    if (!access.isOpen && request.headers.authorization === undefined) return { hub, viewer: null };
    try {
      return { hub, viewer: access.viewerOfRequest(request) };
    } catch (error) {
      if (error instanceof HttpFault) return error;
      throw error;
    }
  }

  #open(socket: WebSocket, of: { stream: Socket; hub: Hub; viewer: Viewer | null }): void {
    const { connections, logger } = this.#options;
    const { stream, hub, viewer } = of;
    const sink = new SocketSink(socket, stream);
    const connection = connections.open({ sink, hub, viewer, greeting: hello });
    socket.on('message', (data: Buffer, isBinary) => {
      if (data.length > STREAM_FRAME_BYTES_MAX) connection.close('frame_too_large');
      else if (isBinary) connection.receiveBinary();
      else connection.receive(data.toString('utf8'));
    });
    socket.on('pong', () => connection.answered());
    // Only the close that follows matters. A client that breaks the framing is not a fault of ours.
    socket.on('error', (error) => logger.debug({ err: error }, 'a stream connection broke'));
    stream.on('close', () => connections.ended(connection));
  }
}

function refuse(socket: Duplex, { code, message, retryAfterSeconds = RETRY_AFTER_SECONDS }: HttpFault): void {
  const { status } = httpFaults[code];
  const text = JSON.stringify(httpFaultBody(code, message));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    ...(status === 503 ? [`retry-after: ${retryAfterSeconds}`] : []),
    ...(status === 401 ? ['www-authenticate: Bearer realm="runlog"'] : []),
    'connection: close',
  ];
  // The client may never end its side.
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}
