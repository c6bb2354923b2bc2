import { EVENT_ID_WINDOW } from '@runlog/schema/limits';

/**
 * The newest event ids of a run whose emitters do not number, as 48-bit hashes: eight base64 characters each, oldest
 * first, in one string, which is cheap to keep in a snapshot, to search and to compare.
 */
export const HASH_CHARS = 8;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const codes = Uint8Array.from(alphabet, (character) => character.charCodeAt(0));

export function windowHas(window: string, hash: string): boolean {
  let index = window.indexOf(hash);
  while (index !== -1 && index % HASH_CHARS !== 0) index = window.indexOf(hash, index + 1);
  return index !== -1;
}

export function windowWith(window: string, hash: string): string {
  const excess = window.length + HASH_CHARS - EVENT_ID_WINDOW * HASH_CHARS;
  return (excess > 0 ? window.slice(excess) : window) + hash;
}

/** Hashes are stored in snapshots, so the same id must give the same hash in every version. */
export function hashEventId(eventId: string): string {
  let low = 0x9e3779b9;
  let high = 0x85ebca6b;
  for (let index = 0; index < eventId.length; index += 1) {
    const unit = eventId.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
    low ^= low >>> 15;
    high ^= high >>> 13;
  }
  low = Math.imul(low ^ (high >>> 16), 0x85ebca6b);
  high = Math.imul(high ^ (low >>> 13), 0xc2b2ae35);
  low = (low ^ (high >>> 15)) >>> 0;
  high = (high ^ (low >>> 16)) & 0xffff;
  const rest = (low >>> 24) | (high << 8);
  return String.fromCharCode(
    codes[low & 63]!,
    codes[(low >>> 6) & 63]!,
    codes[(low >>> 12) & 63]!,
    codes[(low >>> 18) & 63]!,
    codes[rest & 63]!,
    codes[(rest >>> 6) & 63]!,
    codes[(rest >>> 12) & 63]!,
    codes[(rest >>> 18) & 63]!,
  );
}
