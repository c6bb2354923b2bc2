import { type FastifyReply, type FastifyRequest, sendFault } from '@runlog/service-kit/http-server';
import { addVary } from '@runlog/service-kit/http-server-compression';
import { isListed, originRefusal, unlistedOrigin } from './origins.ts';

/** How long a browser may keep the answer to a preflight. No browser keeps it for longer than a day, Chromium for two hours. */
const PREFLIGHT_SECONDS = 7_200;

const preflightAnswer = {
  'access-control-allow-methods': 'GET, HEAD, POST',
  // A `*` would not include Authorization.
  'access-control-allow-headers': 'Authorization, Content-Type, If-None-Match, Last-Event-ID',
  'access-control-max-age': String(PREFLIGHT_SECONDS),
};

/**
 * Lets pages of the allowed origins read what the gateway answers, errors too, and answers their preflights. A page of
 * another origin cannot read anything: its browser keeps the answer from it, and its preflights get 403. Keys come in a
 * header that a page must set itself, never in a cookie, so no page can use the key of another. A POST can do without a
 * preflight and without a key, and a verification costs work, so a POST of any other origin is refused too.
 */
export function answerOrigins(
  allowed: readonly string[],
): (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined {
  const isForAll = allowed.includes('*');
  return (request, reply) => {
    const { origin } = request.headers;
    if (isForAll) reply.header('access-control-allow-origin', '*');
    else if (allowed.length > 0) addVary(reply, 'Origin');
    if (origin === undefined) return undefined;
    const mayRead = isListed(origin, allowed);
    if (mayRead) {
      if (!isForAll) reply.header('access-control-allow-origin', origin);
      reply.header('access-control-expose-headers', 'ETag, Retry-After');
    }
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    if (request.method === 'POST') {
      const refusal = originRefusal(request.headers, allowed);
      return refusal === null ? undefined : sendFault(reply, 'forbidden', refusal);
    }
    if (!isPreflight) return undefined;
    if (!mayRead) return sendFault(reply, 'forbidden', unlistedOrigin(origin));
    return reply.code(204).headers(preflightAnswer).send();
  };
}
