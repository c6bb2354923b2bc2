/** 40 million entries: half a gigabyte. */
const SLOTS_MAX = 2 ** 26;
/** Those who follow thousands of files have a table for each. */
const SLOTS_MIN = 64;
const FILLED_MAX = 0.6;

/** A hash of 64 bits in two halves. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}

/**
 * Keeps a number beside each of millions of hashes, in 12 bytes a slot. It finds 0 for a hash that it does not have. That two
 * texts have one hash is as likely as not for five thousand million of them. Throws `RangeError` when it is full.
 */
export class HashCounts {
  #slots = SLOTS_MIN;
  #used = 0;
  #high = new Uint32Array(SLOTS_MIN);
  #low = new Uint32Array(SLOTS_MIN);
  #values = new Uint32Array(SLOTS_MIN);

  get(hash: Hash): number {
    return this.#values[this.#slotOf(hash)]!;
  }

  /** `value` is from 1 to 2^32 - 1. */
  set(hash: Hash, value: number): void {
    const slot = this.#slotOf(hash);
    const isNew = this.#values[slot] === 0;
    this.#high[slot] = hash.high;
    this.#low[slot] = hash.low;
    this.#values[slot] = value;
    if (!isNew) return;
    this.#used += 1;
    if (this.#used > this.#slots * FILLED_MAX) this.#grow();
  }

  #slotOf({ high, low }: Hash): number {
    const mask = this.#slots - 1;
    let slot = low & mask;
    while (this.#values[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    if (this.#slots === SLOTS_MAX) throw new RangeError('too many events to keep in mind');
    const former = { slots: this.#slots, high: this.#high, low: this.#low, values: this.#values };
    this.#slots *= 2;
    this.#high = new Uint32Array(this.#slots);
    this.#low = new Uint32Array(this.#slots);
    this.#values = new Uint32Array(this.#slots);
    for (let at = 0; at < former.slots; at += 1) {
      if (former.values[at] === 0) continue;
      const slot = this.#slotOf({ high: former.high[at]!, low: former.low[at]! });
      this.#high[slot] = former.high[at]!;
      this.#low[slot] = former.low[at]!;
      this.#values[slot] = former.values[at]!;
    }
  }
}
