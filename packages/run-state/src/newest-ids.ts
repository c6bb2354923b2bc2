import { HASH_CHARS } from './event-id-window.ts';

/**
 * The ids of an emitter's newest numbers as 48-bit hashes in one string, oldest first. The last one belongs to the
 * emitter's `last`. A number that has not arrived has a blank. This tells a number that comes again with another id from a
 * repeat.
 */
const BLANK = '-'.repeat(HASH_CHARS);

/**
 * Returns the ids after a number above `last`, of which `skipped` numbers have not arrived. An emitter with a large share
 * holds up to twice as many as count, because cutting the string with every event would cost more than all the rest.
 */
export function idsAfter(ids: string, add: { skipped: number; hash: string; idsMax: number }): string {
  const { skipped, hash, idsMax } = add;
  if (skipped > 0) {
    const blanks = BLANK.repeat(Math.min(skipped, idsMax - 1));
    return newestIds(ids + blanks + hash, idsMax);
  }
  const held = idsMax < LARGE_SHARE ? idsMax : 2 * idsMax;
  return ids.length < held * HASH_CHARS ? ids + hash : ids.slice((1 - idsMax) * HASH_CHARS) + hash;
}

/** A run with so many emitters that their shares are smaller keeps no more than counts, or its snapshot could be too large. */
const LARGE_SHARE = 16;

/** Returns the ids with that of the number `back` below `last`, if it is among the newest. */
export function idsWith(ids: string, of: { back: number; hash: string }): string {
  const at = ids.length - (of.back + 1) * HASH_CHARS;
  return at < 0 ? ids : ids.slice(0, at) + of.hash + ids.slice(at + HASH_CHARS);
}

/** Returns the id of the number `back` below `last`, or null if it is not among the newest. */
export function idAt(ids: string, { back, idsMax }: { back: number; idsMax: number }): string | null {
  if (back >= idsMax) return null;
  const at = ids.length - (back + 1) * HASH_CHARS;
  if (at < 0) return null;
  const id = ids.slice(at, at + HASH_CHARS);
  return id === BLANK ? null : id;
}

/** Keeps the newest ids that a share has room for. */
export function newestIds(ids: string, idsMax: number): string {
  const charsMax = idsMax * HASH_CHARS;
  return ids.length <= charsMax ? ids : ids.slice(-charsMax);
}
