import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { messageOf } from '@runlog/topic-io/error-message';
import type { ByteShare } from './byte-budget.ts';

export type ContentEncoding = 'identity' | 'gzip' | 'deflate';

export const ENCODINGS_ACCEPTED = 'gzip, deflate, identity';

export const SENDER_ENCODINGS_ACCEPTED = `${ENCODINGS_ACCEPTED}`;

/**
 * Reads a Content-Encoding header. Returns null for an unsupported encoding, or for a stack of several. `ofSender` also
 * accepts what senders offer beside.
 */
export function contentEncodingOf(
  header: string | undefined,
  _options: { ofSender?: boolean } = {},
): ContentEncoding | null {
  switch (header?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
      return 'deflate';
    default:
      return null;
  }
}

export type Inflated =
  | { readonly kind: 'complete'; readonly body: Buffer }
  | { readonly kind: 'too_large' | 'overloaded' }
  | { readonly kind: 'damaged'; readonly message: string };

const CHUNK_BYTES = 64 * 1024;

/**
 * Inflates until the end or a limit, whichever comes first, so that a bomb costs no more than the largest valid body.
 */
export async function inflateBody(
  body: Buffer,
  options: { encoding: ContentEncoding; bytesMax: number; share: ByteShare },
): Promise<Inflated> {
  if (options.encoding === 'identity') return { kind: 'complete', body };
  const stream = inflaterOf(body, options.encoding);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    stream.end(body);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > options.bytesMax) return { kind: 'too_large' };
      if (!options.share.grow(chunk.length)) return { kind: 'overloaded' };
      chunks.push(chunk);
    }
  } catch (error) {
    const reason = messageOf(error);
    return { kind: 'damaged', message: `the body is not valid ${options.encoding}: ${reason}` };
  } finally {
    stream.destroy();
  }
  return { kind: 'complete', body: Buffer.concat(chunks, bytes) };
}

function inflaterOf(body: Buffer, encoding: 'gzip' | 'deflate') {
  if (encoding === 'gzip') return createGunzip({ chunkSize: CHUNK_BYTES });
  // "deflate" means zlib's format, but some clients send the raw one. The lower half of the first byte tells them
  // apart.
  const zlibFormat = body.length > 0 && (body[0]! & 0x0f) === 8;
  return zlibFormat
    ? createInflate({ chunkSize: CHUNK_BYTES })
    : createInflateRaw({ chunkSize: CHUNK_BYTES });
}
