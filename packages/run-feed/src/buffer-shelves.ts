/**
 * Stored bytes stay in the buffer they were fetched in. When less than this part of it is in use, they are copied out.
 */
const USED_PART_MIN = 0.5;

/** The bytes of sleeping runs that are in one such buffer. */
interface Shelf {
  readonly keys: Set<string>;
  usedBytes: number;
}

/** Keeps account of the fetched buffers in which sleeping runs have their bytes, so that none is kept for little use. */
export class BufferShelves {
  readonly #shelves = new Map<ArrayBufferLike, Shelf>();
  readonly #bytesOf: (key: string) => Buffer;
  readonly #move: (key: string, own: Buffer) => void;
  /** The buffer of the bytes that were put in last. */
  #filling: ArrayBufferLike | null = null;

  /** `bytesOf` returns the bytes of a key that was put in, and `move` gives it a copy of its own. */
  constructor(options: { bytesOf: (key: string) => Buffer; move: (key: string, own: Buffer) => void }) {
    this.#bytesOf = options.bytesOf;
    this.#move = options.move;
  }

  put(key: string, bytes: Buffer): void {
    const { buffer } = bytes;
    if (buffer !== this.#filling) {
      this.settle();
      this.#filling = buffer;
    }
    const shelf = this.#shelves.get(buffer) ?? { keys: new Set(), usedBytes: 0 };
    this.#shelves.set(buffer, shelf);
    shelf.keys.add(key);
    shelf.usedBytes += bytes.length;
  }

  /** Takes the bytes of a key away, because it is deleted, woken or given other bytes. */
  take(key: string, { buffer, length }: Buffer): void {
    const shelf = this.#shelves.get(buffer);
    if (shelf === undefined) return;
    shelf.keys.delete(key);
    shelf.usedBytes -= length;
    if (buffer !== this.#filling) this.#tidy(buffer);
  }

  /** Call this after the last bytes were put in: until then their buffer may still be filling. */
  settle(): void {
    const filled = this.#filling;
    this.#filling = null;
    if (filled !== null) this.#tidy(filled);
  }

  #tidy(buffer: ArrayBufferLike): void {
    const shelf = this.#shelves.get(buffer);
    if (shelf === undefined || shelf.usedBytes >= buffer.byteLength * USED_PART_MIN) return;
    this.#shelves.delete(buffer);
    for (const key of shelf.keys) {
      const bytes = this.#bytesOf(key);
      const own = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(own);
      this.#move(key, own);
    }
  }
}
