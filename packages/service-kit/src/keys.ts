import { createHash, timingSafeEqual } from 'node:crypto';
import { KEY_CHARS_MAX, type Key } from '@runlog/schema/keys';

/** The keys that are valid now. */
export interface KeyRing {
  /** Returns null if the secret is not a valid key, or no longer is. */
  find(secret: string): Key | null;
  /** Calls the listener after every change, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** The same, for those who must find a key that somebody has named. */
export interface NamedKeyRing extends KeyRing {
  /** Returns the key with this id, or null if there is none, or no longer. */
  withId(id: string): Key | null;
}

/** Returns the digest that a key file stores instead of the key. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex');
}

/**
 * Finds keys by their SHA-256. The time of the look-up can at most reveal how far the digest of a guess agrees with a
 * stored digest. To use that, an attacker would have to choose digests, which needs preimages. A key that is found is
 * compared in constant time.
 */
export function keyLookup(keys: readonly Key[]): (secret: string) => Key | null {
  const byDigest = new Map(keys.map((key) => [key.sha256, { key, digest: Buffer.from(key.sha256, 'hex') }]));
  return (secret) => {
    if (secret === '' || secret.length > KEY_CHARS_MAX) return null;
    const digest = createHash('sha256').update(secret, 'utf8').digest();
    const found = byDigest.get(digest.toString('hex'));
    return found !== undefined && timingSafeEqual(found.digest, digest) ? found.key : null;
  };
}

/** Finds keys by their ids. */
export function keyIdLookup(keys: readonly Key[]): (id: string) => Key | null {
  const byId = new Map(keys.map((key) => [key.id, key]));
  return (id) => byId.get(id) ?? null;
}

/**
 * Returns the key of an `Authorization: Bearer KEY` header, or null if there is none or the header is of another kind.
 */
export function bearerOf(header: string | undefined): string | null {
  return /^bearer +([^\s]+) *$/i.exec(header ?? '')?.[1] ?? null;
}
