import { type ReadonlySignal, signal } from '@preact/signals';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { SEED_EVENT_TYPES, SEED_EVENTS_MAX, type SeedEvent, seedEventOf } from './seed-events.ts';

/**
 * How much of the past is there. `cut`: older events of seeds are left out, because the newest are as many as are kept, the log
 * no longer has older ones, or the search for them took too many pages. `failed`: a page could not be read.
 */
export type SeedHistoryState = 'loading' | 'complete' | 'cut' | 'failed';

export interface SeedHistory {
  /** In the order of the log, each event once; the newest 4,000. */
  readonly events: ReadonlySignal<readonly SeedEvent[]>;
  readonly state: ReadonlySignal<SeedHistoryState>;
  /** Adds what came live. Other entries and those that are known are skipped. */
  add(entries: readonly EventLogEntry[]): void;
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

/**
 * Reads the events of a run's seeds, the newest page first, and goes on with what comes live. If the run begins anew, make
 * another one. History is read below `before`, or all of it; above it everything must be added. `firstSeq` is the run's.
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
  let before = of.before;
  let pages = 0;

  const keep = (found: readonly SeedEvent[]) => {
    kept.add(found);
    events.value = kept.all;
  };
  const readOn = async (): Promise<SeedHistoryState> => {
    while (!kept.isFull && pages < PAGES_MAX) {
      pages += 1;
      const query = { type: SEED_EVENT_TYPES, limit: EVENTS_PAGE_MAX };
      const page = await of.readEvents(before === undefined ? query : { ...query, before }, ended.signal);
      if (ended.signal.aborted) return 'cut';
      keep(seedEventsOf(page));
      if (page.next === null) return page.oldest > of.firstSeq || kept.isFull ? 'cut' : 'complete';
      before = page.next;
    }
    return 'cut';
  };
  const start = () => {
    state.value = 'loading';
    const end = (result: SeedHistoryState) => {
      if (!ended.signal.aborted) state.value = result;
    };
    void readOn().then(end, () => end('failed'));
  };
  start();

  return {
    events,
    state,
    add: (entries) => {
      const found = entries.map(seedEventOf).filter((event) => event !== null);
      if (found.length === 0) return;
      keep(found);
      if (kept.isFull && state.peek() === 'complete') state.value = 'cut';
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
