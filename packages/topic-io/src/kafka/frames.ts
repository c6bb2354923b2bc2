/** Between this and the first bytes of a frame they are read into scratch, together with what else has come. */
const SCRATCH_BYTES = 64 * 1024;
const PREFIX_BYTES = 4;
/** Brokers take requests of at most 100 MiB and answer with less; who says more is no broker. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Kafka's frames (four bytes of length, then as many) out of a stream of bytes. The bytes of a large frame are to be
 * read where they will stay: `target` says where the next ones go, `took` how many went there.
 */
export class KafkaFrames {
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly #onFrame: (frame: Buffer) => void;
  /** Bytes in the scratch: the beginning of a length that has not come whole. */
  #held = 0;
  #frame: Buffer | null = null;
  #filled = 0;

  /** `onFrame` gets each frame whole, its length in front; the buffer is nobody else's. */
  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  get target(): Buffer {
    return this.#frame === null ? this.#scratch.subarray(this.#held) : this.#frame.subarray(this.#filled);
  }

  /** Throws when what came cannot be a frame; nothing more can be read then. */
  took(bytes: number): void {
    if (this.#frame !== null) {
      this.#filled += bytes;
      this.#finish();
      return;
    }
    const end = this.#held + bytes;
    let at = 0;
    while (end - at >= PREFIX_BYTES) {
      const length = this.#scratch.readInt32BE(at);
      if (length < 0 || length > FRAME_BYTES_MAX) {
        throw new Error(`an answer of ${length} bytes: what answers is not a Kafka broker`);
      }
      const frame = Buffer.allocUnsafe(PREFIX_BYTES + length);
      this.#filled = this.#scratch.copy(frame, 0, at, end);
      at += this.#filled;
      this.#frame = frame;
      this.#finish();
    }
    this.#held = this.#frame === null ? this.#scratch.copy(this.#scratch, 0, at, end) : 0;
  }

  #finish(): void {
    const frame = this.#frame;
    if (frame === null || this.#filled < frame.length) return;
    this.#frame = null;
    this.#onFrame(frame);
  }
}
