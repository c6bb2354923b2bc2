import { API_VERSION } from '@runlog/schema/documents/openapi';
import { helloQuerySchema } from '@runlog/schema/http/gateway-api';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { originRefusal } from './origins.ts';
import { readQuery } from './read-query.ts';

/**
 * `GET /v1/hello`: whether a page may open streams. The browser hides from a page why its WebSocket was refused, and sends
 * no Origin with what the page fetches from its own server, so the page names its origin.
 */
export function addHelloRoute(server: FastifyInstance, allowedOrigins: readonly string[]): void {
  server.get('/v1/hello', (request, reply) => {
    const { origin = request.headers.origin } = readQuery(helloQuerySchema, request.query);
    const refusal = originRefusal({ origin, host: request.headers.host }, allowedOrigins);
    if (refusal !== null) throw new HttpFault('forbidden', refusal);
    reply.header('cache-control', 'no-store');
    return { server: `runlog/${API_VERSION}` };
  });
}
