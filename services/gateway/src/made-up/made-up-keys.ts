import { type Key, keySchema } from '@runlog/schema/keys';
import { digestOf, type KeyRing, keyLookup } from '@runlog/service-kit/keys';

/** Keys that change at once, for tests. */
export class MadeUpKeys implements KeyRing {
  #find = keyLookup([]);
  readonly #listeners = new Set<() => void>();

  constructor(keys: Readonly<Record<string, object>>) {
    this.set(keys);
  }

  readonly find = (secret: string): Key | null => this.#find(secret);

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sets the keys: each id, which is also the secret, with the rest of the key. */
  set(keys: Readonly<Record<string, object>>): void {
    this.#find = keyLookup(
      Object.entries(keys).map(([id, rest]) => keySchema.parse({ id, sha256: digestOf(id), ...rest })),
    );
    for (const listener of this.#listeners) listener();
  }
}
