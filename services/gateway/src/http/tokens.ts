import { type TokenAnswer, tokenRequestSchema } from '@runlog/schema/http/tokens-api';
import type { Clock } from '@runlog/service-kit/clock';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import type { Access } from '../access.ts';

/** `POST /v1/tokens`: gives the holder of a view key a token for some runs and a short time. */
export function addTokenRoute(server: FastifyInstance, options: { access: Access; clock: Clock }): void {
  const { access, clock } = options;
  server.post('/v1/tokens', (request, reply): TokenAnswer => {
    access.requireKey(request);
    const parsed = tokenRequestSchema.safeParse(request.body);
    if (!parsed.success) {
      const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
      throw new HttpFault('invalid_body', faults.join('; '));
    }
    const { runs, ttl_ms } = parsed.data;
    const expiresAtMs = clock.now() + ttl_ms;
    const token = access.tokenFor(request, { runs, expiresAtMs });
    reply.header('cache-control', 'no-store');
    return { token, expires_at: new Date(expiresAtMs).toISOString() };
  });
}
