import { streamAsyncApi } from '@runlog/schema/documents/asyncapi';
import { gatewayOpenApi } from '@runlog/schema/documents/openapi-gateway';
import { STREAM_PATH } from '@runlog/schema/stream/subprotocol';
import type { Clock } from '@runlog/service-kit/clock';
import { createHttpServer, HttpFault, listen, routesOf } from '@runlog/service-kit/http-server';
import { addCompression } from '@runlog/service-kit/http-server-compression';
import { addDocsRoutes } from '@runlog/service-kit/http-server-docs';
import type { AnsweredHosts } from '@runlog/service-kit/http-server-hosts';
import type { ServedRoute } from '@runlog/service-kit/http-server-methods';
import { staticContent } from '@runlog/service-kit/http-server-static';
import type { PinoLogger } from '@runlog/service-kit/logger';
import { addMetricsRoute } from '@runlog/service-kit/metrics';
import type { Access } from '../access.ts';
import { encode } from '../fan-out/encoded-frame.ts';
import type { Hub } from '../fan-out/hub.ts';
import { createGatewayMetrics } from '../gateway-metrics.ts';
import type { FeedView } from '../read/feed.ts';
import type { RunsAtHand } from '../read/runs-at-hand.ts';
import { Connections } from '../send/connections.ts';
import { SocketServer } from '../send/socket-server.ts';
import { addEventStreamRoutes } from '../send/sse.ts';
import { answerOrigins } from './cors.ts';
import { addHelloRoute } from './hello.ts';
import { addRestRoutes } from './rest.ts';
import { addTokenRoute } from './tokens.ts';
import { addPageRoutes } from './web-bundle.ts';

/** The largest body is a request for a token. */
const BODY_BYTES_MAX = 1_024;

/** The sources of what the server shows. They are null until the feed has caught up. */
export interface GatewayView extends FeedView {
  readonly hub: () => Hub | null;
  readonly runs: () => RunsAtHand | null;
  readonly notReadyBecause: () => string | null;
}

export interface GatewayServer extends AsyncDisposable {
  readonly url: string;
  readonly routes: readonly ServedRoute[];
  readonly connections: Connections;
}

/**
 * Listens, with every route and the stream. Disposing closes the streams within `drainMs` and some 2 s, then the server
 * within another second, whatever the clients do.
 */
export async function serveGateway(options: {
  at: { host: string; port: number };
  allowedOrigins: readonly string[];
  answeredHosts: AnsweredHosts;
  /** Origins whose pages may show this page in a frame; `*` means any. */
  embedOrigins: readonly string[];
  /** The most streams, of all transports. */
  connectionsMax: number;
  /** The longest window over which streams are closed. */
  drainMs: number;
  /** Where viewers can publish; null while it is not known. */
  ingestUrl: () => string | null;
  access: Access;
  view: GatewayView;
  clock: Clock;
  random: () => number;
  logger: PinoLogger;
}): Promise<GatewayServer> {
  const { view, access, clock, logger } = options;
  let closing = false;
  const server = createHttpServer({
    logger,
    health: { notReadyBecause: () => (closing ? 'closing' : view.notReadyBecause()), feed: view.health },
    bodyBytesMax: BODY_BYTES_MAX,
    answeredHosts: options.answeredHosts,
    first: answerOrigins(options.allowedOrigins),
  });
  addCompression(server);
  addHelloRoute(server, { allowedOrigins: options.allowedOrigins, ingestUrl: options.ingestUrl, clock });
  addRestRoutes(server, {
    ...{ runs: view.runs, access, clock },
    watching: (key) => connections.watching(key),
  });
  addTokenRoute(server, { access, clock });
  server.get(STREAM_PATH, { exposeHeadRoute: false }, () => {
    throw new HttpFault('not_found', `${STREAM_PATH} accepts only requests for a WebSocket`);
  });
  const metrics = createGatewayMetrics({
    connections: () => connections.load,
    bytesSent: () => connections.bytesSent,
    hub: view.hub,
    runs: () => view.runs()?.states.size ?? 0,
    feed: view,
  });
  addMetricsRoute(server, { registry: metrics.registry, allow: access.requireKey });
  const connections = new Connections({
    ...{ access, clock, logger },
    random: options.random,
    connectionsMax: options.connectionsMax,
    drainMs: options.drainMs,
    onSent: metrics.sent,
  });
  const stopTelling = tellOfFeed(connections, view);
  addEventStreamRoutes(server, { hub: view.hub, access, connections });
  const sockets = new SocketServer({
    server: server.server,
    connections,
    hub: view.hub,
    allowedOrigins: options.allowedOrigins,
    answeredHosts: options.answeredHosts,
    access,
    logger,
  });
  addDocsRoutes(server, gatewayOpenApi);
  const asyncApi = staticContent({
    type: 'application/json; charset=utf-8',
    body: JSON.stringify(streamAsyncApi),
  });
  server.get('/asyncapi.json', (request, reply) => asyncApi.send(request, reply));
  await addPageRoutes(server, options.embedOrigins);
  const url = await listen(server, options.at);
  return {
    url,
    routes: routesOf(server),
    connections,
    async [Symbol.asyncDispose]() {
      closing = true;
      await connections.drain();
      stopTelling();
      sockets[Symbol.dispose]();
      await server.close();
    },
  };
}

/** Tells every client when the log stops answering and when it is back, also those that come in between. */
function tellOfFeed(connections: Connections, feed: FeedView): () => void {
  connections.onOpen((connection) => {
    const state = feed.state();
    if (state.state === 'stalled') connection.push(encode({ feed: state }));
  });
  return feed.onState((state) => connections.broadcast(encode({ feed: state })));
}
