import { batch, effect, type ReadonlySignal, signal, untracked } from '@preact/signals';
import { instantOf } from '@runlog/schema/events/instant';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import type { LogStore } from '../log/log-store.ts';
import type { Connection } from '../shell/connection.ts';
import { setOptions } from '../shell/route.ts';
import type { Player, PlayerOptions } from './player.ts';
import { notYet, type TravelFailure, travelFailureOf } from './travel-failure.ts';

/** How often the state above the log follows while it is played: each costs the server the difference to the one before. */
const STATE_EVERY_MS = 1_000;

/** How fast the past is played; 0: it stands still. */
export type Speed = 0 | 1 | 10;
const nextSpeed: Readonly<Record<Speed, Speed>> = { 0: 1, 1: 10, 10: 0 };

/** A run as of an event that is not its newest. */
export interface Travel extends Disposable {
  /** The newest state in the past that was reached; null until there is one, in a failure, and live. */
  readonly past: ReadonlySignal<RunDocument | null>;
  readonly failure: ReadonlySignal<TravelFailure | null>;
  readonly speed: ReadonlySignal<Speed>;
  /** What keeps it from going on while it is played. */
  readonly hold: ReadonlySignal<{ readonly shortenedMs: number } | 'no_answer' | null>;
  /** From standing still to 1x, 10x, and back. */
  changeSpeed(): void;
  /** Asks again for the state. */
  retry(): void;
}

/** Has a log and a state follow `at` until it is disposed of. What is played moves `at`, by the address. */
export function createTravel(of: {
  key: string;
  at: ReadonlySignal<number | null>;
  /** The newest event that the run has; null while that is not known. */
  newest: ReadonlySignal<number | null>;
  log: LogStore;
  connection: Connection;
  /** The player has reached the newest event. */
  onPresent: () => void;
}): Travel {
  const { key, at, newest, log, connection } = of;
  const past = signal<RunDocument | null>(null);
  const failure = signal<TravelFailure | null>(null);
  const speed = signal<Speed>(0);
  const hold = signal<{ shortenedMs: number } | 'no_answer' | null>(null);
  let asked = new AbortController();
  let isAsking = false;
  let player: Player | null = null;
  /** The event that the log ends at, which may be ahead of the address while it is played. */
  let shownSeq: number | null = null;
  /** Whether the run has not come as far as it was asked for. */
  let isAhead = false;

  async function readState(seq: number): Promise<void> {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    isAsking = true;
    const answer = await connection.ask<RunDocument>(`v1/runs/${key}`, { query: { at: seq }, signal });
    if (signal.aborted) return;
    isAsking = false;
    const newestSeq = newest.peek();
    isAhead = answer.kind === 'ok' && newestSeq !== null && seq > newestSeq;
    batch(() => {
      if (answer.kind === 'ok' && !isAhead) {
        log.notePast(answer.body);
        past.value = answer.body;
        failure.value = null;
        return;
      }
      stop();
      past.value = null;
      failure.value = answer.kind === 'ok' ? notYet(seq, newestSeq!) : travelFailureOf(answer, seq);
      // What was played since it was asked for is shown.
      if (shownSeq !== null) setOptions('run', { at: shownSeq });
    });
  }

  function stop(): void {
    player?.[Symbol.dispose]();
    player = null;
    speed.value = 0;
    hold.value = null;
  }

  function follow(seq: number | null): void {
    if (seq === shownSeq) return;
    stop();
    shownSeq = seq;
    isAhead = false;
    failure.value = null;
    if (seq === null) {
      asked.abort();
      past.value = null;
      log.showLive();
      return;
    }
    log.showAsOf(seq);
    void readState(seq);
  }

  /** The player is loaded when something is first played. */
  async function play(fromSeq: number): Promise<void> {
    const loaded = await import('./player.ts').catch(() => null);
    if (loaded === null) stop();
    // Somebody may have stopped it, gone elsewhere, or begun anew meanwhile.
    if (loaded === null || player !== null || speed.peek() === 0 || shownSeq !== fromSeq) return;
    player = new loaded.Player({
      fromSeq,
      fromMs: instantOf(past.peek()?.last_event_at ?? ''),
      ...{ speed, played, monotonicMs: () => connection.monotonicMs() },
      read: async (after, signal) => {
        if (connection.link.peek().state !== 'open') return null;
        const query = { after, limit: EVENTS_PAGE_MAX, ...log.serverFilter() };
        const answer = await connection.ask<EventsPage>(`v1/runs/${key}/events`, { query, signal });
        if (answer.kind !== 'ok') return null;
        log.noteHistory(answer.body.events);
        return answer.body;
      },
    });
  }

  const played: PlayerOptions['played'] = ({ entries, isOver, shortenedMs, isStuck }) => {
    const next = isStuck ? 'no_answer' : shortenedMs === null ? null : { shortenedMs };
    if (JSON.stringify(next) !== JSON.stringify(hold.peek())) hold.value = next;
    if (entries.length > 0) {
      log.play(entries);
      shownSeq = entries.at(-1)!.seq;
    }
    if (isOver) of.onPresent();
  };

  /** The address and the state follow what is played. A state that is on its way is waited for, so that one comes at all. */
  function catchUp(): void {
    const seq = shownSeq;
    if (seq === null || seq === at.peek() || (isAsking && player !== null)) return;
    setOptions('run', { at: seq });
    void readState(seq);
  }

  const unfollow = effect(() => {
    const seq = at.value;
    untracked(() => follow(seq));
  });
  const unfilter = effect(() => {
    void log.filter.value;
    void log.around.value;
    if (player === null) return;
    // What was read ahead is that of the filter before.
    untracked(() => {
      stop();
      catchUp();
    });
  });
  const unwait = effect(() => {
    const newestSeq = newest.value;
    const seq = shownSeq;
    if (!isAhead || newestSeq === null || seq === null || newestSeq < seq) return;
    untracked(() => {
      log.showAsOf(seq);
      retry();
    });
  });
  const unwatch = connection.link.subscribe(({ state }) => {
    if (state === 'open' && untracked(() => failure.value?.retry) === 'try again') retry();
  });
  const timer = setInterval(() => {
    if (player !== null) catchUp();
  }, STATE_EVERY_MS);

  function retry(): void {
    if (shownSeq === null) return;
    isAhead = false;
    failure.value = null;
    void readState(shownSeq);
  }

  return {
    ...{ past, failure, speed, hold, retry },
    changeSpeed() {
      if (shownSeq === null) return;
      const next = nextSpeed[speed.peek()];
      if (next === 0) {
        stop();
        catchUp();
        return;
      }
      const begins = speed.peek() === 0;
      speed.value = next;
      if (begins) void play(shownSeq);
    },
    [Symbol.dispose]() {
      unfollow();
      unfilter();
      unwait();
      unwatch();
      clearInterval(timer);
      asked.abort();
      stop();
    },
  };
}
