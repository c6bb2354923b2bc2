import { API_VERSION } from '@runlog/schema/documents/openapi';
import { type Hello, helloQuerySchema } from '@runlog/schema/http/gateway-api';
import type { Clock } from '@runlog/service-kit/clock';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { originRefusal } from './origins.ts';
import { readQuery } from './read-query.ts';

/** The hosts that a server listens on to be reached under all of its addresses. Nobody else can reach it under these. */
const EVERY_ADDRESS = ['0.0.0.0', '[::]'];

/**
 * `GET /v1/hello`: whether a page may open streams, the time here, and where events are published. The browser hides from a
 * page why its WebSocket was refused, and sends no Origin with what the page fetches from its own server, so the page names
 * its origin.
 */
export function addHelloRoute(
  server: FastifyInstance,
  options: { allowedOrigins: readonly string[]; ingestUrl: () => string | null; clock: Pick<Clock, 'now'> },
): void {
  const { allowedOrigins, ingestUrl, clock } = options;
  server.get('/v1/hello', (request, reply): Hello => {
    const { host } = request.headers;
    const { origin = request.headers.origin } = readQuery(helloQuerySchema, request.query);
    const refusal = originRefusal({ origin, host }, allowedOrigins);
    if (refusal !== null) throw new HttpFault('forbidden', refusal);
    reply.header('cache-control', 'no-store');
    return {
      server: `runlog/${API_VERSION}`,
      now: new Date(clock.now()).toISOString(),
      ingest_url: reachable(ingestUrl(), host),
    };
  });
}

/** Returns the address under which the client can reach ingest. On every address it is where the gateway is reached. */
function reachable(ingestUrl: string | null, host: string | undefined): string | null {
  if (ingestUrl === null || host === undefined) return ingestUrl;
  const at = new URL(ingestUrl);
  if (!EVERY_ADDRESS.includes(at.hostname) || !URL.canParse(`http://${host}`)) return ingestUrl;
  at.hostname = new URL(`http://${host}`).hostname;
  return at.href.replace(/\/$/, '');
}
