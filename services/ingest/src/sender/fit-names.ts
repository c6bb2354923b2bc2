import { createHash } from 'node:crypto';
import { RUN_KEY_PART_PATTERN } from '@runlog/schema/run/run-key';

const runKeyPart = new RegExp(RUN_KEY_PART_PATTERN);
const KEY_PART_CHARS_MAX = 64;
const TYPE_CHARS_MAX = 64;
const eventType = /^[A-Z][A-Z0-9_]{0,63}$/;
const HASH_CHARS = 12;

/** The names seen last, because a body repeats a few of them. At the bound all are forgotten. */
const FITTED_MAX = 1_024;
const fittedTypes = new Map<string, string>();
const fittedParts = new Map<string, string>();

/**
 * Makes a name fit to be an event type: upper case, `_` for every other character, a letter first. Names that differ only in
 * what may not stand in a type become one type. One that is too long ends in a hash of the whole.
 */
export function fitEventType(name: string): string {
  if (eventType.test(name)) return name;
  return remembered(fittedTypes, name, () => {
    const upper = name.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
    const typed = /^[A-Z]/.test(upper) ? upper : `E${upper.startsWith('_') ? '' : '_'}${upper}`;
    if (typed.length <= TYPE_CHARS_MAX) return typed;
    return `${typed.slice(0, TYPE_CHARS_MAX - HASH_CHARS - 1)}_${hashOf(name).toUpperCase()}`;
  });
}

/**
 * Makes a name fit to be a part of a run's key. One that does not fit as it is ends in a hash of the whole, so that two
 * names never become one run, and the same name is the same run everywhere.
 */
export function fitRunKeyPart(name: string): string {
  if (runKeyPart.test(name)) return name;
  return remembered(fittedParts, name, () => {
    const legible = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
    const beginning = legible.slice(0, KEY_PART_CHARS_MAX - HASH_CHARS - 1);
    return beginning === '' ? hashOf(name) : `${beginning}-${hashOf(name)}`;
  });
}

function hashOf(name: string): string {
  // In UTF-8 all halves of pairs are the same.
  const encoding = /\p{Cs}/u.test(name) ? 'utf16le' : 'utf8';
  return createHash('sha256').update(name, encoding).digest('hex').slice(0, HASH_CHARS);
}

function remembered(held: Map<string, string>, name: string, fit: () => string): string {
  const known = held.get(name);
  if (known !== undefined) return known;
  const fitted = fit();
  if (held.size >= FITTED_MAX) held.clear();
  // A long name would be kept whole for the sake of a short one.
  if (name.length <= 1_024) held.set(name, fitted);
  return fitted;
}
