import * as zlib from 'node:zlib';
import { type Codec, CodecMissingError, INFLATED_BYTES_MAX, lazyLibrary, refuseInflated } from './codec.ts';

type Callback = (error: Error | null, result: Buffer) => void;

/** The functions that Node's zlib has from 22.15 and 23.8 on and that its types do not know yet. */
interface NodeZstd {
  readonly zstdCompress: (bytes: Buffer, callback: Callback) => void;
  readonly zstdDecompressSync: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
}

function isNodeZstd(candidate: Partial<NodeZstd>): candidate is NodeZstd {
  return typeof candidate.zstdCompress === 'function' && typeof candidate.zstdDecompressSync === 'function';
}

/** A codec whose library has to be started once before it is used. */
interface StartedCodec extends Codec {
  readonly start: () => Promise<void>;
}

function byNode({ zstdCompress, zstdDecompressSync }: NodeZstd): StartedCodec {
  return {
    load: () => undefined,
    start: async () => undefined,
    compress: (bytes) =>
      new Promise((resolve, reject) => {
        zstdCompress(bytes, (error, result) => (error === null ? resolve(result) : reject(error)));
      }),
    decompress: (bytes) => zstdDecompressSync(bytes, { maxOutputLength: INFLATED_BYTES_MAX }),
  };
}

const LIBRARY = '@bokuweb/zstd-wasm';
/** At the library's usual level 3 it would hold up the event loop for four times as long, for a sixth less bytes. */
const LEVEL = 1;
const MAGIC = 0xfd2fb528;
/** The first guess for a frame that does not say its size: telemetry shrinks to a fifth or less. */
const GUESSED_RATIO = 16;
const GUESSED_BYTES_MIN = 1024 * 1024;
const TOO_SMALL = /-70$/;

/** The library is one for the whole process. To start it again would take its memory from under those who use it. */
let starting: Promise<void> | null = null;

/** Zstandard's own library as WebAssembly, for Node without zstd. It works in the event loop. */
export function byWebAssembly(): StartedCodec {
  const load = lazyLibrary<typeof import('@bokuweb/zstd-wasm')>(LIBRARY);
  let isStarted = false;
  const library = () => {
    if (!isStarted) throw new CodecMissingError(LIBRARY, 'it was not started');
    return load();
  };
  return {
    load: () => void load(),
    async start() {
      starting ??= load().init();
      await starting;
      isStarted = true;
    },
    compress: async (bytes) => asBuffer(library().compress(bytes, LEVEL)),
    decompress(bytes) {
      const declared = declaredBytes(bytes);
      // It writes to wherever it was told to, and fails if that is too small. What a frame declares is checked before.
      if (declared !== null) refuseInflated(declared);
      const guessed = Math.min(Math.max(bytes.length * GUESSED_RATIO, GUESSED_BYTES_MIN), INFLATED_BYTES_MAX);
      const inflate = (defaultHeapSize: number) => asBuffer(library().decompress(bytes, { defaultHeapSize }));
      try {
        return inflate(guessed);
      } catch (error) {
        if (declared !== null || !(error instanceof Error && TOO_SMALL.test(error.message))) throw error;
        return inflate(INFLATED_BYTES_MAX);
      }
    },
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the size that a frame says it inflates to. Returns null if it does not say. Throws if it is no frame. */
function declaredBytes(bytes: Buffer): number | null {
  const descriptorAt = 4;
  const descriptor = bytes[descriptorAt];
  if (descriptor === undefined || bytes.readUInt32LE(0) !== MAGIC) throw new Error('it is no zstd frame');
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const at = descriptorAt + 1 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  if (at + sizeBytes > bytes.length) throw new Error('the zstd frame is cut off');
  if (sizeBytes === 0) return null;
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(at));
  return bytes.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}

export const zstdCodec: StartedCodec = ((library: Partial<NodeZstd>) =>
  isNodeZstd(library) ? byNode(library) : byWebAssembly())(zlib as Partial<NodeZstd>);
