import { FIGURE_NAME_BYTES_MAX, FIGURE_NAME_CHARS_MAX } from '@runlog/schema/limits';
import { cutText } from '@runlog/schema/run/cut-text';
import { HASH_CHARS, hashEventId } from '../event-id-window.ts';

const SHORT_ASCII = /^[\x20-\x7e]{0,64}$/;

/**
 * Returns the name under which a figure is stored: the name itself, or if that is too long, its beginning and a hash of the
 * whole, so that two long names that begin alike stay two figures.
 */
export function figureName(name: string): string {
  if (SHORT_ASCII.test(name)) return name;
  const whole = { charsMax: FIGURE_NAME_CHARS_MAX, jsonBytesMax: FIGURE_NAME_BYTES_MAX };
  if (cutText(name, whole) === name) return name;
  const cut = {
    charsMax: FIGURE_NAME_CHARS_MAX - HASH_CHARS,
    jsonBytesMax: FIGURE_NAME_BYTES_MAX - HASH_CHARS,
  };
  return cutText(name, cut) + hashEventId(name);
}
