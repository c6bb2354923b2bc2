import { effect, type ReadonlySignal, signal, untracked } from '@preact/signals';
import { instantOf } from '@runlog/schema/events/instant';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { EventLogEntry, RunDocument } from '@runlog/schema/run/snapshot';
import { serverFilterOf } from '../log/log-filter.ts';
import type { LogStore } from '../log/log-store.ts';
import type { Connection } from '../shell/connection.ts';
import { setOptions } from '../shell/route.ts';
import { Playback } from './playback.ts';

/** How often the log goes on while it is played. */
const TICK_MS = 50;
/** How often the state above the log follows while it is played: each costs the server a fold. */
const STATE_EVERY_MS = 1_000;
/** A page is asked for when fewer entries than this wait. */
const WAITING_MIN = 100;

/** How fast the past is played; 0: it stands still. */
export type Speed = 0 | 1 | 10;
const nextSpeed: Readonly<Record<Speed, Speed>> = { 0: 1, 1: 10, 10: 0 };

/** A run as of an event that is not its newest. */
export interface Travel extends Disposable {
  /** The state as of the event; null while it is on its way, and live. */
  readonly past: ReadonlySignal<RunDocument | null>;
  /** Why it cannot be shown, as a sentence. */
  readonly failure: ReadonlySignal<string | null>;
  readonly speed: ReadonlySignal<Speed>;
  /** How long the pause is that is being shortened, in milliseconds. */
  readonly shortenedMs: ReadonlySignal<number | null>;
  /** From standing still to 1x, 10x, and back. */
  changeSpeed(): void;
}

/** Has a log and a state follow `at` until it is disposed of. What is played moves `at`, by the address. */
export function createTravel(of: {
  key: string;
  at: ReadonlySignal<number | null>;
  log: LogStore;
  connection: Connection;
}): Travel {
  const { key, at, log, connection } = of;
  const past = signal<RunDocument | null>(null);
  const failure = signal<string | null>(null);
  const speed = signal<Speed>(0);
  const shortenedMs = signal<number | null>(null);
  let asked = new AbortController();
  let player: Player | null = null;
  /** The event that the log ends at, which may be ahead of the address while it is played. */
  let shownSeq: number | null = null;

  async function readState(seq: number, signal: AbortSignal): Promise<void> {
    const answer = await connection.ask<RunDocument>(`v1/runs/${key}`, { query: { at: seq }, signal });
    if (signal.aborted) return;
    if (answer.kind === 'ok') {
      past.value = answer.body;
      failure.value = null;
      return;
    }
    stop();
    past.value = null;
    failure.value =
      answer.kind === 'away'
        ? 'The gateway does not answer, so this state cannot be had now.'
        : answer.message;
  }

  function stop(): void {
    player?.[Symbol.dispose]();
    player = null;
    speed.value = 0;
    shortenedMs.value = null;
  }

  function follow(seq: number | null): void {
    if (seq === shownSeq) return;
    stop();
    shownSeq = seq;
    asked.abort();
    asked = new AbortController();
    failure.value = null;
    if (seq === null) {
      past.value = null;
      log.showLive();
      return;
    }
    log.showAsOf(seq);
    void readState(seq, asked.signal);
  }

  /** Called with what is played now; `isOver` when the present is reached. */
  function played({ entries, isOver }: { entries: readonly EventLogEntry[]; isOver: boolean }): void {
    shortenedMs.value = player?.shortenedMs ?? null;
    if (entries.length > 0) {
      log.play(entries);
      shownSeq = entries.at(-1)!.seq;
    }
    if (isOver) setOptions('run', { at: null });
  }

  /** The address and the state follow once a second. */
  function catchUp(): void {
    const seq = shownSeq;
    if (seq === null || seq === at.peek()) return;
    setOptions('run', { at: seq });
    asked.abort();
    asked = new AbortController();
    void readState(seq, asked.signal);
  }

  const unfollow = effect(() => {
    const seq = at.value;
    untracked(() => follow(seq));
  });
  const timer = setInterval(() => {
    if (player !== null) catchUp();
  }, STATE_EVERY_MS);

  return {
    ...{ past, failure, speed, shortenedMs },
    changeSpeed() {
      if (shownSeq === null) return;
      const next = nextSpeed[speed.peek()];
      if (next === 0) {
        stop();
        catchUp();
        return;
      }
      speed.value = next;
      player ??= new Player({
        fromSeq: shownSeq,
        fromMs: instantOf(past.peek()?.last_event_at ?? ''),
        speed,
        played,
        read: async (after, signal) => {
          const query = { after, limit: EVENTS_PAGE_MAX, ...serverFilterOf(log.filter.peek()) };
          const answer = await connection.ask<EventsPage>(`v1/runs/${key}/events`, { query, signal });
          return answer.kind === 'ok' ? answer.body : null;
        },
      });
    },
    [Symbol.dispose]() {
      unfollow();
      clearInterval(timer);
      asked.abort();
      stop();
    },
  };
}

interface Played {
  readonly speed: ReadonlySignal<Speed>;
  played(what: { entries: readonly EventLogEntry[]; isOver: boolean }): void;
  /** Returns null if the page cannot be had; it is asked for again. */
  read(after: number, signal: AbortSignal): Promise<EventsPage | null>;
}

/** Reads ahead in the history and lets its entries go. */
class Player implements Disposable {
  readonly #of: Played;
  readonly #stop = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #playback: Playback;
  #after: number;
  #isReading = false;
  #isAllRead = false;
  #tickedAtMs = performance.now();

  constructor(of: Played & { readonly fromSeq: number; readonly fromMs: number }) {
    this.#of = of;
    this.#after = of.fromSeq;
    this.#playback = new Playback(of.fromMs);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    void this.#read();
  }

  get shortenedMs(): number | null {
    return this.#playback.shortenedMs;
  }

  #tick(): void {
    const nowMs = performance.now();
    const elapsedMs = (nowMs - this.#tickedAtMs) * this.#of.speed.peek();
    this.#tickedAtMs = nowMs;
    const entries = this.#playback.advance(elapsedMs);
    const { waiting } = this.#playback;
    this.#of.played({ entries, isOver: waiting === 0 && this.#isAllRead });
    if (waiting < WAITING_MIN) void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#isAllRead || this.#stop.signal.aborted) return;
    this.#isReading = true;
    const page = await this.#of.read(this.#after, this.#stop.signal);
    this.#isReading = false;
    if (page === null || this.#stop.signal.aborted) return;
    this.#playback.push(
      page.events.flatMap(({ entry, duplicate }) => (entry === null || duplicate === true ? [] : [entry])),
    );
    if (page.next === null) this.#isAllRead = true;
    else this.#after = page.next;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    clearInterval(this.#timer);
  }
}
