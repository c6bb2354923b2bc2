import { type Key, keySchema } from '@runlog/schema/keys';
import { digestOf, keyIdLookup, keyLookup, type NamedKeyRing } from '@runlog/service-kit/keys';

/** Keys that change at once, for tests. */
export class MadeUpKeys implements NamedKeyRing {
  #find = keyLookup([]);
  #withId = keyIdLookup([]);
  readonly #listeners = new Set<() => void>();

  constructor(keys: Readonly<Record<string, object>>) {
    this.set(keys);
  }

  readonly find = (secret: string): Key | null => this.#find(secret);

  readonly withId = (id: string): Key | null => this.#withId(id);

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sets the keys: each id, which is also the secret, with the rest of the key. */
  set(keys: Readonly<Record<string, object>>): void {
    const parsed = Object.entries(keys).map(([id, rest]) =>
      keySchema.parse({ id, sha256: digestOf(id), ...rest }),
    );
    this.#find = keyLookup(parsed);
    this.#withId = keyIdLookup(parsed);
    for (const listener of this.#listeners) listener();
  }
}
