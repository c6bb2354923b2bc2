const SLOTS = 1_024;

/** Finds which of a few names stands at a place of a body, without making a text of it. */
export class NameTable {
  readonly #slots: (readonly Buffer[] | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #indexes: (readonly number[] | undefined)[] = new Array(SLOTS).fill(undefined);

  /** Names are ASCII and not empty. */
  constructor(names: readonly string[]) {
    for (const [index, name] of names.entries()) {
      const bytes = Buffer.from(name, 'latin1');
      const slot = slotOf(bytes, 0, bytes.length);
      this.#slots[slot] = [...(this.#slots[slot] ?? []), bytes];
      this.#indexes[slot] = [...(this.#indexes[slot] ?? []), index];
    }
  }

  /** Returns the index of the name, or -1 if it is none of them. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return -1;
    const slot = slotOf(bytes, start, end);
    const names = this.#slots[slot];
    if (names === undefined) return -1;
    for (let at = 0; at < names.length; at += 1) {
      if (isSame(names[at]!, bytes, start, end)) return this.#indexes[slot]![at]!;
    }
    return -1;
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const middle = bytes[(start + end) >> 1]!;
  return ((end - start) * 37 + bytes[start]! * 7 + middle * 13 + bytes[end - 1]! * 29) & (SLOTS - 1);
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at += 1) if (name[at] !== bytes[start + at]) return false;
  return true;
}
