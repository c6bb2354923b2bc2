import { type KeptBytes, PackedBytes } from './packed-bytes.ts';

/** Smaller bytes are only copied out of the buffer that they were fetched in. */
const PACKED_BYTES_MIN = 8 * 1024;
/** So many bytes may wait for others of the same key, which make packing them needless. */
const DELAYED_BYTES = 4 * 1024 * 1024;
/** So many bytes wait at most; beyond that, this thread packs too, and whoever puts in more waits for it. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/**
 * So many are handed to other threads at once, so that these have work while this one decodes an answer of the log. With 16
 * or more, each costs half as much CPU time again: the compressors hold so much memory together that it goes back to the
 * system and comes from it each time.
 */
const IN_WORK_MAX = 8;

/**
 * Packs the bytes of sleeping runs on other threads, a little later than they come: a topic that is not compacted yet holds
 * many snapshots of a run, of which only the newest is worth it. The fetched buffers, of which they are parts, are free
 * after that.
 */
export class PackingQueue {
  readonly #waiting = new Map<string, Buffer>();
  readonly #inWork = new Map<string, Buffer>();
  readonly #replace: (key: string, bytes: KeptBytes) => void;
  #waitingBytes = 0;
  #working = 0;
  #isSettled = false;

  /** `replace` gets the bytes of a key that was put in, in a buffer of their own. */
  constructor(replace: (key: string, bytes: KeptBytes) => void) {
    this.#replace = replace;
  }

  put(key: string, bytes: Buffer): void {
    this.take(key);
    this.#isSettled = false;
    this.#waiting.set(key, bytes);
    this.#waitingBytes += bytes.length;
    while (this.#waitingBytes > WAITING_BYTES_MAX) {
      const [oldest, waited] = this.#shift()!;
      this.#replace(oldest, copied(waited) ?? PackedBytes.of(waited));
    }
    this.#startWork();
  }

  /** Forgets a key, because it is deleted, woken or given other bytes. */
  take(key: string): void {
    this.#waitingBytes -= this.#waiting.get(key)?.length ?? 0;
    this.#waiting.delete(key);
    this.#inWork.delete(key);
  }

  /** Lets everything be packed that still waits. Call this after the last bytes were put in. */
  settle(): void {
    this.#isSettled = true;
    this.#startWork();
  }

  #startWork(): void {
    const kept = this.#isSettled ? 0 : DELAYED_BYTES;
    while (this.#waitingBytes > kept && this.#working < IN_WORK_MAX) {
      const [key, bytes] = this.#shift()!;
      const own = copied(bytes);
      if (own === null) this.#work(key, bytes);
      else this.#replace(key, own);
    }
  }

  #work(key: string, bytes: Buffer): void {
    this.#working += 1;
    this.#inWork.set(key, bytes);
    PackedBytes.later(bytes, (packed) => {
      this.#working -= 1;
      // Other bytes may have been put in meanwhile, or the run woken.
      if (this.#inWork.get(key) === bytes) {
        this.#inWork.delete(key);
        if (packed !== null) this.#replace(key, packed);
      }
      this.#startWork();
    });
  }

  /** Takes out what has waited longest. */
  #shift(): [key: string, bytes: Buffer] | undefined {
    const oldest = this.#waiting.entries().next().value;
    if (oldest !== undefined) this.take(oldest[0]);
    return oldest;
  }
}

/** Returns a copy of bytes that are too few to be worth packing, or else null. */
function copied(bytes: Buffer): Buffer | null {
  if (bytes.length >= PACKED_BYTES_MIN) return null;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
