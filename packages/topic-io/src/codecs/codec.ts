import { createRequire } from 'node:module';
import { messageOf } from '../error-message.ts';

/** Compresses and decompresses the records of a batch in one of Kafka's ways. */
export interface Codec {
  /** Loads the library of the codec. Throws `CodecMissingError` if this machine has none. */
  readonly load: () => void;
  readonly compress: (bytes: Buffer) => Promise<Buffer>;
  /**
   * Throws if the bytes are broken, or inflate to more than `INFLATED_BYTES_MAX`, whatever sizes their headers claim. It
   * is synchronous: a fetch has at most a few batches, and they must stay in order.
   */
  readonly decompress: (bytes: Buffer) => Buffer;
}

/** The size that a batch may inflate to. A producer's own batches are a few MiB at most. */
export const INFLATED_BYTES_MAX = 128 * 1024 * 1024;

/**
 * This process lacks the library of a codec. That says nothing about the batch: another process reads it, so nobody may
 * pass it.
 */
export class CodecMissingError extends Error {
  constructor(library: string, cause: unknown) {
    super(
      `the library ${library} cannot be loaded on ${process.platform}-${process.arch}, Node ${process.version}: ` +
        `${messageOf(cause)}. Install runlog again for this machine, with its optional dependencies`,
      { cause },
    );
    this.name = 'CodecMissingError';
  }
}

/** Refuses to inflate bytes that are, or claim to be, larger than a batch may be. */
export function refuseInflated(bytes: number): void {
  if (bytes <= INFLATED_BYTES_MAX) return;
  throw new Error(`it inflates to more than ${INFLATED_BYTES_MAX} bytes`);
}

const require = createRequire(import.meta.url);

/**
 * Returns a function that loads a library when it is first needed: most processes read one codec, and one whose library
 * does not exist for this machine must not keep the others from starting.
 */
export function lazyLibrary<Library>(name: string): () => Library {
  let library: Library | undefined;
  return () => {
    try {
      library ??= require(name) as Library;
      return library;
    } catch (cause) {
      throw new CodecMissingError(name, cause);
    }
  };
}
