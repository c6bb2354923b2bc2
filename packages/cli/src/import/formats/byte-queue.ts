/** Bytes that wait until enough of them are there. Each is copied once at most. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #bytes = 0;

  get length(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Returns the next bytes and leaves them. There must be as many. */
  peek(bytes: number): Buffer {
    if (bytes > this.#bytes) throw new RangeError(`${bytes} bytes asked of ${this.#bytes}`);
    const first = this.#chunks[0];
    if (first === undefined) return Buffer.alloc(0);
    if (first.length < bytes) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!.subarray(0, bytes);
  }

  take(bytes: number): Buffer {
    const taken = this.peek(bytes);
    this.#drop(bytes);
    return taken;
  }

  /** Drops up to as many bytes and returns how many there were. */
  skip(bytes: number): number {
    const skipped = Math.min(bytes, this.#bytes);
    this.#drop(skipped);
    return skipped;
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }

  #drop(bytes: number): void {
    let left = bytes;
    this.#bytes -= bytes;
    while (left > 0) {
      const first = this.#chunks[0]!;
      if (first.length <= left) {
        this.#chunks.shift();
        left -= first.length;
      } else {
        this.#chunks[0] = first.subarray(left);
        left = 0;
      }
    }
  }
}
