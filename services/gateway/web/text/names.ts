const ELLIPSIS = '…';

/** A piece of a name. Where there is no room, the pieces that are not kept are cut at their ends. */
export interface NamePart {
  readonly text: string;
  readonly isKept: boolean;
}

type Range = readonly [from: number, to: number];

/** The characters of a name's end that stay in any case. */
const TAIL_CHARS = 6;
/** The most that stay, with an ellipsis for each piece that does not. What still reads like another name is told apart by its title. */
const KEPT_CHARS_MAX = 22;
/** A name or a piece that is not longer is not cut: it would save next to nothing. */
const WHOLE_CHARS_MAX = 12;
const UNCUT_CHARS_MAX = 3;
/**
 * A word of a name is kept whole if it is not longer on either side of what differs. Where there is no room for all words that
 * are needed, less of each is kept.
 */
const WORD_CHARS_MAX = [8, 5, 3, 1] as const;

/**
 * Parts a name so that what tells it from the names around it stays: its end, and the words in which it differs from those
 * that end alike. Names are those of run keys, so a character is a letter.
 */
export function nameParts(name: string, others: Iterable<string> = []): readonly NamePart[] {
  if (name.length <= WHOLE_CHARS_MAX) return [{ text: name, isKept: true }];
  const parts: NamePart[] = [];
  let at = 0;
  for (const [from, to] of keptRanges(name, others)) {
    if (from > at) parts.push({ text: name.slice(at, from), isKept: false });
    parts.push({ text: name.slice(from, to), isKept: true });
    at = to;
  }
  return parts;
}

/** Cuts the middle out of a name that has more characters: `sim-26…7-002`. The end keeps as much as the beginning. */
export function cutMiddle(name: string, charsMax: number): string {
  if (name.length <= charsMax) return name;
  const kept = Math.max(0, charsMax - ELLIPSIS.length);
  const tail = Math.ceil(kept / 2);
  return `${name.slice(0, kept - tail)}${ELLIPSIS}${name.slice(name.length - tail)}`;
}

/**
 * Cuts names to a number of characters so that each reads like no other of them: their ends and the words in which they
 * differ stay, and of their beginnings what there is room for. A name that cannot be told apart so stays whole.
 */
export function tellApart(names: readonly string[], charsMax: number): ReadonlyMap<string, string> {
  const shown = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of new Set(names)) {
    const kept = keptRanges(name, names, { tailChars: Math.ceil(charsMax / 3), charsMax });
    const text = name.length <= charsMax ? name : cutTo(name, kept, charsMax);
    const unique = taken.has(text) ? name : text;
    shown.set(name, unique);
    taken.add(unique);
  }
  return shown;
}

interface Room {
  readonly tailChars: number;
  readonly charsMax: number;
}

/** The pieces of a name that stay, from its beginning to its end. */
function keptRanges(
  name: string,
  others: Iterable<string>,
  room: Room = { tailChars: TAIL_CHARS, charsMax: KEPT_CHARS_MAX },
): readonly Range[] {
  const all = [...others];
  let widest: readonly Range[] | null = null;
  for (const wordCharsMax of WORD_CHARS_MAX) {
    const kept = keptWords(name, all, { ...room, wordCharsMax });
    if (all.every((other) => isToldFrom(name, other, kept))) return kept;
    widest ??= kept;
  }
  return widest!;
}

/** As many words as there is room for, in the order of the names that they tell it from. */
function keptWords(
  name: string,
  others: readonly string[],
  { tailChars, charsMax, wordCharsMax }: Room & { wordCharsMax: number },
): readonly Range[] {
  let kept: readonly Range[] = [[Math.max(0, name.length - tailChars), name.length]];
  for (const other of others) {
    if (isToldFrom(name, other, kept)) continue;
    const next = merged([...kept, differingWord(name, other, wordCharsMax)]);
    if (charsOf(next) + cutsOf(next) * ELLIPSIS.length <= charsMax) kept = next;
  }
  return kept;
}

/** Whether another name cannot be taken for this one by what is kept of it. */
function isToldFrom(name: string, other: string, kept: readonly Range[]): boolean {
  if (name === other || kept[0]![1] - kept[0]![0] === name.length) return true;
  let read = 0;
  for (const [from, to] of kept) {
    const piece = name.slice(from, to);
    const at =
      to === name.length
        ? other.length - piece.length
        : from === 0 && !other.startsWith(piece)
          ? -1
          : other.indexOf(piece, read);
    if (at < read || !other.startsWith(piece, at)) return true;
    read = at + piece.length;
  }
  return false;
}

/** The word of a name, or a part of a long one, that has the last letter in which it differs from another name. */
function differingWord(name: string, other: string, charsMax: number): Range {
  const differ = name.length - commonEnd(name, other);
  // The other one goes on before it: what tells it apart is how it begins.
  if (differ === 0) return [0, Math.min(TAIL_CHARS, charsMax, name.length)];
  const isInWord = (at: number) => at >= 0 && at < name.length && !/[-_]/.test(name[at]!);
  const end = isInWord(differ - 1) || differ === 1 ? differ : differ - 1;
  let from = end - 1;
  let to = end;
  while (isInWord(from - 1) && end - from < charsMax) from -= 1;
  while (isInWord(to) && to - end < charsMax) to += 1;
  return [from, to];
}

/** In order, and without cuts that would save next to nothing. */
function merged(ranges: readonly Range[]): readonly Range[] {
  const result: Range[] = [];
  for (const range of [...ranges].sort(([one], [other]) => one - other)) {
    const last = result.at(-1);
    if (range[0] <= UNCUT_CHARS_MAX && last === undefined) result.push([0, range[1]]);
    else if (last === undefined || range[0] > last[1] + UNCUT_CHARS_MAX) result.push(range);
    else result[result.length - 1] = [last[0], Math.max(last[1], range[1])];
  }
  return result;
}

function charsOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** How many pieces do not stay. */
function cutsOf(ranges: readonly Range[]): number {
  return ranges[0]![0] === 0 ? ranges.length - 1 : ranges.length;
}

function cutTo(name: string, kept: readonly Range[], charsMax: number): string {
  const room = Math.max(0, charsMax - charsOf(kept) - cutsOf(kept) * ELLIPSIS.length);
  const pieces = merged([[0, kept[0]![0] === 0 ? kept[0]![1] + room : room], ...kept]);
  return pieces.map(([from, to]) => name.slice(from, to)).join(ELLIPSIS);
}

function commonEnd(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let chars = 0;
  while (chars < most && a[a.length - 1 - chars] === b[b.length - 1 - chars]) chars += 1;
  return chars;
}
