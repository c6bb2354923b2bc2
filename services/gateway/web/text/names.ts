const ELLIPSIS = '…';

/** A name in two parts: where there is no room the end of `head` is cut, and `tail` stays. */
export interface NameParts {
  readonly head: string;
  readonly tail: string;
}

/** The characters of a name's end that stay in any case, and the most that stay. */
const TAIL_CHARS = 6;
const TAIL_CHARS_MAX = 16;

/**
 * Parts a name so that what tells it from the names around it stays: the tail begins where it differs from each of them, if
 * that is near its end. Names are those of run keys, so a character is a letter.
 */
export function nameParts(name: string, others: Iterable<string> = []): NameParts {
  let common = 0;
  for (const other of others) if (other !== name) common = Math.max(common, commonPrefix(name, other));
  const differs = common === 0 ? 0 : Math.min(name.length - common, TAIL_CHARS_MAX);
  const tail = Math.min(name.length, Math.max(TAIL_CHARS, differs));
  return { head: name.slice(0, name.length - tail), tail: name.slice(name.length - tail) };
}

/** Cuts the middle out of a name that has more characters: `sim-26…7-002`. The end keeps as much as the beginning. */
export function cutMiddle(name: string, charsMax: number): string {
  if (name.length <= charsMax) return name;
  const kept = Math.max(0, charsMax - ELLIPSIS.length);
  const tail = Math.ceil(kept / 2);
  return `${name.slice(0, kept - tail)}${ELLIPSIS}${name.slice(name.length - tail)}`;
}

/**
 * Cuts names to a number of characters so that no two of them read the same: first the middle goes; of those that would be
 * alike, what stays is around the place where they differ; if that does not help, the name stays whole.
 */
export function tellApart(names: readonly string[], charsMax: number): ReadonlyMap<string, string> {
  const shown = new Map<string, string>();
  const groups = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const text = cutMiddle(name, charsMax);
    groups.set(text, [...(groups.get(text) ?? []), name]);
  }
  const taken = new Set<string>();
  for (const [text, [name, ...rest]] of groups) {
    if (rest.length > 0) continue;
    shown.set(name!, text);
    taken.add(text);
  }
  for (const group of groups.values()) {
    if (group.length === 1) continue;
    const common = group.reduce((least, name) => Math.min(least, commonPrefix(name, group[0]!)), Infinity);
    for (const name of group) {
      const text = aroundPlace(name, common, charsMax);
      const unique = taken.has(text) ? name : text;
      shown.set(name, unique);
      taken.add(unique);
    }
  }
  return shown;
}

/** Keeps what begins at a place, with little before it. */
function aroundPlace(name: string, place: number, charsMax: number): string {
  const kept = Math.max(1, charsMax - 2 * ELLIPSIS.length);
  const begin = Math.max(0, Math.min(place - 1, name.length - kept));
  const end = Math.min(name.length, begin + kept);
  return `${begin > 0 ? ELLIPSIS : ''}${name.slice(begin, end)}${end < name.length ? ELLIPSIS : ''}`;
}

function commonPrefix(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at < most && a[at] === b[at]) at += 1;
  return at;
}
