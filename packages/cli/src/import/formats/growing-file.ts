import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ReadingOptions } from '../recorded-source.ts';

const CHUNK_BYTES = 256 * 1024;
/** The bytes at the beginning, and before the place that was reached, by which a rewritten file is recognised. */
const PROOF_BYTES = 256;
/** Of a folder with more entries, the rest is not searched for a file that was moved. */
const ENTRIES_SEARCHED_MAX = 10_000;

export type FilePart =
  /**
   * The file is another one than before, or was rewritten: what follows begins at its first byte. The reader starts anew.
   * `movedTo` is where the former contents are now, which may be the same path; null if they are not in the folder.
   */
  | { readonly kind: 'restarted'; readonly movedTo: string | null }
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

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
  #beginsAgain = false;
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
      if (this.#identity !== null && (this.#beginsAgain || !(await this.#isSame(file, identity)))) {
        const movedTo = await this.formerPath();
        this.#restart();
        yield { kind: 'restarted', movedTo };
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

  /** Makes the next read one from the beginning. Until then it is still known what was read. */
  beginAgain(): void {
    this.#beginsAgain = true;
    this.#readThrough = '';
  }

  /**
   * Finds the file of this folder that holds what was read here: this one, one that was renamed, or the copy that was made
   * before this one was cut. Rotation does either. Returns null if there is none.
   */
  async formerPath(): Promise<string | null> {
    if (this.#identity === null) return this.path;
    if (await this.#isContinuedAt(this.path).catch(() => false)) return this.path;
    const folder = dirname(this.path);
    const names = await readdir(folder).catch(() => []);
    for (const name of names.slice(0, ENTRIES_SEARCHED_MAX)) {
      const path = join(folder, name);
      if (path !== this.path && (await this.#isContinuedAt(path).catch(() => false))) return path;
    }
    return this.#offset === 0 ? this.path : null;
  }

  async #isContinuedAt(path: string): Promise<boolean> {
    const status = await stat(path);
    // A folder may have the number that a file had before it.
    if (!status.isFile() || status.size < this.#offset) return false;
    const isRenamed = `${status.dev}:${status.ino}` === this.#identity;
    const isCopy = this.#offset > 0 && basename(path).startsWith(basename(this.path));
    if (!isRenamed && !isCopy) return false;
    const file = await open(path, 'r');
    try {
      return await this.#isHeldBy(file);
    } finally {
      await file.close();
    }
  }

  async #isSame(file: FileHandle, identity: string): Promise<boolean> {
    return identity === this.#identity && (await this.#isHeldBy(file));
  }

  async #isHeldBy(file: FileHandle): Promise<boolean> {
    return (
      (await holds(file, 0, this.#head)) && (await holds(file, this.#offset - this.#tail.length, this.#tail))
    );
  }

  #restart(): void {
    this.#beginsAgain = false;
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
