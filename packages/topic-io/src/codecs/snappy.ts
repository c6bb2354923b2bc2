import { type Codec, lazyLibrary, refuseInflated } from './codec.ts';

/**
 * Snappy in its two framings: the raw one of librdkafka, and that of the library of Xerial, which the Java client and
 * Redpanda write. The latter begins with a name and two version numbers (Redpanda writes them in the other byte order,
 * and nobody looks at them); then come chunks of raw snappy, each with its length before it.
 */
const XERIAL_MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1');
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const LENGTH_BYTES = 4;
/** The buffers of the library's own memory are a ninth as fast: the system hands that out anew each time. */
const OWN_BUFFER = { copyOutputData: true } as const;

const library = lazyLibrary<typeof import('snappy')>('snappy');

export const snappyCodec: Codec = {
  load: () => void library(),
  async compress(bytes) {
    const chunk = await library().compress(bytes, OWN_BUFFER);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeInt32BE(chunk.length);
    return Buffer.concat([XERIAL_HEADER, length, chunk]);
  },
  decompress(bytes) {
    const chunks = isXerial(bytes, 0) ? chunksOf(bytes) : [bytes];
    refuseInflated(chunks.reduce((sum, chunk) => sum + inflatedBytes(chunk), 0));
    const inflated = chunks.map((chunk) => library().uncompressSync(chunk, OWN_BUFFER) as Buffer);
    return inflated.length === 1 ? inflated[0]! : Buffer.concat(inflated);
  },
};

function isXerial(bytes: Buffer, at: number): boolean {
  return bytes.subarray(at, at + XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
}

/** Streams may follow each other, each with a header of its own. */
function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (isXerial(bytes, at)) {
      at += XERIAL_HEADER.length;
      continue;
    }
    const from = at + LENGTH_BYTES;
    if (from > bytes.length) throw new Error('a length is cut off');
    at = from + bytes.readUInt32BE(from - LENGTH_BYTES);
    if (at > bytes.length) throw new Error('a chunk ends behind the batch');
    chunks.push(bytes.subarray(from, at));
  }
  return chunks;
}

/** Reads the size that raw snappy begins with: up to five groups of seven bits. The library allocates that much. */
function inflatedBytes(chunk: Buffer): number {
  let size = 0;
  for (let at = 0; at < 5; at += 1) {
    const byte = chunk[at];
    if (byte === undefined) break;
    size += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return size;
  }
  throw new Error('the size of a chunk cannot be read');
}
