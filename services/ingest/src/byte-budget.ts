/** Counts bytes that several holders share. Nothing waits: what does not fit is refused at once. */
export class ByteBudget {
  readonly #bytesMax: number;
  #bytesHeld = 0;

  constructor(options: { bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** A share that grows with what is read and gives everything back when disposed. */
  share(): ByteShare {
    let held = 0;
    const kept: Promise<unknown>[] = [];
    const release = () => {
      this.#bytesHeld -= held;
      held = 0;
    };
    return {
      grow: (bytes) => {
        if (this.#bytesHeld + bytes > this.#bytesMax) return false;
        this.#bytesHeld += bytes;
        held += bytes;
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
  /** False, and nothing taken, when the budget has no room for it. */
  grow(bytes: number): boolean;
  /** The bytes are in use until this has ended, even when the share is disposed before. */
  keepUntil(work: Promise<unknown>): void;
}
