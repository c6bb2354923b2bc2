/** The ids of so many events are kept at least, and of twice as many at most: about 20 MB. */
const GENERATION_MAX = 65_536;

/**
 * The ids of the events from senders that this process has stored last, with the emitter that numbers each (empty if none
 * does). A sender that got no answer sends again, perhaps cut into bodies in another way; what is known here is not
 * appended once more.
 */
export class StoredIds {
  #newer = new Map<string, string>();
  #older = new Map<string, string>();

  /** Returns the emitter of an event that is stored, or undefined for one that is not known. */
  emitterOf(id: string): string | undefined {
    return this.#newer.get(id) ?? this.#older.get(id);
  }

  add(id: string, emitterId: string): void {
    if (this.#newer.size >= GENERATION_MAX) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(id, emitterId);
  }
}
