import { streamAsyncApi } from '@runlog/schema/documents/asyncapi';
import { gatewayOpenApi } from '@runlog/schema/documents/openapi-gateway';
import { STREAM_PATH } from '@runlog/schema/stream/subprotocol';
import type { Clock } from '@runlog/service-kit/clock';
import { createHttpServer, HttpFault, listen, routesOf } from '@runlog/service-kit/http-server';
import { addDocsRoutes } from '@runlog/service-kit/http-server-docs';
import type { AnsweredHosts } from '@runlog/service-kit/http-server-hosts';
import type { ServedRoute } from '@runlog/service-kit/http-server-methods';
import type { PinoLogger } from '@runlog/service-kit/logger';
import { addMetricsRoute } from '@runlog/service-kit/metrics';
import type { Access } from '../access.ts';
import type { Hub } from '../fan-out/hub.ts';
import { createGatewayMetrics } from '../gateway-metrics.ts';
import type { RunsAtHand } from '../read/runs-at-hand.ts';
import { SocketServer } from '../send/socket-server.ts';
import { addStreamRoute } from '../send/sse.ts';
import { addRestRoutes } from './rest.ts';
import { addPageRoutes } from './web-bundle.ts';

/** A gateway accepts no bodies. */
const BODY_BYTES_MAX = 1_024;

/** How long a closing server waits for answers that are being sent. */
const FINISH_MS_MAX = 1_000;

/** The sources of what the server shows. They are null until the feed has caught up. */
export interface GatewayView {
  readonly hub: () => Hub | null;
  readonly runs: () => RunsAtHand | null;
  readonly notReadyBecause: () => string | null;
}

export interface GatewayServer extends AsyncDisposable {
  readonly url: string;
  readonly routes: readonly ServedRoute[];
  /** Ends every stream, because the hub that fed them is gone. Their clients come back and resume. */
  endStreams(): void;
}

/** Listens, with every route and the stream. Disposing closes the streams within some 3 s, then the server. */
export async function serveGateway(options: {
  at: { host: string; port: number };
  allowedOrigins: readonly string[];
  answeredHosts: AnsweredHosts;
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
    health: { notReadyBecause: () => (closing ? 'closing' : view.notReadyBecause()) },
    bodyBytesMax: BODY_BYTES_MAX,
    answeredHosts: options.answeredHosts,
  });
  addRestRoutes(server, { runs: view.runs, access, clock });
  server.get(STREAM_PATH, { exposeHeadRoute: false }, () => {
    throw new HttpFault('not_found', `${STREAM_PATH} accepts only requests for a WebSocket`);
  });
  const streams = addStreamRoute(server, { hub: view.hub, access, clock });
  addDocsRoutes(server, gatewayOpenApi);
  const asyncApi = JSON.stringify(streamAsyncApi);
  server.get('/asyncapi.json', (_request, reply) =>
    reply.type('application/json; charset=utf-8').header('cache-control', 'no-cache').send(asyncApi),
  );
  await addPageRoutes(server);
  const metrics = createGatewayMetrics({
    connections: () => sockets.load,
    bytesSent: () => sockets.bytesSent,
    eventStreams: streams.open,
    hub: view.hub,
    runs: () => view.runs()?.states.size ?? 0,
  });
  addMetricsRoute(server, { registry: metrics.registry, allow: access.requireKey });
  const sockets = new SocketServer({
    server: server.server,
    hub: view.hub,
    allowedOrigins: options.allowedOrigins,
    answeredHosts: options.answeredHosts,
    access,
    clock,
    random: options.random,
    logger,
    onSent: metrics.sent,
  });
  const url = await listen(server, options.at);
  return {
    url,
    routes: routesOf(server),
    endStreams() {
      sockets.closeAll('server_error');
      streams.endAll();
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      await sockets[Symbol.asyncDispose]();
      streams.endAll();
      // A browser keeps connections on which it has not sent a request yet. Nothing else would ever close those.
      const cancel = clock.after(FINISH_MS_MAX, () => server.server.closeAllConnections());
      await server.close();
      cancel();
    },
  };
}
