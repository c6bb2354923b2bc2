import { type FileHandle, open, stat } from 'node:fs/promises';
import type { ReadingOptions } from '../recorded-source.ts';

const CHUNK_BYTES = 256 * 1024;
/** The bytes at the beginning, and before the place that was reached, by which a rewritten file is recognised. */
const PROOF_BYTES = 256;

export type FilePart =
  /** The file is another one than before, or was rewritten: what follows begins at its first byte. The reader starts anew. */
  { readonly kind: 'restarted' } | { readonly kind: 'bytes'; readonly bytes: Buffer };

/**
 * A file that is read from where the last read ended. No handle stays open in between, so any number of files can be
 * followed. A file that was replaced, cut, or rewritten in place is read from its beginning.
 */
export class GrowingFile {
  readonly path: string;
  #identity: string | null = null;
  /** What the file was like when all of it had been read. */
  #readThrough = '';
  #offset = 0;
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.path = path;
  }

  /** Rejects as the file system does, for example if the file is gone. */
  async *read({ signal, onBytes }: ReadingOptions): AsyncGenerator<FilePart> {
    const before = await stat(this.path, { bigint: true });
    const state = `${before.dev}:${before.ino}:${before.size}:${before.mtimeNs}`;
    if (state === this.#readThrough) return;
    const file = await open(this.path, 'r');
    try {
      const status = await file.stat();
      const identity = `${status.dev}:${status.ino}`;
      if (this.#identity !== null && !(await this.#isSame(file, identity))) {
        this.#restart();
        yield { kind: 'restarted' };
      }
      this.#identity = identity;
      for (;;) {
        signal.throwIfAborted();
        const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, this.#offset);
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        this.#remember(bytes);
        onBytes?.(bytesRead);
        yield { kind: 'bytes', bytes };
      }
      // A change after the look above is seen at the next one.
      this.#readThrough = state;
    } finally {
      await file.close();
    }
  }

  async #isSame(file: FileHandle, identity: string): Promise<boolean> {
    if (identity !== this.#identity) return false;
    return (
      (await holds(file, 0, this.#head)) && (await holds(file, this.#offset - this.#tail.length, this.#tail))
    );
  }

  #restart(): void {
    this.#offset = 0;
    this.#head = Buffer.alloc(0);
    this.#tail = Buffer.alloc(0);
  }

  #remember(bytes: Buffer): void {
    if (this.#head.length < PROOF_BYTES) {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, PROOF_BYTES - this.#head.length)]);
    }
    this.#tail =
      bytes.length >= PROOF_BYTES
        ? Buffer.from(bytes.subarray(-PROOF_BYTES))
        : Buffer.concat([this.#tail, bytes]).subarray(-PROOF_BYTES);
    this.#offset += bytes.length;
  }
}

async function holds(file: FileHandle, position: number, bytes: Buffer): Promise<boolean> {
  const there = Buffer.alloc(bytes.length);
  const { bytesRead } = await file.read(there, 0, bytes.length, position);
  return bytesRead === bytes.length && there.equals(bytes);
}
