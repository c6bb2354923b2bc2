import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type HttpFaultCode, httpFaultBody, httpFaults } from '@runlog/schema/faults';
import type { FeedHealth, NewerBuild } from '@runlog/schema/http/health';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import { answerBrokenRequest } from './http-server-broken-request.ts';
import { type AnsweredHosts, hostFault } from './http-server-hosts.ts';
import { methodsAt, type ServedRoute } from './http-server-methods.ts';
import type { PinoLogger } from './logger.ts';

export type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** The seconds that a client is asked to wait if nothing better is known. */
export const RETRY_AFTER_SECONDS = 1;

/**
 * A connection on which nothing moves for so long is cut: its client does not read its answer, which is held until then.
 * Streams have a sign of life more often, and no answer takes as long.
 */
const IDLE_MS_MAX = 120_000;

/** How long a closing server waits for answers that are being sent. Then every connection is cut. */
const FINISH_MS_MAX = 1_000;

/** A failure that a route answers with. It may be thrown anywhere below the route. */
export class HttpFault extends Error {
  readonly code: HttpFaultCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: HttpFaultCode,
    message: string,
    options?: { cause?: unknown; retryAfterSeconds?: number },
  ) {
    super(message, options);
    this.name = 'HttpFault';
    this.code = code;
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

export interface Health {
  /** Returns null if the service can do its work, or else says what it is waiting for. */
  readonly notReadyBecause: () => string | null | Promise<string | null>;
  /** How its reading of the log goes. It can be ready although the log does not answer, and says so. */
  readonly feed?: () => FeedHealth;
  /** Returns null unless a newer build has taken over what this one does not do. */
  readonly newerBuild?: () => NewerBuild | null;
}

/**
 * Makes the HTTP server of every service. All errors have one shape, including those of Node and Fastify. A method that
 * a path does not accept gets 405. It serves `/livez` and `/readyz`, and answers 503 while closing. Requests for other
 * hosts than `answeredHosts` get 421; by default any host is answered. A client that ends its side after its request gets
 * its answer. When it stops, idle connections are closed at
 * once, and busy ones after their answer.
 */
export function createHttpServer(options: {
  logger: PinoLogger;
  health: Health;
  bodyBytesMax: number;
  /** How long nothing may move on a connection. */
  idleMsMax?: number;
  answeredHosts?: AnsweredHosts;
  /** Is called with every request for an answered host, before anything else. Its reply, if it sends one, is final. */
  first?: (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined;
}): FastifyInstance {
  const { answeredHosts = null } = options;
  const server = fastify({
    // `hostFault` answers a request without it, in our own shape.
    http: { requireHostHeader: false },
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyBytesMax,
    // We do this below, in our own shape.
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, _request, reply) => {
      const code = error.statusCode === 414 ? 'uri_too_long' : 'bad_request';
      return sendFault(reply as unknown as FastifyReply, code, error.message);
    },
    forceCloseConnections: 'idle',
    requestTimeout: 60_000,
    connectionTimeout: options.idleMsMax ?? IDLE_MS_MAX,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    exposeHeadRoutes: true,
  }) as unknown as FastifyInstance;

  // Some clients end their side with the request (`nc -N`, `shutdown(SHUT_WR)`), and wait for the answer.
  (server.server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;

  const routes: ServedRoute[] = [];
  routesByServer.set(server, routes);
  server.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) routes.push({ method: each, url });
  });

  let isClosing = false;
  const cutAll = trackSockets(server);
  server.addHook('preClose', async () => {
    isClosing = true;
    const timer = setTimeout(cutAll, FINISH_MS_MAX);
    server.server.once('close', () => clearTimeout(timer));
  });
  server.addHook('onRequest', async (request, reply) => {
    const misdirected = hostFault(request.raw, answeredHosts);
    if (misdirected !== null) return sendFault(reply, misdirected.code, misdirected.message);
    const answered = options.first?.(request, reply);
    if (answered !== undefined) return answered;
    if (isClosing) return sendFault(reply, 'closing', 'this service is closing; send this again');
    if (!request.is404) return;
    // This is done here so that a method which no route of any service accepts also gets a list of the accepted ones.
    const allow = methodsAt(routes, request.url.split('?')[0]!).join(', ');
    if (allow === '') return;
    return sendFault(reply.header('allow', allow), 'method_not_allowed', `${pathOf(request)} takes ${allow}`);
  });

  server.get('/livez', () => ({ status: 'live' }));
  server.get('/readyz', async (_request, reply) => {
    const reason = await options.health.notReadyBecause();
    if (reason !== null) return sendFault(reply, 'not_ready', reason);
    const newer_build = options.health.newerBuild?.() ?? null;
    return {
      status: 'ready',
      ...(options.health.feed && { feed: options.health.feed() }),
      ...(newer_build && { newer_build }),
    };
  });
  server.setNotFoundHandler((request, reply) =>
    sendFault(reply, 'not_found', `no ${request.method} ${pathOf(request)} here`),
  );
  server.setErrorHandler((error: unknown, request, reply) => {
    if (error instanceof HttpFault) return sendFault(reply, error.code, error.message, error);
    const known = error as { statusCode?: number; code?: string; message?: string };
    switch (known.statusCode) {
      case 413:
        return sendFault(reply, 'body_too_large', `a body may have at most ${options.bodyBytesMax} bytes`);
      case 415:
        return sendFault(reply, 'unsupported_media_type', known.message ?? 'unsupported content type');
      case 400:
        return sendFault(reply, 'bad_request', known.message ?? 'bad request');
      default:
        request.log.error({ err: error, path: pathOf(request) }, 'request failed');
        return sendFault(reply, 'internal', 'an unexpected fault; the log of the service has the details');
    }
  });
  return server;
}

/**
 * Returns a function that cuts every connection of the server, upgraded ones too. The server waits for all of them when
 * it closes, and some would never end: those that sent no request yet, as browsers open them, and those whose client keeps
 * its side open.
 */
function trackSockets(server: FastifyInstance): () => void {
  const open = new Set<Socket>();
  server.server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}

/** The path as it may be shown and logged: one that holds a key is shown without it. */
function pathOf({ url }: FastifyRequest): string {
  return url.split('?')[0]!.replace(/^(\/v1\/keys\/)[^/]+/, '$1{key}');
}

const routesByServer = new WeakMap<FastifyInstance, readonly ServedRoute[]>();

/** Returns every route that was added to the server. */
export function routesOf(server: FastifyInstance): readonly ServedRoute[] {
  return routesByServer.get(server) ?? [];
}

/** Answers with the fault's status and body, and with Retry-After if a retry can succeed. */
export function sendFault(
  reply: FastifyReply,
  code: HttpFaultCode,
  message: string,
  options: { retryAfterSeconds?: number | undefined } = {},
): FastifyReply {
  const { status, retry } = httpFaults[code];
  if (retry) reply.header('retry-after', String(options.retryAfterSeconds ?? RETRY_AFTER_SECONDS));
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="runlog"');
  return reply.code(status).send(httpFaultBody(code, message));
}

/** Listens and returns the actual address, as a URL that a person can open. */
export async function listen(server: FastifyInstance, at: { host: string; port: number }): Promise<string> {
  await server.listen({ host: at.host, port: at.port });
  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
