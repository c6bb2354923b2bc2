import { type ContentCoding, codingFor, encodeContent } from './content-coding.ts';
import { contentHash, entityTag, isHeldBy } from './entity-tag.ts';
import type { FastifyReply, FastifyRequest } from './http-server.ts';
import { addVary } from './http-server-compression.ts';

/** Content that is the same for as long as the process lives. */
export interface StaticContent {
  /** Answers with the content, compressed if the client accepts that, or with 304 if the client holds it. */
  send(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply>;
}

export function staticContent(of: {
  type: string;
  body: string;
  /** `no-cache` lets a client keep the content and ask each time whether it is still the same. */
  cacheControl?: string;
  headers?: Readonly<Record<string, string>>;
}): StaticContent {
  const body = Buffer.from(of.body);
  const tag = entityTag(contentHash(body));
  /** Each coding is made once, when somebody wants it first. */
  const encoded = new Map<ContentCoding, Promise<Buffer>>();
  return {
    async send(request, reply) {
      reply
        .headers({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', ...of.headers })
        .header('cache-control', of.cacheControl ?? 'no-cache')
        .header('etag', tag);
      addVary(reply, 'Accept-Encoding');
      if (isHeldBy(request.headers['if-none-match'], tag)) return reply.code(304).send();
      reply.type(of.type);
      const coding = codingFor(request.headers['accept-encoding']);
      if (coding === null) return reply.send(body);
      let content = encoded.get(coding);
      if (content === undefined) {
        content = encodeContent(body, coding);
        encoded.set(coding, content);
      }
      return reply.header('content-encoding', coding).send(await content);
    },
  };
}
