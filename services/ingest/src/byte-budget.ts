/** The part of the budget that must be free again before a full one admits anything. */
const REOPEN_SHARE = 0.25;

/**
 * Counts bytes that several holders share. Nothing waits: bytes that do not fit are refused at once. A budget that was
 * full admits no further body until a quarter of it is free, so that it does not flap at the limit.
 */
export class ByteBudget {
  readonly #bytesMax: number;
  #bytesHeld = 0;
  #isShut = false;

  constructor(options: { bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** Makes a share that grows as bytes are read and gives everything back when it is disposed. */
  share(): ByteShare {
    let held = 0;
    let reserved = 0;
    const kept: Promise<unknown>[] = [];
    const release = () => {
      this.#bytesHeld -= held;
      held = 0;
      reserved = 0;
    };
    const take = (bytes: number) => {
      if (this.#bytesHeld + bytes > this.#bytesMax) {
        this.#isShut = true;
        return false;
      }
      this.#bytesHeld += bytes;
      held += bytes;
      return true;
    };
    return {
      reserve: (bytes) => {
        if (this.#isShut && this.#bytesHeld > this.#bytesMax * (1 - REOPEN_SHARE)) return false;
        this.#isShut = false;
        if (!take(bytes)) return false;
        reserved += bytes;
        return true;
      },
      grow: (bytes) => {
        const beyond = Math.max(0, bytes - reserved);
        if (beyond > 0 && !take(beyond)) return false;
        reserved -= bytes - beyond;
        return true;
      },
      keepUntil: (work) => {
        kept.push(work);
      },
      [Symbol.dispose]: () => {
        if (kept.length === 0) release();
        else void Promise.allSettled(kept).then(release);
      },
    };
  }
}

export interface ByteShare extends Disposable {
  /**
   * Reserves bytes for a body that has not arrived yet. Returns false and takes nothing if the budget has no room or
   * was recently full.
   */
  reserve(bytes: number): boolean;
  /**
   * Takes bytes from the reservation first, then from the budget. Returns false and takes nothing if there is no room.
   */
  grow(bytes: number): boolean;
  /** Keeps the bytes in use until this work has ended, even if the share is disposed before. */
  keepUntil(work: Promise<unknown>): void;
}
