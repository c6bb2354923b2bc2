/** Part of the budget that must be free again before a full one admits anything. */
const REOPEN_SHARE = 0.25;

/**
 * Counts bytes that several holders share. Nothing waits: what does not fit is refused at once. A budget that was once
 * full admits no further body until a quarter of it is free, so that it does not flap at its edge.
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

  /** A share that grows with what is read and gives everything back when disposed. */
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
  /** For a body that has not come yet. False, and nothing taken, when the budget has no room or was full just now. */
  reserve(bytes: number): boolean;
  /** Out of what is reserved, then out of the budget. False, and nothing taken, when there is no room for it. */
  grow(bytes: number): boolean;
  /** The bytes are in use until this has ended, even when the share is disposed before. */
  keepUntil(work: Promise<unknown>): void;
}
