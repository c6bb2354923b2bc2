import * as zlib from 'node:zlib';
import { messageOf } from './error-message.ts';

/** How a writer compresses the records of a batch. The embedded engine stores them as they are. */
export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** The codecs in the order of the numbers that Kafka gives them in the attributes of a batch. */
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** The size that a batch may inflate to. A producer's own batches are a few MiB at most. */
const INFLATED_BYTES_MAX = 128 * 1024 * 1024;
/** Costs a third of the usual level 6 and compresses nearly as well, because the records of a batch are much alike. */
const GZIP_LEVEL = 1;

type Callback = (error: Error | null, result: Buffer) => void;

/** The functions that Node's zlib has from 22.15 and 23.8 on and that its types do not know yet. */
interface Zstd {
  readonly zstdCompress: (bytes: Buffer, callback: Callback) => void;
  readonly zstdDecompressSync: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
}

function isZstd(candidate: Partial<Zstd>): candidate is Zstd {
  return typeof candidate.zstdCompress === 'function' && typeof candidate.zstdDecompressSync === 'function';
}

const zstd = ((library: Partial<Zstd>) => (isZstd(library) ? library : null))(zlib as Partial<Zstd>);

/** Says why this process cannot compress in this way, in a sentence for the operator. Returns null if it can. */
export function compressionFault(compression: Compression): string | null {
  if (compression !== 'zstd' || zstd !== null) return null;
  return `zstd needs Node 22.15 or newer (this is ${process.version}); gzip works with every Node`;
}

/** Returns Kafka's number of the codec. */
export function codecOf(compression: Compression): number {
  return CODECS.indexOf(compression);
}

/** Compresses in a thread of the runtime's pool. */
export function compress(bytes: Buffer, compression: Exclude<Compression, 'none'>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done: Callback = (error, result) => (error === null ? resolve(result) : reject(error));
    switch (compression) {
      case 'gzip':
        return zlib.gzip(bytes, { level: GZIP_LEVEL }, done);
      case 'zstd':
        if (zstd === null) throw new Error(compressionFault(compression) ?? compression);
        return zstd.zstdCompress(bytes, done);
      default: {
        const unreachable: never = compression;
        throw new Error(`unknown compression ${String(unreachable)}`);
      }
    }
  });
}

/** The decompressed bytes, or a message for the operator if they cannot be had. */
export type Inflated = { readonly bytes: Buffer } | { readonly fault: string; readonly cause?: unknown };

/**
 * Decompresses synchronously: a fetch has at most a few of these, and they must stay in order. `codec` is Kafka's
 * number.
 */
export function decompress(bytes: Buffer, codec: number): Inflated {
  const name = CODECS[codec] ?? `the unknown codec ${codec}`;
  try {
    const limits = { maxOutputLength: INFLATED_BYTES_MAX };
    if (name === 'none') return { bytes };
    if (name === 'gzip') return { bytes: zlib.gunzipSync(bytes, limits) };
    if (name === 'zstd' && zstd !== null) return { bytes: zstd.zstdDecompressSync(bytes, limits) };
  } catch (cause) {
    const reason = messageOf(cause);
    return { fault: `is compressed with ${name} and cannot be decompressed: ${reason}`, cause };
  }
  const remedy =
    name === 'zstd'
      ? `run this with Node 22.15 or newer (this is ${process.version})`
      : 'have its producer use gzip or none, or set compression.type=gzip on the topic so that the broker does; ' +
        'docs/operations.md says what to do about those that are already in the log';
  return { fault: `is compressed with ${name}, which this process cannot read: ${remedy}` };
}
