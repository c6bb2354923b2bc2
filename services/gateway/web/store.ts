import { batch, computed, signal } from '@preact/signals';
import type { IndexUpdate } from '@runlog/client/index-channel';
import type { ChannelRefusal } from '@runlog/client/run-update';
import { createStreamClient, type FeedState, type StreamStatus } from '@runlog/client/stream-client';
import { freshnessOf, LIVE_MS_MAX, SLOW_MS_MAX } from '@runlog/run-state/freshness';
import type { HttpFaultBody } from '@runlog/schema/faults';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredSnapshot, Freshness, RunRow } from '@runlog/schema/run/snapshot';
import { EventLogLines } from './event-log-lines.ts';
import { RateMeter } from './rate-meter.ts';
import { noteRefusal, noteStatus, storedKey } from './view-key.ts';

/** The number of runs that the page lists. Those that were silent longest are left out first. */
export const ROWS_MAX = 200;
/** Whoever types faster than this asks the server once. */
const SEARCH_PAUSE_MS = 150;
/** A page that was away for longer shows that entries are missing: its log would not keep them anyway. */
const BACKFILL_ENTRIES_MAX = 5_000;

/** Everything the page shows. */
export const link = signal<StreamStatus>({ state: 'connecting' });
/** Whether the gateway reads the log. */
export const feed = signal<FeedState>({ state: 'live' });
export const rows = signal<ReadonlyMap<string, RunRow>>(new Map());
/** The number of runs that the server has; null until the server has said it. */
export const totalRuns = signal<number | null>(null);
/** What the server searched for, and how many runs it found; null until the server has said it. */
export const found = signal<{ readonly search: string; readonly total: number } | null>(null);
export const selected = signal<string | null>(keyInHash());
export const search = signal('');
/** Advances once a second, for everything that depends on the time. */
export const nowMs = signal(Date.now());

/** The selected run. `lines` is replaced at every change that is drawn. */
export interface ShownRun {
  readonly snapshot: DeliveredSnapshot;
  readonly eventLog: EventLogLines;
  readonly eventsPerSecond: number;
  /** What the server said, and when, by this page's clock. So no two clocks are compared. */
  readonly freshness: Freshness;
  readonly freshnessAtMs: number;
}

export const shown = signal<ShownRun | null>(null);

export const freshness = computed<Freshness>(() => {
  const run = shown.value;
  if (run === null) return 'stale';
  const startMs = run.freshness === 'live' ? 0 : run.freshness === 'slow' ? LIVE_MS_MAX : SLOW_MS_MAX;
  const ageMs = startMs + Math.max(0, nowMs.value - run.freshnessAtMs);
  return freshnessOf({ lastReceivedAtMs: 0, nowMs: ageMs });
});

/** Why the gateway will not stream to pages of this origin; null if it will, or has not said. */
export const refusal = signal<string | null>(null);

/** How far this machine's clock is ahead of the server's, to about a second. */
export const clockAheadMs = signal(0);

const key = storedKey();
const client = createStreamClient({
  ...(key === undefined ? {} : { key }),
  // The page may be served under a path, so every address is relative to its own.
  url: new URL('.', document.baseURI).href,
  backfill: { entriesMax: BACKFILL_ENTRIES_MAX },
  onFeed: (state) => {
    feed.value = state;
  },
  onStatus: (status) => {
    link.value = status;
    // A gateway says right after it has greeted if the log does not answer it.
    feed.value = { state: 'live' };
    noteStatus(status);
  },
});

/** Begins to follow the index, the selected run and the address bar. */
export function start(): void {
  void sayHello();
  listRuns();
  let unfollow: () => void = () => undefined;
  selected.subscribe((key) => {
    unfollow();
    shown.value = null;
    unfollow = key === null ? () => undefined : follow(key);
  });
  addEventListener('hashchange', () => {
    selected.value = keyInHash();
  });
  setInterval(() => {
    nowMs.value = Date.now();
  }, 1_000);
}

/** Follows the runs that the server finds for the text in the search field. */
function listRuns(): void {
  let unlist: () => void = () => undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked: string | null = null;
  const listFor = (text: string) => {
    if (text === asked) return;
    asked = text;
    unlist();
    const show = (update: IndexUpdate | ChannelRefusal) => {
      if (update.kind === 'refused') noteRefusal(update.code);
      else showRows(update, text);
    };
    unlist = client.subscribeIndex('*', show, { limit: ROWS_MAX, ...(text === '' ? {} : { q: text }) });
  };
  listFor(search.value.trim());
  search.subscribe((typed) => {
    clearTimeout(timer);
    timer = setTimeout(() => listFor(typed.trim()), SEARCH_PAUSE_MS);
  });
}

function showRows({ rows: listed, total }: IndexUpdate, text: string): void {
  const byKey = new Map(listed.map((row) => [formatRunKey(row), row]));
  batch(() => {
    rows.value = byKey;
    found.value = { search: text, total };
    if (text === '') totalRuns.value = total;
    if (selected.value === null) select(newestOf(byKey));
  });
}

/** Streams one run into `shown`, drawn at most once a frame however many events come. */
function follow(key: string): () => void {
  let eventLog = new EventLogLines();
  let snapshot: DeliveredSnapshot | null = null;
  let fresh: { freshness: Freshness; atMs: number } = { freshness: 'stale', atMs: 0 };
  let frame = 0;
  const rate = new RateMeter();

  const draw = () => {
    frame = 0;
    if (snapshot === null) return;
    const atMs = Date.now();
    batch(() => {
      nowMs.value = atMs;
      shown.value = {
        snapshot: snapshot as DeliveredSnapshot,
        eventLog,
        eventsPerSecond: rate.at(performance.now()),
        freshness: fresh.freshness,
        freshnessAtMs: fresh.atMs,
      };
    });
  };
  const soon = () => {
    if (frame === 0) frame = requestAnimationFrame(draw);
  };
  const timer = setInterval(soon, 1_000);
  const unsubscribe = client.subscribeRun(key, (update) => {
    switch (update.kind) {
      case 'snapshot': {
        if (update.startsOver) {
          eventLog = new EventLogLines();
          rate.reset();
          const oldest = update.entries[0]?.seq ?? Number.POSITIVE_INFINITY;
          for (const entry of update.snapshot.milestones) if (entry.seq < oldest) eventLog.add(entry);
        }
        for (const entry of update.entries) eventLog.add(entry);
        snapshot = update.snapshot;
        fresh = { freshness: snapshot.freshness, atMs: Date.now() };
        break;
      }
      case 'step': {
        for (const entry of update.entries) eventLog.add(entry);
        if (update.snapshot.last_received_at !== snapshot?.last_received_at) {
          fresh = { freshness: update.snapshot.freshness, atMs: Date.now() };
        }
        snapshot = update.snapshot;
        break;
      }
      case 'gap':
        eventLog.addGap(update);
        break;
      case 'end':
      case 'refused':
        return;
      default: {
        const unreachable: never = update;
        throw new Error(`unknown update ${String(unreachable)}`);
      }
    }
    if (snapshot !== null) rate.record({ total: snapshot.total_events_received, atMs: performance.now() });
    soon();
  });
  return () => {
    unsubscribe();
    clearInterval(timer);
    cancelAnimationFrame(frame);
  };
}

export function select(key: string | null): void {
  if (key === null) return;
  history.replaceState(null, '', `#${key}`);
  selected.value = key;
}

function keyInHash(): string | null {
  const key = decodeURIComponent(location.hash.slice(1));
  return /^[^/]+\/[^/]+\/[^/]+$/.test(key) ? key : null;
}

function newestOf(known: ReadonlyMap<string, RunRow>): string | null {
  let newest: [string, RunRow] | null = null;
  for (const entry of known) {
    if (newest === null || entry[1].last_received_at > newest[1].last_received_at) newest = entry;
  }
  return newest?.[0] ?? null;
}

/** Learns the server's clock, and why it will refuse the stream, which the browser does not tell a page. */
async function sayHello(): Promise<void> {
  try {
    const response = await fetch(`v1/hello?${new URLSearchParams({ origin: location.origin })}`);
    const date = response.headers.get('date');
    if (date !== null) clockAheadMs.value = Date.now() - Date.parse(date);
    if (response.status === 403) refusal.value = ((await response.json()) as HttpFaultBody).error.message;
  } catch {
    // Without the server's time, ages are by this machine's clock.
  }
}
