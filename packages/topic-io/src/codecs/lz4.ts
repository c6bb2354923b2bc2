import { type Codec, lazyLibrary, refuseInflated } from './codec.ts';

/**
 * LZ4 in its frame format, as all Kafka clients write it for batches of magic 2. Their frames differ in what is optional:
 * sizes of blocks, checksums, the size of the content, blocks that refer to earlier ones.
 */
const MAGIC = 0x184d2204;
/** Flags, the largest size of a block and a checksum, with what is optional before the checksum. */
const DESCRIPTOR_AT = 4;
const DESCRIPTOR_BYTES = 3;
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
const CHECKSUM_BYTES = 4;
const LENGTH_BYTES = 4;
const STORED = 0x8000_0000;
/** A byte of an LZ4 block stands for at most so many bytes. */
const RATIO_MAX = 255;

const library = lazyLibrary<typeof import('lz4-napi')>('lz4-napi');

export const lz4Codec: Codec = {
  load: () => void library(),
  compress: (bytes) => library().compressFrame(bytes),
  decompress: (bytes) => library().decompressFrameSync(boundedFrame(bytes)),
};

/**
 * Walks the lengths of the first frame and returns its bytes. The library has no bound, so a frame is refused whose
 * blocks may inflate to too much. All blocks but the last are full, so that is known to within one block.
 */
function boundedFrame(bytes: Buffer): Buffer {
  if (bytes.length < DESCRIPTOR_AT + DESCRIPTOR_BYTES || bytes.readUInt32LE(0) !== MAGIC)
    throw new Error('it is no LZ4 frame');
  const flags = bytes[DESCRIPTOR_AT]!;
  if ((flags & VERSION_MASK) !== VERSION) throw new Error('the LZ4 frame has an unknown version');
  const blockBytesMax = 2 ** (8 + 2 * ((bytes[DESCRIPTOR_AT + 1]! >> 4) & 7));
  const afterBlock = flags & BLOCK_CHECKSUM ? CHECKSUM_BYTES : 0;
  let at = DESCRIPTOR_AT + DESCRIPTOR_BYTES + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0);
  let inflatedMax = 0;
  for (;;) {
    if (at + LENGTH_BYTES > bytes.length) throw new Error('the LZ4 frame is cut off');
    const length = bytes.readUInt32LE(at);
    at += LENGTH_BYTES;
    if (length === 0) break;
    const blockBytes = length % STORED;
    inflatedMax += Math.min(blockBytesMax, length < STORED ? blockBytes * RATIO_MAX : blockBytes);
    at += blockBytes + afterBlock;
  }
  refuseInflated(inflatedMax);
  return bytes.subarray(0, at + (flags & CONTENT_CHECKSUM ? CHECKSUM_BYTES : 0));
}
