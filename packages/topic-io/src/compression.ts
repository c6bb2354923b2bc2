import { type Codec, CodecMissingError } from './codecs/codec.ts';
import { gzipCodec } from './codecs/gzip.ts';
import { lz4Codec } from './codecs/lz4.ts';
import { snappyCodec } from './codecs/snappy.ts';
import { zstdCodec } from './codecs/zstd.ts';
import { messageOf } from './error-message.ts';

/**
 * How a writer compresses the records of a batch, in the order of the numbers that Kafka gives them in the attributes of
 * a batch. The embedded engine stores them as they are.
 */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

const codecs: Readonly<Record<Exclude<Compression, 'none'>, Codec>> = {
  gzip: gzipCodec,
  snappy: snappyCodec,
  lz4: lz4Codec,
  zstd: zstdCodec,
};

/** Has to be called once before anything is compressed or decompressed. A library that is missing is missed when it is needed. */
export async function startCodecs(): Promise<void> {
  await zstdCodec.start().catch(() => undefined);
}

/** Says why this process cannot compress in this way, in a sentence for the operator. Returns null if it can. */
export function compressionFault(compression: Compression): string | null {
  if (compression === 'none') return null;
  try {
    codecs[compression].load();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Returns Kafka's number of the codec. */
export function codecOf(compression: Compression): number {
  return COMPRESSIONS.indexOf(compression);
}

/** Compresses in a thread of the runtime's pool where the codec's library can. */
export function compress(bytes: Buffer, compression: Exclude<Compression, 'none'>): Promise<Buffer> {
  return codecs[compression].compress(bytes);
}

/** The decompressed bytes, or a message for the operator if the bytes are broken. */
export type Inflated = { readonly bytes: Buffer } | { readonly fault: string; readonly cause?: unknown };

/** Decompresses with the codec of Kafka's number. Throws `CodecMissingError` if this process lacks its library. */
export function decompress(bytes: Buffer, codec: number): Inflated {
  const name = COMPRESSIONS[codec];
  if (name === 'none') return { bytes };
  if (name === undefined) return { fault: `is compressed with the unknown codec ${codec}` };
  try {
    return { bytes: codecs[name].decompress(bytes) };
  } catch (cause) {
    if (cause instanceof CodecMissingError) throw cause;
    const reason = messageOf(cause);
    return { fault: `is compressed with ${name} and cannot be decompressed: ${reason}`, cause };
  }
}
