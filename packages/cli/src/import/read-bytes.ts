import { addAbortListener } from 'node:events';
import { open } from 'node:fs/promises';
import { createGunzip, type Gunzip } from 'node:zlib';
import { messageOf } from '@runlog/topic-io/error-message';
import type { ReadingOptions } from './recorded-source.ts';

/** The name of standard input. */
export const STANDARD_INPUT = '-';
const CHUNK_BYTES = 256 * 1024;
/** What is inflated at once: a chunk may become a thousand times as large. */
const DEFLATED_CHUNK_BYTES = 16 * 1024;

/** The rest of a file cannot be read, because its bytes are not what they say they are. */
export class BrokenFileError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'BrokenFileError';
  }
}

/**
 * Reads the text of a file as UTF-8: inflated if it is gzip, and written anew if it is UTF-16, as some shells redirect. Both
 * are known by their first bytes. What a broken file has before the fault is yielded before `BrokenFileError` is thrown.
 */
export async function* readText(path: string, options: ReadingOptions): AsyncGenerator<Buffer> {
  const plain = await Peeked.of(rawChunks(path, options));
  const inflated = isGzip(plain.head) ? await Peeked.of(inflate(plain)) : plain;
  const encoding = encodingOf(inflated.head);
  if (encoding === 'utf-8') yield* withoutMark(inflated);
  else yield* asUtf8(inflated, encoding);
}

async function* rawChunks(path: string, { signal, onBytes }: ReadingOptions): AsyncGenerator<Buffer> {
  if (path === STANDARD_INPUT) {
    // Nobody may be writing there.
    using _ = addAbortListener(signal, () => process.stdin.destroy());
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      onBytes?.(chunk.length);
      yield chunk;
    }
    return;
  }
  const file = await open(path);
  try {
    for (;;) {
      signal.throwIfAborted();
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) return;
      onBytes?.(bytesRead);
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** A stream of chunks whose first bytes can be looked at. */
class Peeked implements AsyncIterable<Buffer> {
  readonly head: Buffer;
  readonly #rest: AsyncGenerator<Buffer>;

  private constructor(head: Buffer, rest: AsyncGenerator<Buffer>) {
    this.head = head;
    this.#rest = rest;
  }

  static async of(chunks: AsyncGenerator<Buffer>): Promise<Peeked> {
    let head: Buffer = Buffer.alloc(0);
    while (head.length < 4) {
      const next = await chunks.next();
      if (next.done === true) break;
      head = Buffer.concat([head, next.value]);
    }
    return new Peeked(head, chunks);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      if (this.head.length > 0) yield this.head;
      yield* this.#rest;
    } finally {
      // Whoever stops at the first bytes has not begun with the rest, which holds the file open.
      await this.#rest.return(undefined);
    }
  }
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Inflates step by step: a stream that fails throws away what it has inflated and nobody has taken yet. */
async function* inflate(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  let ready: Buffer[] = [];
  gunzip.on('data', (chunk: Buffer) => ready.push(chunk));
  // The fault of a step is its own rejection.
  gunzip.on('error', () => undefined);
  const take = () => {
    const taken = ready;
    ready = [];
    return taken;
  };
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += DEFLATED_CHUNK_BYTES) {
        const fault = await step(gunzip, chunk.subarray(at, at + DEFLATED_CHUNK_BYTES));
        yield* take();
        if (fault !== null) throw broken(fault);
      }
    }
    const fault = await step(gunzip, null);
    yield* take();
    if (fault !== null) throw broken(fault);
  } finally {
    gunzip.destroy();
  }
}

/** Inflates a piece, or what is left at the end. Resolves with the fault, or null. */
function step(gunzip: Gunzip, piece: Buffer | null): Promise<Error | null> {
  return new Promise((resolve) => {
    const onError = (error: Error) => resolve(error);
    gunzip.once('error', onError);
    const done = (error?: Error | null) => {
      gunzip.off('error', onError);
      resolve(error ?? null);
    };
    if (piece !== null) gunzip.write(piece, done);
    else {
      gunzip.once('end', () => done());
      gunzip.end();
    }
  });
}

function broken(cause: Error): BrokenFileError {
  const isCutOff = (cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
  const what = isCutOff ? 'ends in the middle' : `is broken (${messageOf(cause)})`;
  return new BrokenFileError(`the gzip file ${what}: what follows cannot be read`, { cause });
}

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** Any event begins with a character of ASCII, of which UTF-16 makes a byte that is 0. */
function encodingOf([first, second]: Buffer): Encoding {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0 && second !== undefined && second !== 0) return 'utf-16be';
  return second === 0 && first !== 0 ? 'utf-16le' : 'utf-8';
}

async function* asUtf8(chunks: AsyncIterable<Buffer>, encoding: Encoding): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding);
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}

async function* withoutMark(chunks: Peeked): AsyncGenerator<Buffer> {
  const { head } = chunks;
  let skip = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  for await (const chunk of chunks) {
    yield chunk.subarray(skip);
    skip = 0;
  }
}
