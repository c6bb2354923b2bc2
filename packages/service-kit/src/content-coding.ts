import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

export type ContentCoding = 'br' | 'gzip';

/** The preferred one comes first: at these levels Brotli takes less time than gzip and leaves fewer bytes. */
const codings: readonly ContentCoding[] = ['br', 'gzip'];
const BROTLI_QUALITY = 4;

/** Chooses by the weights of an Accept-Encoding. Null means that the client wants the bytes as they are. */
export function codingFor(acceptEncoding: string | undefined): ContentCoding | null {
  const weights = new Map<string, number>();
  for (const part of acceptEncoding?.toLowerCase().split(',') ?? []) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2));
    // A weight that is none is no permission.
    if (name !== '') weights.set(name, weight >= 0 && weight <= 1 ? weight : 0);
  }
  const weightOf = (coding: ContentCoding) => weights.get(coding) ?? weights.get('*') ?? 0;
  let chosen: ContentCoding | null = null;
  let best = weights.get('identity') ?? 0;
  for (const coding of codings) {
    const weight = weightOf(coding);
    if (weight === 0 || (chosen === null ? weight < best : weight <= best)) continue;
    chosen = coding;
    best = weight;
  }
  return chosen;
}

const compressGzip = promisify<Buffer, Buffer>(gzip);
const compressBrotli = promisify(brotliCompress);

/** Compresses outside of the event loop. */
export function encodeContent(content: Buffer, coding: ContentCoding): Promise<Buffer> {
  switch (coding) {
    case 'gzip':
      return compressGzip(content);
    case 'br':
      return compressBrotli(content, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
          [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
        },
      });
    default: {
      const unreachable: never = coding;
      throw new Error(`unknown coding ${String(unreachable)}`);
    }
  }
}
