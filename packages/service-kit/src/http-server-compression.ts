import { codingFor, encodeContent } from './content-coding.ts';
import type { FastifyInstance, FastifyReply } from './http-server.ts';

/** A shorter body would not leave in fewer packets. */
const COMPRESSED_BYTES_MIN = 1_024;

/**
 * Compresses every text and JSON answer of at least 1 KiB whose client accepts that. Streams of events are not answers of
 * this kind: their routes write to the connection themselves.
 */
export function addCompression(server: FastifyInstance): void {
  server.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode === 304) addVary(reply, 'Accept-Encoding');
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return done(null, payload);
    const type = String(reply.getHeader('content-type') ?? '');
    if (!/^(application\/json|text\/)/.test(type)) return done(null, payload);
    addVary(reply, 'Accept-Encoding');
    if (reply.hasHeader('content-encoding')) return done(null, payload);
    const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
    if (bytes < COMPRESSED_BYTES_MIN) return done(null, payload);
    const coding = codingFor(request.headers['accept-encoding']);
    if (coding === null) return done(null, payload);
    reply.header('content-encoding', coding).removeHeader('content-length');
    encodeContent(Buffer.from(payload as string), coding).then(
      (encoded) => done(null, encoded),
      (error: Error) => done(error),
    );
  });
}

/** Says that the answer depends on this field of the request, so that no cache gives it to another client. */
export function addVary(reply: FastifyReply, field: string): void {
  const held = reply.getHeader('vary');
  if (held === undefined) reply.header('vary', field);
  else if (!String(held).split(', ').includes(field)) reply.header('vary', `${held}, ${field}`);
}
