import { type ReadonlySignal, signal } from '@preact/signals';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { SEED_EVENT_TYPES, SEED_EVENTS_MAX, type SeedEvent, seedEventOf } from './seed-events.ts';

/**
 * How much of the past is there. `cut`: older events of seeds are left out, because the newest are as many as are kept, the log
 * no longer has older ones, or the search for them took too many pages. `holed`: so are some between, which the stream did not
 * hand over and the log does not give. `failed`: a page could not be read.
 */
export type SeedHistoryState = 'loading' | 'complete' | 'cut' | 'holed' | 'failed';

export interface SeedHistory {
  /** In the order of the log, each event once; the newest 4,000. */
  readonly events: ReadonlySignal<readonly SeedEvent[]>;
  readonly state: ReadonlySignal<SeedHistoryState>;
  /** Adds what came live. Other entries and those that are known are skipped. */
  add(entries: readonly EventLogEntry[]): void;
  /** Reads what the stream did not hand over between these two events, or says that it is not there. */
  missed(gap: { readonly after: number; readonly before: number; readonly isInLog: boolean }): void;
  /** Goes on after a failure, from the page that failed. */
  retry(): void;
  dispose(): void;
}

/** Reads `GET …/events` with this query; rejects if that fails. */
export type ReadEvents = (
  query: {
    readonly type: readonly string[];
    readonly limit: number;
    readonly before?: number;
  },
  signal: AbortSignal,
) => Promise<EventsPage>;

/** A run whose seeds are rare has many pages without any of their events: each covers 4 MiB of the log. */
const PAGES_MAX = 64;
/** Beyond it, what lies between two gaps is read again with them. */
const GAPS_MAX = 16;

/** A part of the log that is still to be read, its newest page first: `after` < seq < `before`. */
interface Unread {
  readonly after: number;
  before: number | undefined;
  pages: number;
}

/**
 * Reads the events of a run's seeds, the newest page first, and goes on with what comes live. If the run begins anew, make
 * another one. History is read below `before`, or all of it; above it everything must be added, or be named as missed.
 * `firstSeq` is the run's.
 */
export function createSeedHistory(of: {
  readEvents: ReadEvents;
  before?: number | undefined;
  firstSeq: number;
}): SeedHistory {
  const ended = new AbortController();
  const kept = new KeptEvents();
  const events = signal<readonly SeedEvent[]>(kept.all);
  const state = signal<SeedHistoryState>('loading');
  const past: Unread = { after: of.firstSeq - 1, before: of.before, pages: 0 };
  const unread: Unread[] = [past];
  let isCut = false;
  let isHoled = false;
  let isReading = false;

  const keep = (found: readonly SeedEvent[]) => {
    kept.add(found);
    events.value = kept.all;
  };
  const settle = () => {
    if (isReading || unread.length > 0) return;
    state.value = isHoled ? 'holed' : isCut || kept.isFull ? 'cut' : 'complete';
  };
  /** Returns whether all of a part was there to be read. */
  const readPart = async (part: Unread): Promise<boolean> => {
    while (part.pages < PAGES_MAX && !kept.isBeyond(part.before)) {
      part.pages += 1;
      const query = { type: SEED_EVENT_TYPES, limit: EVENTS_PAGE_MAX };
      const page = await of.readEvents(
        part.before === undefined ? query : { ...query, before: part.before },
        ended.signal,
      );
      if (ended.signal.aborted) return false;
      keep(seedEventsOf(page));
      if (page.next === null || page.next <= part.after + 1) return page.oldest <= part.after + 1;
      part.before = page.next;
    }
    return kept.isBeyond(part.before);
  };
  const readAll = async () => {
    for (let part = unread[0]; part !== undefined && !ended.signal.aborted; part = unread[0]) {
      const isWhole = await readPart(part);
      if (!isWhole && part === past) isCut = true;
      if (!isWhole && part !== past) isHoled = true;
      unread.shift();
    }
  };
  const start = () => {
    if (isReading) return;
    isReading = true;
    state.value = 'loading';
    const end = () => {
      if (ended.signal.aborted) return;
      isReading = false;
      settle();
    };
    const fail = () => {
      if (ended.signal.aborted) return;
      isReading = false;
      state.value = 'failed';
    };
    void readAll().then(end, fail);
  };
  start();

  return {
    events,
    state,
    add: (entries) => {
      const found = entries.map(seedEventOf).filter((event) => event !== null);
      if (found.length === 0) return;
      keep(found);
      settle();
    },
    missed: ({ after, before, isInLog }) => {
      isHoled ||= !isInLog;
      const last = unread.at(-1);
      // The first is being read.
      if (!isInLog) settle();
      else if (last !== undefined && unread.length > GAPS_MAX) last.before = before;
      else unread.push({ after, before, pages: 0 });
      if (state.peek() !== 'failed' && unread.length > 0) start();
    },
    retry: () => {
      if (state.peek() === 'failed') start();
    },
    dispose: () => ended.abort(),
  };
}

function seedEventsOf(page: EventsPage): SeedEvent[] {
  return page.events.flatMap(({ entry, duplicate }) => {
    const event = entry === null || duplicate === true ? null : seedEventOf(entry);
    return event === null ? [] : [event];
  });
}

/** The newest events, in the order of the log. Those beyond the bound are dropped, the oldest first. */
class KeptEvents {
  all: readonly SeedEvent[] = [];
  #ids = new Set<string>();
  #hasDropped = false;

  /** Whether events were dropped, or the next one is. */
  get isFull(): boolean {
    return this.#hasDropped || this.all.length >= SEED_EVENTS_MAX;
  }

  /** Whether everything before a seq would be dropped. */
  isBeyond(before: number | undefined): boolean {
    return this.isFull && before !== undefined && before <= this.all[0]!.seq;
  }

  add(found: readonly SeedEvent[]): void {
    const fresh: SeedEvent[] = [];
    for (const event of found) {
      if (this.#ids.has(event.eventId)) continue;
      this.#ids.add(event.eventId);
      fresh.push(event);
    }
    if (fresh.length === 0) return;
    const isInOrder = (this.all.at(-1)?.seq ?? -1) < fresh[0]!.seq;
    const all = [...this.all, ...fresh];
    if (!isInOrder) all.sort((one, other) => one.seq - other.seq);
    this.#hasDropped ||= all.length > SEED_EVENTS_MAX;
    this.all = all.slice(-SEED_EVENTS_MAX);
    // Ids of dropped events are forgotten now and then: what comes again is as old as they are, and is dropped again.
    if (this.#ids.size > 2 * SEED_EVENTS_MAX) this.#ids = new Set(this.all.map(({ eventId }) => eventId));
  }
}
