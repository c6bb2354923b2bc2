import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import type { EdgeState } from './log-row.ts';
import { LogRows } from './log-rows.ts';

/** A filter that finds nothing in so many pages waits to be told to go on. */
const EMPTY_PAGES_MAX = 25;

/** How much is kept and asked for. */
export interface WindowSizes {
  /** All entries that are kept: those in rows, and those that wait while somebody reads. */
  readonly entriesMax: number;
  /** The newest entries that are kept for the way back to the end while the rows are elsewhere. */
  readonly heldKept: number;
  /** The events of a page. */
  readonly pageEvents: number;
  /** Rows are dropped in pieces of so many entries, because dropping a few costs as much as dropping many. */
  readonly trimPiece: number;
  /** A page is asked for when so few rows are left to scroll. */
  readonly rowsAhead: number;
}

const usualSizes: WindowSizes = {
  ...{ entriesMax: 20_000, heldKept: 1_000, pageEvents: EVENTS_PAGE_MAX, trimPiece: 1_000, rowsAhead: 200 },
};

/** A page of the history that is wanted. Without `before` and `after` it is the newest. */
export interface PageRequest {
  readonly id: number;
  readonly kind: 'older' | 'newer' | 'between';
  readonly before?: number;
  readonly after?: number;
  readonly limit: number;
}

/** What the reader sees, by indexes of `rows`. */
export interface Viewed {
  readonly first: number;
  readonly last: number;
  /** Whether the end of the last row is in view. */
  readonly isAtEnd: boolean;
}

interface Edge {
  /** The `before` or `after` of the next page; undefined for the newest page, null if there is no more. */
  next: number | null | undefined;
  pending: PageRequest | null;
  hasFailed: boolean;
  emptyPages: number;
}

/**
 * Decides which part of a run's log is loaded. It is attached while its rows reach to the newest event, or to those that
 * wait behind them, and else detached. While it follows, new entries become rows and the oldest are dropped. While somebody
 * reads, rows do not change by themselves: new entries wait and are counted, and beyond the bound only the newest of them
 * are kept. Inputs are the methods; what they want is in `takeRequests`.
 */
export class LogWindow {
  readonly rows = new LogRows();
  readonly #sizes: WindowSizes;
  /** A page in each direction, and one of a gap, may be on their way when this is reached. */
  readonly #rowsEntriesMax: number;
  #older: Edge = edgeAt(null);
  #newer: Edge = edgeAt(null);
  /** A gap of the stream that is being filled. */
  #between: { readonly after: number; readonly before: number; readonly request: PageRequest } | null = null;
  /** The newest entries of the stream: all of them above `#heldAfter`, which is infinite while that is not known. */
  #held: EventLogEntry[] = [];
  #heldAfter = Number.POSITIVE_INFINITY;
  #isAttached = true;
  #isCatchingUp = false;
  #isPaused = false;
  #isFollowing = true;
  #newCount = 0;
  #target: number | null = null;
  #firstSeq: number | null = null;
  #oldest = 0;
  #viewed: Viewed | null = null;
  #requests: PageRequest[] = [];
  #nextId = 1;

  constructor(sizes: WindowSizes = usualSizes) {
    this.#sizes = sizes;
    this.#rowsEntriesMax = sizes.entriesMax - sizes.heldKept - 3 * sizes.pageEvents;
  }

  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the rows reach to the newest event, or to those that wait. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** All entries of the run from one seq to the other are loaded, but for gaps of the stream; null if none are. */
  get loaded(): { readonly from: number; readonly to: number } | null {
    const { range } = this.rows;
    return range === null ? null : { from: this.#wholeFrom(range.first), to: range.last };
  }

  /** How many entries came since somebody reads. */
  get newCount(): number {
    return this.#newCount;
  }

  /** The seq that `goTo` was asked for last and that the view has to show; null once it was taken. */
  get target(): number | null {
    return this.#target;
  }

  /** How many entries are kept. */
  get size(): number {
    return this.rows.size + this.#held.length;
  }

  /** The view has shown the target. */
  takeTarget(): void {
    this.#target = null;
  }

  /** Hands over what is to be asked for. Each is answered by `page` or `pageFailed`. */
  takeRequests(): readonly PageRequest[] {
    const requests = this.#requests;
    this.#requests = [];
    return requests;
  }

  /**
   * Begins with the newest entries of a run, or begins anew. `firstSeq` is the run's first; null if it has no event. The
   * newest page of the history is asked for at once, because the oldest second of these entries is not whole.
   */
  start({ entries, firstSeq }: { entries: readonly EventLogEntry[]; firstSeq: number | null }): void {
    this.#reset();
    this.#firstSeq = firstSeq;
    this.#held = [];
    this.#heldAfter = Number.POSITIVE_INFINITY;
    this.#isFollowing = !this.#isPaused;
    this.#newCount = 0;
    this.rows.add(entries);
    this.#older = edgeAt(firstSeq === null ? null : undefined);
    if (firstSeq !== null) this.#ask('older');
    this.#settle();
  }

  /** Takes entries of the stream, which are newer than all before. */
  live(entries: readonly EventLogEntry[]): void {
    if (entries.length === 0) return;
    this.#firstSeq ??= entries[0]!.seq;
    if (this.#isFollowing) {
      this.rows.add(entries);
      this.#trimStart();
    } else {
      this.#newCount += entries.length;
      this.#held.push(...entries);
      this.#boundHeld();
    }
    this.#settle();
  }

  /**
   * Takes the answer to a request. One that nobody waits for any more is ignored. Returns the `after` of a gap of the stream
   * that is filled now, else null.
   */
  page(id: number, page: Pick<EventsPage, 'events' | 'next' | 'oldest' | 'position'>): number | null {
    const entries = entriesOf(page.events, this.rows);
    let filled: number | null = null;
    this.#oldest = page.oldest;
    if (this.#between?.request.id === id) filled = this.#fill(entries, page.next);
    else if (this.#older.pending?.id === id) this.#takeOlder(entries, page.next);
    else if (this.#newer.pending?.id === id) this.#takeNewer(entries, page);
    this.#boundHeld();
    this.#settle();
    return filled;
  }

  /**
   * A request was refused, or not answered. `retry` asks again. Returns the `after` of the gap of the stream that it was to
   * fill, else null.
   */
  pageFailed(id: number): number | null {
    for (const edge of [this.#older, this.#newer]) {
      if (edge.pending?.id !== id) continue;
      edge.pending = null;
      edge.hasFailed = true;
    }
    const unfilled = this.#between?.request.id === id ? this.#between.after : null;
    if (unfilled !== null) this.#between = null;
    this.#settle();
    return unfilled;
  }

  /** Asks again for what failed, and goes on with a search that found nothing. */
  retry(): void {
    for (const kind of ['older', 'newer'] as const) {
      const edge = this.#edge(kind);
      if (!edge.hasFailed && edge.emptyPages < EMPTY_PAGES_MAX) continue;
      edge.hasFailed = false;
      edge.emptyPages = 0;
      this.#ask(kind);
    }
    this.#settle();
  }

  /**
   * What is in view. Near either end of the rows the next page is asked for. Whoever scrolls to the end of the log follows
   * it; whoever began to read there does not.
   */
  view(viewed: Viewed): void {
    const arrives = viewed.isAtEnd && this.#viewed?.isAtEnd !== true;
    this.#viewed = viewed;
    if (arrives && this.#target === null && this.#isAttached && !this.#isPaused) this.#release();
    else if (!viewed.isAtEnd) this.#isFollowing = false;
    if (viewed.first < this.#sizes.rowsAhead) this.#ask('older');
    if (viewed.last >= this.rows.rows.length - this.#sizes.rowsAhead) this.#ask('newer');
    this.#settle();
  }

  pause(): void {
    this.#isPaused = true;
    this.#isFollowing = false;
  }

  /** Whether what comes next has to wait for events that were left out, at the end of the rows. */
  setCatchingUp(isCatchingUp: boolean): void {
    this.#isCatchingUp = isCatchingUp;
    this.#settle();
  }

  /** Somebody reads without having scrolled: rows do not change by themselves any more. */
  leaveEnd(): void {
    this.#isFollowing = false;
  }

  /** Goes to the end and follows it. What waits is shown at once; older entries are fetched. */
  follow(): void {
    this.#isPaused = false;
    if (!this.#isAttached) {
      const held = this.#held;
      this.#reset();
      this.rows.add(held);
      this.#held = [];
      this.#older = edgeAt(held.length === 0 ? undefined : held[0]!.seq);
      this.#ask('older');
    }
    this.#release();
    this.#settle();
  }

  /** Goes to an event, whose surroundings are fetched if they are not loaded. It is not followed then. */
  goTo(seq: number): void {
    this.#isFollowing = false;
    this.#target = seq;
    const { range } = this.rows;
    const isInside = range !== null && seq <= range.last && seq >= this.#wholeFrom(range.first);
    if (!isInside && !this.#isEmptyBeyond(seq)) {
      this.#leave();
      this.#older = edgeAt(seq + 1);
      this.#newer = edgeAt(seq);
      this.#ask('older');
      this.#ask('newer');
    }
    this.#settle();
  }

  /** Goes to the beginning of the run, or of what is left of it. */
  goToBeginning(): void {
    this.#isFollowing = false;
    // Below every seq: the view shows the first row that is there.
    this.#target = -1;
    if (this.#older.next !== null) {
      this.#leave();
      this.#older = edgeAt(null);
      this.#newer = edgeAt(-1);
      this.#ask('newer');
    }
    this.#settle();
  }

  /** Asks for the entries that a gap of the stream left out. It is filled from its beginning on. */
  fillGap({ after, before }: { after: number; before: number }): void {
    if (this.#between !== null) return;
    this.#between = { after, before, request: this.#request('between', { after }) };
  }

  /** The page before the rows begins above everything that was dropped. */
  #wholeFrom(first: number): number {
    const { next } = this.#older;
    return typeof next === 'number' ? Math.max(first, next) : first;
  }

  /** Whether a seq lies before the beginning or behind the end, so that nothing is there to fetch. */
  #isEmptyBeyond(seq: number): boolean {
    const { range } = this.rows;
    if (range === null) return this.#older.next === null && this.#isAttached;
    return (
      (seq < range.first && this.#older.next === null) ||
      (seq > range.last && this.#isAttached && this.#held.length === 0)
    );
  }

  #takeOlder(entries: EventLogEntry[], next: number | null): void {
    const edge = this.#older;
    const sizeBefore = this.rows.size;
    edge.pending = null;
    edge.next = next;
    this.rows.add(entries);
    const isEmpty = this.rows.size === sizeBefore;
    edge.emptyPages = isEmpty ? edge.emptyPages + 1 : 0;
    if (this.#isFollowing) this.#trimStart();
    else this.#trimEnd();
    if (isEmpty) this.#ask('older');
  }

  #takeNewer(entries: EventLogEntry[], page: Pick<EventsPage, 'next' | 'position'>): void {
    const edge = this.#newer;
    const sizeBefore = this.rows.size;
    edge.pending = null;
    edge.next = page.next ?? page.position.seq;
    this.rows.add(entries);
    const isEmpty = this.rows.size === sizeBefore;
    edge.emptyPages = isEmpty ? edge.emptyPages + 1 : 0;
    const isEnd = page.next === null && this.#heldAfter === Number.POSITIVE_INFINITY;
    if (isEnd || edge.next >= this.#heldAfter) {
      this.#isAttached = true;
      edge.next = null;
      const { range } = this.rows;
      // Both the page and the stream may have brought them.
      if (range !== null) this.#held = this.#held.filter(({ seq }) => seq > range.last);
      if (this.#viewed?.isAtEnd === true && !this.#isPaused && this.#target === null) this.#release();
    } else if (isEmpty || page.next === null) {
      this.#ask('newer');
    }
    this.#trimStart();
  }

  #fill(entries: EventLogEntry[], next: number | null): number | null {
    const { after, before } = this.#between!;
    this.rows.add(entries.filter(({ seq }) => seq < before));
    const isFilled = next === null || next >= before - 1;
    this.#between = isFilled ? null : { after, before, request: this.#request('between', { after: next }) };
    if (this.#isFollowing) this.#trimStart();
    else this.#trimEnd();
    return isFilled ? after : null;
  }

  /** Puts what waits behind the rows and follows. */
  #release(): void {
    this.rows.add(this.#held);
    this.#held = [];
    this.#newCount = 0;
    this.#isFollowing = true;
    this.#trimStart();
  }

  /** Leaves the end: the newest entries are kept for the way back. */
  #leave(): void {
    if (this.#isAttached) {
      const { range } = this.rows;
      const all = [...this.rows.trimEnd(0), ...this.#held];
      this.#held = all.slice(-this.#sizes.heldKept);
      this.#heldAfter =
        all.at(-this.#sizes.heldKept - 1)?.seq ??
        (range === null ? Number.POSITIVE_INFINITY : range.first - 1);
    }
    this.#reset();
    this.#isAttached = false;
  }

  #reset(): void {
    this.rows.clear();
    this.#older = edgeAt(null);
    this.#newer = edgeAt(null);
    this.#between = null;
    this.#requests = [];
    this.#isAttached = true;
    this.#viewed = null;
  }

  /** Beyond the bound only the newest that wait are kept, and the rows end below them. */
  #boundHeld(): void {
    const excess =
      this.#held.length - Math.max(this.#sizes.heldKept, this.#sizes.entriesMax - this.rows.size);
    if (excess <= 0) return;
    const dropped = this.#held.length - this.#sizes.heldKept;
    if (this.#isAttached) this.#detach();
    this.#heldAfter = this.#held[dropped - 1]!.seq;
    this.#held = this.#held.slice(dropped);
  }

  #detach(): void {
    this.#isAttached = false;
    this.#isFollowing = false;
    this.#newer = edgeAt(this.rows.range?.last ?? -1);
  }

  #trimStart(): void {
    if (this.rows.size <= this.#rowsEntriesMax) return;
    const keepFrom = this.#isFollowing ? Number.POSITIVE_INFINITY : this.#viewedSeq('first');
    const dropped = this.rows.trimStart(this.#rowsEntriesMax - this.#sizes.trimPiece, { keepFrom });
    if (dropped === null) return;
    const { next } = this.#older;
    this.#older = edgeAt(Math.max(dropped + 1, next ?? 0));
  }

  #trimEnd(): void {
    if (this.rows.size <= this.#rowsEntriesMax) return;
    const dropped = this.rows.trimEnd(this.#rowsEntriesMax - this.#sizes.trimPiece, {
      keepTo: this.#viewedSeq('last'),
    });
    if (dropped.length === 0) return;
    if (this.#isAttached) {
      this.#detach();
      const all = [...dropped, ...this.#held];
      this.#heldAfter = all.at(-this.#sizes.heldKept - 1)?.seq ?? this.rows.range!.last;
      this.#held = all.slice(-this.#sizes.heldKept);
    } else {
      this.#newer = edgeAt(this.rows.range?.last ?? -1);
    }
  }

  /** The seq of the first or the last event in view. Without a view everything may be dropped. */
  #viewedSeq(side: 'first' | 'last'): number {
    const none = side === 'first' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    if (this.#viewed === null) return none;
    const { rows } = this.rows;
    const step = side === 'first' ? 1 : -1;
    for (let at = this.#viewed[side]; at >= 0 && at < rows.length; at += step) {
      const row = rows[at]!;
      if (row.kind === 'event') return row.seq;
      if (row.kind === 'rollup' || row.kind === 'burst') return side === 'first' ? row.seq : row.lastSeq;
    }
    return none;
  }

  #edge(kind: 'older' | 'newer'): Edge {
    return kind === 'older' ? this.#older : this.#newer;
  }

  #ask(kind: 'older' | 'newer'): void {
    const edge = this.#edge(kind);
    if (edge.next === null || edge.pending !== null || edge.hasFailed) return;
    // What is in view is not dropped to make room.
    if (edge.emptyPages >= EMPTY_PAGES_MAX || this.rows.size > this.#rowsEntriesMax) return;
    const bound =
      edge.next === undefined ? {} : kind === 'older' ? { before: edge.next } : { after: edge.next };
    edge.pending = this.#request(kind, bound);
  }

  #request(kind: PageRequest['kind'], bound: { before?: number; after?: number }): PageRequest {
    const request = { id: this.#nextId, kind, ...bound, limit: this.#sizes.pageEvents };
    this.#nextId += 1;
    this.#requests.push(request);
    return request;
  }

  #settle(): void {
    const isGone = this.#firstSeq !== null && this.#oldest > this.#firstSeq;
    const none: EdgeState | null = this.#firstSeq === null ? null : isGone ? 'gone' : 'beginning';
    this.rows.setEdges({
      top: edgeState(this.#older, none),
      bottom: !this.#isAttached ? edgeState(this.#newer, null) : this.#isCatchingUp ? 'catching_up' : null,
    });
  }
}

function edgeAt(next: number | null | undefined): Edge {
  return { next, pending: null, hasFailed: false, emptyPages: 0 };
}

function edgeState({ next, pending, hasFailed, emptyPages }: Edge, none: EdgeState | null): EdgeState | null {
  if (next === null) return none;
  if (pending !== null) return 'loading';
  if (hasFailed) return 'failed';
  return emptyPages >= EMPTY_PAGES_MAX ? 'searching' : 'more';
}

/**
 * The entries of a page. A repeat has none. Where the history no longer knows whether an event is a repeat, it is one if its
 * id came before it, on this page or in what is loaded.
 */
function entriesOf(events: EventsPage['events'], rows: LogRows): EventLogEntry[] {
  const entries: EventLogEntry[] = [];
  const ids = new Set<unknown>();
  for (const { entry, duplicate } of events) {
    if (entry === null || duplicate === true) continue;
    const id = entry.metadata.event_id;
    if (duplicate === null && ids.has(id) && rows.entryOf(entry.seq) === null) continue;
    ids.add(id);
    entries.push(entry);
  }
  return entries;
}
