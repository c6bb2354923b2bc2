import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import {
  GROUP_ENTRIES_MAX,
  Group,
  groupOf,
  OPEN_GROUPS_MAX,
  Placed,
  ROWS_OF_A_GROUP_MAX,
  type Top,
} from './event-groups.ts';
import type { GapRow } from './gap-rows.ts';
import { pushTop } from './group-rows.ts';
import type { EdgeRow, EdgeState, LogRow } from './log-row.ts';
import { HEADING_ROWS_MAX, MinuteHeadings } from './minute-headings.ts';

interface Drawn {
  readonly rows: LogRow[];
  /** Where the rows of each top begin, and what stands behind the last. */
  readonly begins: number[];
  /** The minute that is named before each of them. */
  readonly minutes: number[];
}

/**
 * The log as rows, in the order of arrival (`seq`). The rows follow from the entries that are loaded and from nothing else:
 * not from the pages in which they came, nor from their order.
 *
 * Every entry belongs to one group. The key of a group is the second of the sender's clock, and for events that are rolled
 * up their type, for all others whether they have a severity of warning and above. An entry joins the newest group of its
 * key if that is among the last twelve that began (some forty rows) and is not full, else it begins a group. A group of
 * rolled-up events is one row. Of other events each is a row, until there are more than twelve; then they are one row too.
 *
 * So the oldest group can be dropped as a whole, and the entries above a seq can be dropped, without a change of any other
 * row.
 */
export class LogRows {
  /** In the order of seq. */
  #entries: Placed[] = [];
  /** In the order in which they began. */
  #groups: Group[] = [];
  /** In the order of their first seq. */
  #tops: Top[] = [];
  #nextOrdinal = 0;
  /** As they were given, and in the order of their places. */
  #gapsGiven: readonly GapRow[] = [];
  #gaps: readonly GapRow[] = [];
  #edges: { readonly top: EdgeState | null; readonly bottom: EdgeState | null } = { top: null, bottom: null };
  #drawn: Drawn = { rows: [], begins: [0], minutes: [Number.NaN] };
  /** The rows of the tops before this one are as they should be, but for those of the front. */
  #valid = 0;
  /** So many tops at the start are to be drawn anew. Those behind them stood `#shift` places before where they are now. */
  #front = 0;
  #shift = 0;
  #isDirty = false;

  /** How many entries are loaded. */
  get size(): number {
    return this.#entries.length;
  }

  /** The lowest and the highest seq that are loaded, or null if there are none. */
  get range(): { readonly first: number; readonly last: number } | null {
    const first = this.#entries[0];
    return first === undefined ? null : { first: first.seq, last: this.#entries.at(-1)!.seq };
  }

  /** The rows as of now. Rows are not changed: a row that changed is another object with the same id. */
  get rows(): readonly LogRow[] {
    if (this.#isDirty) this.#draw();
    return this.#drawn.rows;
  }

  /** Adds entries of any place, in any order. Those that are loaded already are left out. */
  add(entries: readonly EventLogEntry[]): void {
    if (entries.length === 0) return;
    let last = this.#entries.at(-1)?.seq ?? -1;
    let isBehindAll = true;
    for (let at = 0; at < entries.length && isBehindAll; at += 1) {
      isBehindAll = entries[at]!.seq > last;
      last = entries[at]!.seq;
    }
    if (hasMore(this.#edges.bottom)) this.#valid = Math.min(this.#valid, this.#newestFolded());
    if (isBehindAll) for (const entry of entries) this.#append(new Placed(entry));
    else this.#insert(entries);
    this.#changed(this.#tops.length);
  }

  /**
   * Drops the oldest groups until at most `entriesMax` entries are left, but none that has an entry at or above
   * `keepFrom`, and never the newest. Returns the highest seq that was dropped, or null. Entries below it may still be
   * loaded, so the page before the rows is the one below that seq.
   */
  trimStart(entriesMax: number, { keepFrom = Number.POSITIVE_INFINITY } = {}): number | null {
    let dropped = 0;
    let left = this.#entries.length;
    let lastSeq: number | null = null;
    while (left > entriesMax && this.#groups.length - dropped > 1) {
      const { placed } = this.#groups[dropped]!;
      const groupLast = placed.at(-1)!.seq;
      if (groupLast >= keepFrom) break;
      lastSeq = Math.max(lastSeq ?? 0, groupLast);
      left -= placed.length;
      dropped += 1;
    }
    if (lastSeq === null) return null;
    if (this.#isDirty) this.#draw();
    const oldest = this.#groups[dropped]!.ordinal;
    this.#groups = this.#groups.slice(dropped);
    const isKept = (group: Group) => group.ordinal >= oldest;
    // Behind the last that goes, all stay.
    const end = this.#indexOf(lastSeq + 1);
    const kept = this.#entries.slice(0, end).filter(({ group }) => isKept(group));
    this.#entries = kept.concat(this.#entries.slice(end));
    const topsEnd = this.#topBehind(lastSeq);
    const keptTops = this.#tops.slice(0, topsEnd).filter((top) => isKept(groupOf(top)));
    this.#setTops(keptTops.concat(this.#tops.slice(topsEnd)));
    this.#redrawFront(keptTops.length, { shift: keptTops.length - topsEnd });
    return lastSeq;
  }

  /** Drops the newest entries until `entriesMax` are left, but none at or below `keepTo`. Returns them, oldest first. */
  trimEnd(entriesMax: number, { keepTo = Number.NEGATIVE_INFINITY } = {}): EventLogEntry[] {
    let end = Math.min(entriesMax, this.#entries.length);
    while (end < this.#entries.length && this.#entries[end]!.seq <= keepTo) end += 1;
    const dropped = this.#truncate(end);
    if (dropped.length > 0) this.#changed(0);
    return dropped.map(({ entry }) => entry);
  }

  clear(): void {
    this.#truncate(0);
    this.#changed(0);
  }

  /** Opens or closes a roll-up or a burst. Its events then stand under it. Other rows are not touched. */
  toggle(id: string): void {
    const seq = Number(id.slice(1));
    const placed = this.#entries[this.#indexOf(seq)];
    if (placed?.seq !== seq) return;
    const { group } = placed;
    if (!group.isFolded || group.id !== id) return;
    group.isOpen = !group.isOpen;
    group.row = null;
    this.#changed(group.at);
  }

  /** The gaps, in any order. Each stands behind its seq `after`. */
  setGaps(gaps: readonly GapRow[]): void {
    const given = this.#gapsGiven;
    if (gaps.length === given.length && gaps.every((gap, at) => gap === given[at])) return;
    const before = this.#gaps;
    this.#gapsGiven = [...gaps];
    this.#gaps = [...gaps].sort((one, other) => one.after - other.after || (one.id < other.id ? -1 : 1));
    let same = 0;
    while (same < before.length && before[same] === this.#gaps[same]) same += 1;
    const lowest = Math.min(
      before[same]?.after ?? Number.POSITIVE_INFINITY,
      this.#gaps[same]?.after ?? Number.POSITIVE_INFINITY,
    );
    this.#changed(this.#topBehind(lowest));
  }

  setEdges(edges: { readonly top: EdgeState | null; readonly bottom: EdgeState | null }): void {
    if (edges.top === this.#edges.top && edges.bottom === this.#edges.bottom) return;
    const isTopSame = edges.top === this.#edges.top;
    const isBottomSame = edges.bottom === this.#edges.bottom;
    this.#edges = edges;
    if (!isTopSame) this.#front = Math.max(this.#front, this.#oldestFolded());
    this.#changed(isBottomSame ? this.#tops.length : this.#newestFolded());
  }

  /**
   * The index of the row that shows the entry, else of the row of the next newer entry that is loaded; -1 if there is none.
   * An entry in a closed row is shown by that row.
   */
  rowOf(seq: number): number {
    const placed = this.#entries[this.#indexOf(seq)];
    if (placed === undefined) return -1;
    const { group } = placed;
    const id = group.isFolded && !group.isOpen ? group.id : `e${placed.seq}`;
    const { rows } = this;
    const top = group.isFolded ? group.at : placed.at;
    const end = this.#drawn.begins[top + 1]!;
    for (let at = this.#drawn.begins[top]!; at < end; at += 1) if (rows[at]!.id === id) return at;
    return -1;
  }

  /** The entry of a seq, if it is loaded. */
  entryOf(seq: number): EventLogEntry | null {
    const placed = this.#entries[this.#indexOf(seq)];
    return placed?.seq === seq ? placed.entry : null;
  }

  /** The entry of a place among those that are loaded, the oldest first. */
  entryAt(index: number): EventLogEntry | null {
    return this.#entries[index]?.entry ?? null;
  }

  /** The entries that a row stands for, oldest first. */
  entriesOf(row: LogRow): readonly EventLogEntry[] {
    if (row.kind === 'event') return [row.entry];
    if (row.kind !== 'rollup' && row.kind !== 'burst') return [];
    const placed = this.#entries[this.#indexOf(row.seq)];
    return placed?.seq === row.seq ? placed.group.placed.map(({ entry }) => entry) : [];
  }

  /** `from`: the rows of the tops before it stay as they are. */
  #changed(from: number): void {
    this.#valid = Math.min(this.#valid, from);
    this.#isDirty = true;
  }

  /** Has the first tops drawn anew after the others moved by `shift` places. All rows must have been drawn. */
  #redrawFront(tops: number, { shift }: { shift: number }): void {
    this.#shift = shift;
    this.#front = Math.max(tops, this.#oldestFolded());
    this.#valid = this.#tops.length;
    this.#changed(this.#tops.length);
  }

  /** How many tops there are until the last of those that may go on in older history. */
  #oldestFolded(): number {
    let end = 1;
    for (let at = 0; at < OPEN_GROUPS_MAX && at < this.#groups.length; at += 1) {
      const group = this.#groups[at]!;
      if (group.isFolded) end = Math.max(end, group.at + 1);
    }
    return end;
  }

  /** The index of the first top of those that may go on in newer history. */
  #newestFolded(): number {
    let first = this.#tops.length;
    for (const group of this.#groups.slice(-OPEN_GROUPS_MAX)) {
      if (group.isFolded) first = Math.min(first, group.at);
    }
    return first;
  }

  /** The index of the first entry at or above a seq. */
  #indexOf(seq: number): number {
    return firstIndex(this.#entries, (placed) => placed.seq >= seq);
  }

  /** The index of the first top that begins behind a seq. */
  #topBehind(seq: number): number {
    return firstIndex(this.#tops, (top) => top.seq > seq);
  }

  #insert(entries: readonly EventLogEntry[]): void {
    const added = new Map<number, Placed>();
    for (const entry of entries) {
      if (this.#entries[this.#indexOf(entry.seq)]?.seq !== entry.seq) added.set(entry.seq, new Placed(entry));
    }
    if (added.size === 0) return;
    const fresh = [...added.values()].sort((one, other) => one.seq - other.seq);
    const open = this.#groups.filter(({ isOpen }) => isOpen).map(({ placed }) => placed[0]!);
    const at = this.#indexOf(fresh[0]!.seq);
    if (at === 0) this.#insertBefore(fresh);
    else this.#merge(this.#truncate(at), { fresh, until: () => false });
    for (const { group } of open) {
      group.isOpen = group.isFolded;
      group.row = null;
    }
  }

  /**
   * Puts entries behind all others, in the order of seq, until something holds after one of `placed` with nothing left of
   * `fresh`. Returns how many of `placed` were taken.
   */
  #merge(
    placed: readonly Placed[],
    { fresh, until }: { fresh: readonly Placed[]; until: (placed: Placed) => boolean },
  ): number {
    let next = 0;
    for (let at = 0; at < placed.length; at += 1) {
      const each = placed[at]!;
      for (; next < fresh.length && fresh[next]!.seq < each.seq; next += 1) this.#append(fresh[next]!);
      const isReached = until(each);
      if (isReached && next === fresh.length) return at;
      this.#append(each);
    }
    for (; next < fresh.length; next += 1) this.#append(fresh[next]!);
    return placed.length;
  }

  /**
   * Adds entries of which the first is the first of all. What follows is laid out anew until the groups that an entry can
   * join are those which it could join before: from there on everything stays.
   */
  #insertBefore(fresh: readonly Placed[]): void {
    if (this.#isDirty) this.#draw();
    const held = { entries: this.#entries, groups: this.#groups, tops: this.#tops.length };
    this.#truncateAll();
    const taken = new Map<Group, number>();
    let begun = 0;
    const end = this.#merge(held.entries, {
      fresh,
      until: ({ group }) => {
        if (this.#agrees(held.groups.slice(Math.max(0, begun - OPEN_GROUPS_MAX), begun), taken)) return true;
        const events = (taken.get(group) ?? 0) + 1;
        taken.set(group, events);
        if (events === 1) begun += 1;
        return false;
      },
    });
    if (end === held.entries.length) {
      this.#changed(0);
      return;
    }
    const tail = held.entries.slice(end);
    this.#joinTail({ tail, groups: held.groups.slice(begun - OPEN_GROUPS_MAX) });
    const front = this.#topBehind(tail[0]!.seq - 1);
    this.#redrawFront(front, { shift: this.#tops.length - held.tops });
  }

  /** Whether the newest groups are the same as those of a former layout, of which so many entries were `taken`. */
  #agrees(former: readonly Group[], taken: ReadonlyMap<Group, number>): boolean {
    if (former.length < OPEN_GROUPS_MAX || this.#groups.length < OPEN_GROUPS_MAX) return false;
    for (let at = 1; at <= OPEN_GROUPS_MAX; at += 1) {
      const { placed } = this.#groups.at(-at)!;
      const held = former.at(-at)!;
      if (placed[0] !== held.placed[0] || placed.length !== taken.get(held)) return false;
    }
    return true;
  }

  /** Goes on with a former layout. The first of its groups take the places of the newest of this one. */
  #joinTail({ tail, groups }: { tail: readonly Placed[]; groups: readonly Group[] }): void {
    const replaced = this.#groups.splice(-OPEN_GROUPS_MAX);
    let ordinal = replaced[0]!.ordinal;
    for (const group of groups) {
      group.ordinal = ordinal;
      ordinal += 1;
      this.#groups.push(group);
    }
    for (let at = 0; at < OPEN_GROUPS_MAX; at += 1) {
      for (const placed of groups[at]!.placed) placed.group = groups[at]!;
    }
    this.#nextOrdinal = ordinal;
    this.#entries = this.#entries.concat(tail);
    this.#setTops(topsOf(this.#entries));
  }

  /** Puts an entry behind all others. */
  #append(placed: Placed): void {
    const group = this.#openGroup(placed) ?? this.#begin(placed);
    placed.group = group;
    group.row = null;
    this.#entries.push(placed);
    const events = group.placed.push(placed);
    if (group.isRolledUp) {
      if (events === 1) group.at = this.#tops.push(group) - 1;
    } else if (events <= ROWS_OF_A_GROUP_MAX) {
      placed.at = this.#tops.push(placed) - 1;
    } else if (events === ROWS_OF_A_GROUP_MAX + 1) {
      this.#fold(group);
    }
    this.#valid = Math.min(this.#valid, group.isFolded ? group.at : placed.at);
  }

  #openGroup({ key, secondMs }: Placed): Group | null {
    const groups = this.#groups;
    const oldest = Math.max(0, groups.length - OPEN_GROUPS_MAX);
    for (let at = groups.length - 1; at >= oldest; at -= 1) {
      const group = groups[at]!;
      if (group.secondMs !== secondMs || group.key !== key) continue;
      return group.placed.length < GROUP_ENTRIES_MAX ? group : null;
    }
    return null;
  }

  #begin(placed: Placed): Group {
    const group = new Group(placed, this.#nextOrdinal);
    this.#nextOrdinal += 1;
    this.#groups.push(group);
    return group;
  }

  /** Draws a group as one row, in the place of its first. All its rows are near the end. */
  #fold(group: Group): void {
    const { at } = group.placed[0]!;
    const behind = this.#tops.splice(at);
    this.#tops.push(group);
    for (const top of behind) if (groupOf(top) !== group) this.#tops.push(top);
    for (let index = at; index < this.#tops.length; index += 1) this.#tops[index]!.at = index;
  }

  #setTops(tops: Top[]): void {
    this.#tops = tops;
    for (let at = 0; at < tops.length; at += 1) tops[at]!.at = at;
  }

  /** Takes away all entries from an index on and returns them. */
  #truncate(end: number): Placed[] {
    if (end >= this.#entries.length) return [];
    this.#valid = 0;
    if (end === 0) return this.#truncateAll();
    const taken = this.#entries.splice(end);
    const touched = new Set<Group>();
    for (let at = taken.length - 1; at >= 0; at -= 1) {
      const { group } = taken[at]!;
      group.placed.pop();
      touched.add(group);
    }
    // A group that began later has only later entries.
    while (this.#groups.length > 0 && this.#groups.at(-1)!.placed.length === 0) this.#groups.pop();
    for (const group of touched) {
      group.row = null;
      group.stats = null;
      if (!group.isFolded) group.isOpen = false;
    }
    this.#nextOrdinal = this.#groups.length === 0 ? 0 : this.#groups.at(-1)!.ordinal + 1;
    this.#setTops(topsOf(this.#entries));
    return taken;
  }

  #truncateAll(): Placed[] {
    const taken = this.#entries;
    this.#entries = [];
    this.#groups = [];
    this.#tops = [];
    this.#nextOrdinal = 0;
    this.#valid = 0;
    return taken;
  }

  /** Draws the rows of the tops that changed, and of those behind them. */
  #draw(): void {
    const tops = this.#tops;
    const valid = Math.min(this.#valid, tops.length);
    const before = this.#drawn;
    let isFront = this.#front > 0 || valid === 0;
    const drawn = isFront ? this.#drawnNothing() : drawnUntil(before, valid);
    const { rows, begins, minutes } = drawn;
    const gaps = this.#gapsShown();
    const atLeast = this.#atLeast();
    let at = isFront ? 0 : valid;
    let headings = new MinuteHeadings(tops, { at, named: isFront ? Number.NaN : before.minutes[valid]! });
    let gap = gapsBefore(gaps, tops, at);
    for (; at < tops.length; at += 1) {
      if (isFront && this.#isAsBefore(at, { valid, named: headings.named })) {
        this.#keep(drawn, { from: at, to: valid });
        isFront = false;
        at = valid;
        headings = new MinuteHeadings(tops, { at, named: before.minutes[valid - this.#shift]! });
        gap = gapsBefore(gaps, tops, at);
        if (at === tops.length) break;
      }
      const top = tops[at]!;
      begins.push(rows.length);
      minutes.push(headings.named);
      for (; gap < gaps.length && gaps[gap]!.after < top.seq; gap += 1) rows.push(gaps[gap]!);
      const { headingMs, clock } = headings.next(at);
      if (headingMs !== null) rows.push({ kind: 'date', id: `d${top.seq}`, minuteMs: headingMs });
      pushTop(rows, top, { clock, atLeast });
    }
    begins.push(rows.length);
    minutes.push(headings.named);
    for (; gap < gaps.length; gap += 1) rows.push(gaps[gap]!);
    if (this.#edges.bottom !== null) rows.push(edgeRow('bottom', this.#edges.bottom));
    this.#drawn = drawn;
    this.#valid = tops.length;
    this.#front = 0;
    this.#shift = 0;
    this.#isDirty = false;
  }

  #drawnNothing(): Drawn {
    const { top } = this.#edges;
    return { rows: top === null ? [] : [edgeRow('top', top)], begins: [], minutes: [] };
  }

  /** Whether the rows from a top on are those that were drawn before: all that decides about them is the same. */
  #isAsBefore(at: number, { valid, named }: { valid: number; named: number }): boolean {
    if (at >= valid || at < this.#front + HEADING_ROWS_MAX) return false;
    return this.#drawn.minutes[at - this.#shift] === named;
  }

  /** Takes over the rows of some tops as they were drawn before. */
  #keep({ rows, begins, minutes }: Drawn, { from, to }: { from: number; to: number }): void {
    const before = this.#drawn;
    const start = before.begins[from - this.#shift]!;
    const end = before.begins[to - this.#shift]!;
    const moved = rows.length - start;
    for (let at = start; at < end; at += 1) rows.push(before.rows[at]!);
    for (let at = from; at < to; at += 1) {
      begins.push(before.begins[at - this.#shift]! + moved);
      minutes.push(before.minutes[at - this.#shift]!);
    }
  }

  /** Those that stand behind an entry which is loaded, or where there is none beyond all that are. */
  #gapsShown(): readonly GapRow[] {
    const { range } = this;
    if (range === null) return this.#gaps;
    const { top, bottom } = this.#edges;
    const from = hasMore(top) ? firstIndex(this.#gaps, ({ after }) => after >= range.first) : 0;
    const to = hasMore(bottom)
      ? firstIndex(this.#gaps, ({ after }) => after > range.last)
      : this.#gaps.length;
    return this.#gaps.slice(from, to);
  }

  /** Which rows may go on in what is not loaded: those of the oldest second at the top, and of the newest at the bottom. */
  #atLeast(): (group: Group) => boolean {
    const first = hasMore(this.#edges.top) ? this.#entries[0] : undefined;
    const last = hasMore(this.#edges.bottom) ? this.#entries.at(-1) : undefined;
    const newest = this.#nextOrdinal - OPEN_GROUPS_MAX;
    return ({ ordinal, secondMs }) =>
      (first !== undefined && ordinal < OPEN_GROUPS_MAX && secondMs === first.secondMs) ||
      (last !== undefined && ordinal >= newest && secondMs === last.secondMs);
  }
}

/** The index of the first item for which something holds that then holds for all behind it. */
function firstIndex<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What is drawn of the tops before one. */
function drawnUntil({ rows, begins, minutes }: Drawn, top: number): Drawn {
  return { rows: rows.slice(0, begins[top]), begins: begins.slice(0, top), minutes: minutes.slice(0, top) };
}

/** How many gaps stand before the last of the first `end` tops. */
function gapsBefore(gaps: readonly GapRow[], tops: readonly Top[], end: number): number {
  return end === 0 ? 0 : firstIndex(gaps, ({ after }) => after >= tops[end - 1]!.seq);
}

function hasMore(edge: EdgeState | null): boolean {
  return edge !== null && edge !== 'beginning' && edge !== 'gone';
}

function edgeRow(at: EdgeRow['at'], state: EdgeState): EdgeRow {
  return { kind: 'edge', id: `edge-${at}`, at, state };
}

function topsOf(entries: readonly Placed[]): Top[] {
  const tops: Top[] = [];
  for (const placed of entries) {
    const { group } = placed;
    if (!group.isFolded) tops.push(placed);
    else if (group.placed[0] === placed) tops.push(group);
  }
  return tops;
}
