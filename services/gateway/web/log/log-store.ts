import {
  batch,
  computed,
  effect,
  type ReadonlySignal,
  type Signal,
  signal,
  untracked,
} from '@preact/signals';
import type { EntryFilter } from '@runlog/client/history-request';
import type { RunUpdate } from '@runlog/client/run-update';
import { ChannelRefusedError, StreamStoppedError } from '@runlog/client/stream-errors';
import { instantOf } from '@runlog/schema/events/instant';
import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot, EventLogEntry } from '@runlog/schema/run/snapshot';
import { browserFrames, type FollowedRun, frame, type LogUpdate } from '../run/followed-run.ts';
import type { AskOptions } from '../shell/ask.ts';
import type { Connection } from '../shell/connection.ts';
import { route, setOptions } from '../shell/route.ts';
import { type CatchingUp, createCatchUp } from './catching-up.ts';
import type { DripFeed } from './drip-feed.ts';
import { createDripSwitch } from './drip-switch.ts';
import type { FoundAgain } from './find-again.ts';
import { canBeFilled, GapRows } from './gap-rows.ts';
import { isNoFilter, type LogFilter, noFilter, parseFilter, serverFilterOf } from './log-filter.ts';
import type { LogRow } from './log-row.ts';
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

/** What is shown to somebody who read a log while it began anew: the same event, the nearest to it, or the end. */
export type BegunAnew = 'same' | 'nearest' | 'end';

/** The log of one run: which of its rows are loaded, and what is asked for them. */
export interface LogStore extends Disposable {
  /** A new array with each change. A row that changed is another object with the same id. */
  readonly rows: ReadonlySignal<readonly LogRow[]>;
  readonly state: ReadonlySignal<LogState>;
  /** What the address says (`log=`). A filter that is not valid changes nothing. */
  readonly filter: ReadonlySignal<LogFilter>;
  /** Events in rows, and all events that the run has. */
  readonly counts: ReadonlySignal<{ readonly shown: number; readonly total: number }>;
  /** The events in view, for the window of the strip; null if none are. */
  readonly inView: ReadonlySignal<{ readonly fromSeq: number; readonly toSeq: number } | null>;
  /** The seq of the event whose surroundings are shown although the filter leaves them out; null: only what it lets through. */
  readonly around: ReadonlySignal<number | null>;
  /** What the gateway is asked to leave out: nothing while `around` is set. */
  serverFilter(): EntryFilter;
  /** Why the log stands still: it waits for events that were left out. Null if it does not. */
  readonly catchingUp: ReadonlySignal<CatchingUp | null>;
  /** Set when the log began anew while somebody read it, until that is taken note of. */
  readonly begunAnew: ReadonlySignal<BegunAnew | null>;
  takeBegunAnew(): void;
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
  /** Shows what is around an event as if there were no filter, until the filter changes or `showMatches`. */
  showAround(seq: number): void;
  /** Back to what the filter lets through, to the same place. */
  showMatches(): void;
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
  /** Lets individual events appear one after the other, where it is switched on. */
  readonly drip: Pick<DripFeed, 'state' | 'toggle'>;
  /** The rows that are marked to be copied, from one to the other; null if none are. */
  readonly marked: Signal<MarkedRows | null>;
  /** Writes the filter into the address. */
  setFilter(typed: string): void;
  /** Shows the log as it was at an event, which is its last. Nothing live is added. */
  showAsOf(seq: number): void;
  /** Adds the entries that come next, while the log is shown as of an event. */
  play(entries: readonly EventLogEntry[]): void;
  /** Takes the state as of the event that the log ends at, for the rows of its gaps. */
  notePast(state: DeliveredSnapshot): void;
  /** Takes events of the history that were read elsewhere, for the places of gaps. */
  noteHistory(events: readonly StoredEvent[]): void;
  /** Ends what `showAsOf` began. */
  showLive(): void;
}

/** While the place of a reader is looked for. Beyond it that is given up. */
const HELD_BACK_MAX = 1_000;

/**
 * Reads the log of a followed run until it is disposed of. The filter is that of the address, and so is the selected event
 * (`event=`): the log goes to it unless it is in view.
 */
export function createLogStore({ run, connection }: { run: FollowedRun; connection: Connection }): LogStore {
  const { key } = run;
  const rows = signal<readonly LogRow[]>([]);
  const counts = signal({ shown: 0, total: 0 });
  const inView = signal<{ fromSeq: number; toSeq: number } | null>(null);
  const filter = signal<LogFilter>(noFilter);
  const typed = computed(() => (route.value.view === 'run' ? route.value.log : ''));
  const selected = computed(() => (route.value.view === 'run' ? route.value.event : null));
  /** Joined, so that it changes only if there is another one. */
  const types = computed(() => Object.keys(run.snapshot.value?.counts ?? {}).join(' '));
  const parsed = computed(() => parseFilter(typed.value, { types: types.value.match(/\S+/g) ?? [] }));
  const around = signal<number | null>(null);
  /** Where the rows come from. A filter has a stream of its own. */
  const followed = signal<'run' | 'filter' | 'past'>('run');
  const isFilterBehind = signal(false);
  const total = computed(() => eventsIn(run.snapshot.value));
  const catchUp = createCatchUp(
    computed(() =>
      followed.value === 'run' ? run.isCatchingUp.value : followed.value === 'filter' && isFilterBehind.value,
    ),
    total,
  );
  const stop = new AbortController();
  let window = new LogWindow();
  let gaps = new GapRows();
  let viewed: Viewed | null = null;
  let asOf: number | null = null;
  let past: DeliveredSnapshot | null = null;
  /** Those whose places are being looked for, and those for which the history could not be read. */
  let placing: GapRows | null = null;
  let unplaceable: GapRows | null = null;
  let source: AbortController = new AbortController();
  /** Where somebody went before the first answer of a filtered stream, which begins the log anew. */
  let early: { readonly seq: number } | null = null;
  let hasStarted = false;
  /** What came since the log began anew, while the place of whoever reads it is looked for; null while it is not. */
  let heldBack: LogUpdate[] | null = null;
  const begunAnew = signal<BegunAnew | null>(null);
  const state = signal(stateOf(window));
  const server = (): EntryFilter => (around.peek() === null ? serverFilterOf(filter.peek()) : {});
  const isFiltered = () => Object.keys(server()).length > 0;
  const askEvents = (query: NonNullable<AskOptions['query']>, signal: AbortSignal) =>
    connection.ask<EventsPage>(`v1/runs/${key}/events`, { query, signal });

  const drip = createDripSwitch({
    show(entries) {
      window.live(entries);
      publish();
    },
    isFollowing: () => window.isFollowing && asOf === null,
    nowMs: connection.monotonicMs,
    isMotionReduced: () => globalThis.matchMedia?.('(prefers-reduced-motion: reduce)').matches ?? false,
  });

  function publish(): void {
    for (const request of window.takeRequests()) void answer(window, request);
    window.rows.setGaps(gaps.rows);
    const shown = window.rows.size;
    const held = counts.peek();
    const next = stateOf(window);
    batch(() => {
      rows.value = window.rows.rows;
      if (held.shown !== shown || held.total !== total.peek()) counts.value = { shown, total: total.peek() };
      if (!isSame(next, state.peek())) state.value = next;
    });
  }

  async function answer(asker: LogWindow, { id, before, after, limit }: PageRequest): Promise<void> {
    const untilSeq = asOf;
    const bound = before ?? (untilSeq === null || after !== undefined ? undefined : untilSeq + 1);
    const got = await askEvents({ limit, before: bound, after, ...server() }, source.signal);
    if (asker !== window || stop.signal.aborted) return;
    if (got.kind === 'ok') {
      const page = untilSeq === null ? got.body : cutAfter(got.body, untilSeq);
      gaps.noteHistory(page.events);
      const filled = asker.page(id, page);
      if (filled !== null) gaps.fillStream(filled, page.oldest);
    } else {
      const unfilled = asker.pageFailed(id);
      if (unfilled !== null) gaps.failStream(unfilled);
    }
    fillGapInView();
    publish();
  }

  /** One at a time: the others are filled when it is. */
  function fillGapInView(): void {
    if (viewed === null) return;
    const shown = window.rows.rows;
    for (let at = viewed.first; at <= viewed.last && at < shown.length; at += 1) {
      const row = shown[at]!;
      if (row.kind === 'gap' && row.hasFailed !== true && canBeFilled(row)) {
        window.fillGap({ after: row.after, before: row.to + 1 });
        return;
      }
    }
  }

  function take(update: LogUpdate): void {
    if (heldBack !== null && update.kind !== 'start') {
      heldBack.push(update);
      if (heldBack.length > HELD_BACK_MAX) begin(heldBack, null);
      return;
    }
    if (update.kind !== 'start' || !keepsPlace(update)) apply(update);
  }

  function apply(update: LogUpdate): void {
    const snapshot = run.snapshot.peek();
    // Until the server has said what time it is, that of its newest event is the nearest.
    const nowMs = connection.clock.at() ?? Date.parse(snapshot?.last_received_at ?? '');
    if (update.kind === 'start') start(update);
    if (update.kind === 'entries') {
      window.live(drip.push(update.entries));
      catchUp.note(update.entries.length);
    }
    if (update.kind === 'gap') gaps.noteStream(update, nowMs);
    if (snapshot !== null) gaps.noteSnapshot(snapshot, nowMs);
    void findPlaces();
    publish();
  }

  /** Without a filter the history gives gaps their places as it is read. */
  async function findPlaces(): Promise<void> {
    const held = gaps;
    const shown = asOf === null ? run.snapshot.peek() : past;
    if (!isFiltered() || placing === held || unplaceable === held) return;
    if (held.placeless === null || shown === null) return;
    placing = held;
    const { signal } = source;
    // Few logs need it. Whatever keeps it from being loaded keeps the history from being read.
    const loaded = await import('./place-gaps.ts').catch(() => null);
    const isDone = await loaded?.placeGaps(held, {
      state: shown,
      placed: () => held === gaps && publish(),
      async read(after, limit) {
        const got = await askEvents({ after, limit }, signal);
        return got.kind === 'ok' && held === gaps && !signal.aborted ? got.body : null;
      },
    });
    if (isDone !== true) unplaceable = held;
    if (placing === held) placing = null;
  }

  function notePast(state: DeliveredSnapshot): void {
    past = state;
    gaps.noteSnapshot(state, instantOf(state.last_received_at));
    void findPlaces();
  }

  function start({ entries, position, firstSeq }: Start): void {
    drip.clear();
    gaps = new GapRows();
    const place = hasStarted ? null : early;
    window.start({ entries, firstSeq: position === null ? null : firstSeq });
    hasStarted = true;
    early = null;
    if (place !== null) window.goTo(place.seq);
  }

  /** Whoever reads stays at the event that is in the middle of the view, where it still is. */
  function keepsPlace(update: Start): boolean {
    const place = hasStarted && !window.isFollowing && update.position !== null ? eventInView() : null;
    if (place === null) return false;
    const updates: LogUpdate[] = [update];
    heldBack = updates;
    void findPlace(place, { firstSeq: update.firstSeq, lastSeq: update.position!.seq }).then((found) => {
      if (heldBack === updates) batch(() => begin(updates, found));
    });
    return true;
  }

  /** Takes what was held back, with the reader where the place was found. */
  function begin(updates: readonly LogUpdate[], found: FoundAgain | null): void {
    heldBack = null;
    for (const update of updates) apply(update);
    window.goTo(found?.seq ?? window.rows.range?.last ?? 0);
    begunAnew.value = found === null ? 'end' : found.isSame ? 'same' : 'nearest';
    publish();
  }

  function eventInView(): EventLogEntry | null {
    if (viewed === null) return null;
    const inView = window.rows.rows.slice(viewed.first, viewed.last + 1);
    const seqs = inView.flatMap((row) => ('seq' in row ? [row.seq] : []));
    const middle = seqs[seqs.length >> 1];
    return middle === undefined ? null : window.rows.entryOf(middle);
  }

  async function findPlace(
    place: EventLogEntry,
    range: { firstSeq: number; lastSeq: number },
  ): Promise<FoundAgain | null> {
    const { signal } = source;
    try {
      const { findAgain } = await import('./find-again.ts');
      return await findAgain(place, {
        ...range,
        async read(query) {
          const got = await askEvents(query, signal);
          if (got.kind !== 'ok') throw new Error('the history cannot be read');
          return got.body;
        },
      });
    } catch {
      return null;
    }
  }

  /** A client has one subscription of a run, and the unfiltered one feeds what stands around the log. */
  async function followFiltered(signal: AbortSignal): Promise<void> {
    const client = connection.secondClient();
    try {
      const pace = () => frame(browserFrames, signal);
      for await (const update of client.run(key, { filter: server(), acknowledge: true, signal, pace })) {
        const told = logUpdateOf(update);
        batch(() => {
          if (update.kind !== 'end') isFilterBehind.value = isAhead(update, isFilterBehind.peek());
          if (told !== null) take(told);
        });
      }
    } catch (error) {
      // The run itself, and the connection, say why they are refused.
      const isRefused = error instanceof ChannelRefusedError || error instanceof StreamStoppedError;
      if (!isRefused && !signal.aborted) throw error;
    } finally {
      client.close();
    }
  }

  /** Begins anew, with the filter and the end that are set. */
  function restart(): void {
    drip.clear();
    source.abort();
    source = new AbortController();
    const { isPaused } = window;
    window = new LogWindow();
    gaps = new GapRows({ isPast: asOf !== null });
    viewed = null;
    hasStarted = false;
    heldBack = null;
    begunAnew.value = null;
    early = null;
    if (isPaused) window.pause();
    const { signal } = source;
    isFilterBehind.value = false;
    followed.value = asOf !== null ? 'past' : isFiltered() ? 'filter' : 'run';
    if (asOf !== null) {
      hasStarted = true;
      window.start({ entries: [], firstSeq: run.snapshot.peek()?.first_seq ?? 0 });
      if (past !== null) notePast(past);
    } else if (followed.peek() === 'run') {
      const unlisten = run.onLog(take);
      signal.addEventListener('abort', unlisten, { once: true });
    } else {
      void followFiltered(signal);
    }
    publish();
  }

  function goTo(seq: number): void {
    if (!hasStarted) early = { seq };
    window.goTo(seq);
    publish();
  }

  function goToSelected(seq: number): void {
    const at = window.rows.rowOf(seq);
    if (viewed !== null && at >= viewed.first && at <= viewed.last && rows.peek()[at]?.id === `e${seq}`)
      return;
    if (isNoFilter(filter.peek()) || around.peek() !== null || window.rows.entryOf(seq) !== null) goTo(seq);
    else void goToMatch(seq);
  }

  /** If the filter leaves the event out, what is around it is shown without the filter. */
  async function goToMatch(seq: number): Promise<void> {
    const { signal } = source;
    const got = await askEvents({ after: seq - 1, limit: 1, ...server() }, signal);
    if (signal.aborted || selected.peek() !== seq) return;
    if (got.kind === 'ok' && got.body.events[0]?.seq === seq) goTo(seq);
    else showAround(seq);
  }

  function showAround(seq: number): void {
    around.value = seq;
    restart();
    goTo(seq);
  }

  const changed = (change: () => void): void => {
    change();
    publish();
  };
  function retry(): void {
    gaps.retryStream();
    unplaceable = null;
    void findPlaces();
    changed(() => {
      window.retry();
      fillGapInView();
    });
  }
  const unfilter = effect(() => {
    if (parsed.value.kind === 'fault') return;
    const { filter: next } = parsed.value;
    if (JSON.stringify(next) !== JSON.stringify(filter.peek())) filter.value = next;
  });
  const unrestart = effect(() => {
    void filter.value;
    untracked(() => {
      around.value = null;
      restart();
    });
  });
  const uncatch = effect(() => {
    const isCatchingUp = catchUp.state.value !== null;
    untracked(() => changed(() => window.setCatchingUp(isCatchingUp)));
  });
  const unselect = effect(() => {
    const seq = selected.value;
    if (seq !== null) untracked(() => goToSelected(seq));
  });
  const unwatch = effect(() => {
    if (connection.link.value.state === 'open') untracked(retry);
  });

  return {
    ...{ rows, state, filter, counts, inView, around, serverFilter: server },
    ...{ catchingUp: catchUp.state, begunAnew },
    takeBegunAnew() {
      begunAnew.value = null;
    },
    isRaw: computed(() => route.value.view === 'run' && route.value.raw),
    view(next) {
      viewed = next;
      changed(() => {
        window.view(next);
        fillGapInView();
      });
      const range = rangeOf(window.rows.rows, next);
      const held = inView.peek();
      if (range?.fromSeq !== held?.fromSeq || range?.toSeq !== held?.toSeq) inView.value = range;
    },
    takeTarget: () => changed(() => window.takeTarget()),
    pause: () => changed(() => window.pause()),
    follow() {
      early = null;
      begunAnew.value = null;
      changed(() => window.follow());
    },
    leaveEnd: () => changed(() => window.leaveEnd()),
    goTo,
    goToBeginning: () => changed(() => window.goToBeginning()),
    showAround,
    showMatches() {
      const seq = around.peek();
      if (seq === null) return;
      around.value = null;
      restart();
      goTo(seq);
    },
    retry,
    toggle: (rowId) => changed(() => window.rows.toggle(rowId)),
    rowOf: (seq) => window.rows.rowOf(seq),
    entryOf: (seq) => window.rows.entryOf(seq),
    entriesOf: (row) => window.rows.entriesOf(row),
    entryAt: (index) => window.rows.entryAt(index),
    drip,
    marked: signal<MarkedRows | null>(null),
    setFilter: (text) => setOptions('run', { log: text }),
    showAsOf(seq) {
      asOf = seq;
      past = null;
      restart();
    },
    play(entries) {
      if (asOf === null || entries.length === 0) return;
      asOf = entries.at(-1)!.seq;
      changed(() => window.live(entries));
    },
    notePast(state) {
      if (asOf !== null) changed(() => notePast(state));
    },
    noteHistory: (events) => changed(() => gaps.noteHistory(events)),
    showLive() {
      if (asOf === null) return;
      asOf = null;
      past = null;
      restart();
    },
    [Symbol.dispose]() {
      stop.abort();
      drip[Symbol.dispose]();
      unfilter();
      unrestart();
      unselect();
      uncatch();
      catchUp[Symbol.dispose]();
      unwatch();
      source.abort();
    },
  };
}

type Start = Extract<LogUpdate, { kind: 'start' }>;

function stateOf({ isFollowing, isPaused, isAttached, newCount, target }: LogWindow): LogState {
  return { isFollowing, isPaused, isAttached, newCount, target };
}

function isSame(one: LogState, other: LogState): boolean {
  return (Object.keys(one) as (keyof LogState)[]).every((name) => one[name] === other[name]);
}

function eventsIn(snapshot: DeliveredSnapshot | null): number {
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

/** Whether the state is ahead of the entries that were handed over. A gap tells of no state. */
function isAhead(update: Exclude<RunUpdate, { kind: 'end' }>, before: boolean): boolean {
  if (update.kind === 'gap') return before;
  return (update.snapshot.position?.seq ?? -1) > (update.position?.seq ?? -1);
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

function rangeOf(
  rows: readonly LogRow[],
  { first, last }: Viewed,
): { fromSeq: number; toSeq: number } | null {
  let fromSeq = Number.POSITIVE_INFINITY;
  let toSeq = -1;
  for (let at = first; at <= last && at < rows.length; at += 1) {
    const row = rows[at]!;
    if (row.kind !== 'event' && row.kind !== 'rollup' && row.kind !== 'burst') continue;
    fromSeq = Math.min(fromSeq, row.seq);
    toSeq = Math.max(toSeq, row.kind === 'event' ? row.seq : row.lastSeq);
  }
  return toSeq < 0 ? null : { fromSeq, toSeq };
}
