/**
 * The size of the scratch buffer. The first bytes of a frame are read into it, together with whatever else has arrived.
 */
const SCRATCH_BYTES = 64 * 1024;
const PREFIX_BYTES = 4;
/** Brokers accept requests of at most 100 MiB and answer with less. A peer that announces more is not a broker. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024;

/** The beginning of an answer of TLS to what is not TLS: an alert, of version 3. */
const TLS_ALERT = 0x1503;

/**
 * Splits a stream of bytes into Kafka's frames (four bytes of length, then that many bytes). The bytes of a large frame
 * are read straight into its own buffer: `target` is where the next bytes go, and the caller reports to `took` how many
 * arrived.
 */
export class KafkaFrames {
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly #onFrame: (frame: Buffer) => void;
  /** The number of bytes in the scratch buffer: the beginning of a length that has not fully arrived. */
  #held = 0;
  #frame: Buffer | null = null;
  #filled = 0;

  /** `onFrame` gets each whole frame, with its length in front. Nobody else uses the buffer. */
  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  get target(): Buffer {
    return this.#frame === null ? this.#scratch.subarray(this.#held) : this.#frame.subarray(this.#filled);
  }

  /** Is called when bytes have arrived. Throws if they cannot be a frame; then nothing more can be read. */
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
        if (length >>> 16 === TLS_ALERT) throw new Error('what answers speaks TLS');
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
