import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { RunUpdate } from '@runlog/client/run-update';
import { ChannelRefusedError } from '@runlog/client/stream-errors';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import type { FollowedRun, LogUpdate } from '../run/followed-run.ts';
import type { Connection } from '../shell/connection.ts';
import { route, setOptions } from '../shell/route.ts';
import { GapRows } from './gap-rows.ts';
import {
  type FilterFault,
  isNoFilter,
  type LogFilter,
  noFilter,
  parseFilter,
  serverFilterOf,
} from './log-filter.ts';
import type { LogRow } from './log-rows.ts';
import { LogWindow, type PageRequest, type Viewed } from './log-window.ts';
import type { MarkedRows } from './marked-rows.ts';

/** How the log stands to its end. */
export interface LogState {
  readonly isFollowing: boolean;
  readonly isPaused: boolean;
  /** Whether the rows reach to the newest event, or to those that wait. */
  readonly isAttached: boolean;
  /** How many entries came since somebody reads. */
  readonly newCount: number;
  /** The seq that the view has to show; null if there is none. */
  readonly target: number | null;
}

/** The log of one run: which of its rows are loaded, and what is asked for them. */
export interface LogStore extends Disposable {
  /** A new array with each change. A row that changed is another object with the same id. */
  readonly rows: ReadonlySignal<readonly LogRow[]>;
  readonly state: ReadonlySignal<LogState>;
  /** What the address says (`log=`). A filter that is not valid changes nothing. */
  readonly filter: ReadonlySignal<LogFilter>;
  readonly filterFault: ReadonlySignal<FilterFault | null>;
  /** Events in rows, and all events that the run has. */
  readonly counts: ReadonlySignal<{ readonly shown: number; readonly total: number }>;
  /** The events in view, for the window of the strip; null if none are. */
  readonly inView: ReadonlySignal<{ readonly fromSeq: number; readonly toSeq: number } | null>;
  /** Whether every event is shown raw (`raw=1`). */
  readonly isRaw: ReadonlySignal<boolean>;
  /** What the reader sees, by indexes of `rows`. */
  view(viewed: Viewed): void;
  /** The view has shown the target. */
  takeTarget(): void;
  pause(): void;
  /** Goes to the end and follows it. */
  follow(): void;
  /** Somebody reads: rows do not move by themselves any more. */
  leaveEnd(): void;
  goTo(seq: number): void;
  goToBeginning(): void;
  /** Asks again for what failed. */
  retry(): void;
  /** Opens or closes a roll-up or a burst. */
  toggle(rowId: string): void;
  /** The index of the row that shows an event, or that of the next newer one; -1 if there is none. */
  rowOf(seq: number): number;
  /** The entry of a seq, if it is loaded. */
  entryOf(seq: number): EventLogEntry | null;
  /** The entries that a row stands for, oldest first. */
  entriesOf(row: LogRow): readonly EventLogEntry[];
  /** The entry of a place among all that are loaded (`counts.shown`), the oldest first. */
  entryAt(index: number): EventLogEntry | null;
  /** The rows that are marked to be copied, from one to the other; null if none are. */
  readonly marked: Signal<MarkedRows | null>;
  /** Writes the filter into the address. */
  setFilter(typed: string): void;
  /** Shows the log as it was at an event, which is its last. Nothing live is added. */
  showAsOf(seq: number): void;
  /** Adds the entries that come next, while the log is shown as of an event. */
  play(entries: readonly EventLogEntry[]): void;
  /** Ends what `showAsOf` began. */
  showLive(): void;
}

/** Reads the log of a followed run until it is disposed of. The filter is that of the address. */
export function createLogStore({ run, connection }: { run: FollowedRun; connection: Connection }): LogStore {
  const { key } = run;
  const rows = signal<readonly LogRow[]>([]);
  const counts = signal({ shown: 0, total: 0 });
  const inView = signal<{ fromSeq: number; toSeq: number } | null>(null);
  const filter = signal<LogFilter>(noFilter);
  const typed = computed(() => (route.value.view === 'run' ? route.value.log : ''));
  const parsed = computed(() => parseFilter(typed.value, { types: Object.keys(typesOf(run)) }));
  const stop = new AbortController();
  let window = new LogWindow();
  let gaps = new GapRows();
  let asOf: number | null = null;
  let source: AbortController = new AbortController();
  const stateOf = (): LogState => {
    const { isFollowing, isPaused, isAttached, newCount, target } = window;
    return { isFollowing, isPaused, isAttached, newCount, target };
  };
  const state = signal(stateOf());

  function publish(): void {
    for (const request of window.takeRequests()) void answer(window, request);
    window.rows.setGaps(gaps.rows);
    rows.value = window.rows.rows;
    counts.value = { shown: window.rows.size, total: eventsOf(run) };
    const next = stateOf();
    if (JSON.stringify(next) !== JSON.stringify(state.peek())) state.value = next;
  }

  async function answer(asker: LogWindow, { id, before, after, limit }: PageRequest): Promise<void> {
    const untilSeq = asOf;
    const bound = before ?? (untilSeq === null || after !== undefined ? undefined : untilSeq + 1);
    const got = await connection.ask<EventsPage>(`v1/runs/${key}/events`, {
      query: { limit, before: bound, after, ...serverFilterOf(filter.peek()) },
      signal: source.signal,
    });
    if (asker !== window || stop.signal.aborted) return;
    if (got.kind === 'ok') {
      const page = untilSeq === null ? got.body : cutAfter(got.body, untilSeq);
      gaps.noteHistory(page.events);
      const filled = asker.page(id, page);
      if (filled !== null) gaps.fillStream(filled);
    } else {
      asker.pageFailed(id);
    }
    publish();
  }

  function take(update: LogUpdate): void {
    const snapshot = run.snapshot.peek();
    const nowMs = connection.clock.at() ?? Date.now();
    if (update.kind === 'start') {
      gaps.clear();
      const isEmpty = update.position === null;
      window.start({ entries: update.entries, firstSeq: isEmpty ? null : update.firstSeq });
    }
    if (update.kind === 'entries') window.live(update.entries);
    if (update.kind === 'gap') gaps.noteStream(update, nowMs);
    if (snapshot !== null) gaps.noteSnapshot(snapshot, nowMs);
    publish();
  }

  async function followFiltered(signal: AbortSignal): Promise<void> {
    try {
      const options = { ...serverFilterOf(filter.peek()), acknowledge: true, signal };
      for await (const update of connection.client.run(key, options)) {
        if (signal.aborted) return;
        const told = logUpdateOf(update);
        if (told !== null) take(told);
      }
    } catch (error) {
      // The run itself, and the connection, say why they are refused.
      if (!(error instanceof ChannelRefusedError) && !signal.aborted) throw error;
    }
  }

  /** Begins anew, with the filter and the end that are set. */
  function restart(): void {
    source.abort();
    source = new AbortController();
    const isPaused = window.isPaused;
    window = new LogWindow();
    gaps = new GapRows();
    if (isPaused) window.pause();
    const { signal } = source;
    if (asOf !== null) {
      const firstSeq = run.snapshot.peek()?.first_seq ?? 0;
      window.start({ entries: [], firstSeq });
    } else if (isNoFilter(filter.peek())) {
      const unlisten = run.onLog(take);
      signal.addEventListener('abort', unlisten, { once: true });
    } else {
      void followFiltered(signal);
    }
    publish();
  }

  const changed = (change: () => void): void => {
    change();
    publish();
  };
  const unfilter = effect(() => {
    if (parsed.value.kind === 'filter') filter.value = parsed.value.filter;
  });
  const unrestart = effect(() => {
    void filter.value;
    untracked(restart);
  });

  return {
    ...{ rows, state, filter, counts, inView },
    filterFault: computed(() => (parsed.value.kind === 'fault' ? parsed.value : null)),
    isRaw: computed(() => route.value.view === 'run' && route.value.raw),
    view(viewed) {
      changed(() => window.view(viewed));
      inView.value = rangeOf(window.rows.rows.slice(viewed.first, viewed.last + 1));
    },
    takeTarget: () => changed(() => window.takeTarget()),
    pause: () => changed(() => window.pause()),
    follow: () => changed(() => window.follow()),
    leaveEnd: () => changed(() => window.leaveEnd()),
    goTo: (seq) => changed(() => window.goTo(seq)),
    goToBeginning: () => changed(() => window.goToBeginning()),
    retry: () => changed(() => window.retry()),
    toggle: (rowId) => changed(() => window.rows.toggle(rowId)),
    rowOf: (seq) => window.rows.rowOf(seq),
    entryOf: (seq) => window.rows.entryOf(seq),
    entriesOf: (row) => window.rows.entriesOf(row),
    entryAt: (index) => window.rows.entryAt(index),
    marked: signal<MarkedRows | null>(null),
    setFilter: (text) => setOptions('run', { log: text }),
    showAsOf(seq) {
      asOf = seq;
      restart();
    },
    play(entries) {
      if (asOf === null || entries.length === 0) return;
      asOf = entries.at(-1)!.seq;
      changed(() => window.live(entries));
    },
    showLive() {
      if (asOf === null) return;
      asOf = null;
      restart();
    },
    [Symbol.dispose]() {
      stop.abort();
      unfilter();
      unrestart();
      source.abort();
    },
  };
}

/** How many events of each type the run has. */
function typesOf(run: FollowedRun): Readonly<Record<string, number>> {
  return run.snapshot.peek()?.counts ?? {};
}

function eventsOf(run: FollowedRun): number {
  const snapshot = run.snapshot.peek();
  return snapshot === null ? 0 : snapshot.total_events_received - snapshot.duplicates;
}

/** The page as it would be if the log ended at a seq. */
function cutAfter(page: EventsPage, seq: number): EventsPage {
  const events = page.events.filter((event) => event.seq <= seq);
  const isCut = events.length < page.events.length || (page.next ?? 0) > seq;
  return {
    ...page,
    events,
    next: isCut ? null : page.next,
    position: { ...page.position, seq: Math.min(page.position.seq, seq) },
  };
}

function logUpdateOf(update: RunUpdate): LogUpdate | null {
  switch (update.kind) {
    case 'snapshot': {
      const { entries, position, snapshot, startsOver } = update;
      if (!startsOver) return { kind: 'entries', entries, position };
      return { kind: 'start', entries, position, firstSeq: snapshot.first_seq };
    }
    case 'step':
      return { kind: 'entries', entries: update.entries, position: update.position };
    case 'gap':
    case 'end':
      return update;
    default: {
      const unreachable: never = update;
      throw new Error(`unknown update ${String(unreachable)}`);
    }
  }
}

function rangeOf(rows: readonly LogRow[]): { fromSeq: number; toSeq: number } | null {
  let fromSeq = Number.POSITIVE_INFINITY;
  let toSeq = -1;
  for (const row of rows) {
    if (row.kind !== 'event' && row.kind !== 'rollup' && row.kind !== 'burst') continue;
    fromSeq = Math.min(fromSeq, row.seq);
    toSeq = Math.max(toSeq, row.kind === 'event' ? row.seq : row.lastSeq);
  }
  return toSeq < 0 ? null : { fromSeq, toSeq };
}
