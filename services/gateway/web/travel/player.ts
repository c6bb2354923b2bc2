import type { ReadonlySignal } from '@preact/signals';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { Playback } from './playback.ts';

/** How often the log goes on while it is played. */
const TICK_MS = 50;
/** A page is asked for when fewer entries than this wait. */
const WAITING_MIN = 100;
/** How long after a page could not be had it is asked for again. */
const RETRY_MS = 2_000;

export interface PlayerOptions {
  /** The event that is shown last, and its own time in milliseconds; NaN if it is not known. */
  readonly fromSeq: number;
  readonly fromMs: number;
  readonly speed: ReadonlySignal<number>;
  /** A monotonic clock in milliseconds. */
  monotonicMs(): number;
  /** Is called at each tick with what comes now. `isOver`: there is nothing behind it. */
  played(what: {
    readonly entries: readonly EventLogEntry[];
    readonly isOver: boolean;
    /** How long the pause is that is being shortened, in milliseconds. */
    readonly shortenedMs: number | null;
    /** Whether it waits because the history cannot be read now. */
    readonly isStuck: boolean;
  }): void;
  /** Returns null if the page cannot be had; it is asked for again. */
  read(after: number, signal: AbortSignal): Promise<EventsPage | null>;
}

/** Reads ahead in the history of a run and lets its entries go at their own pace, until it is disposed of. */
export class Player implements Disposable {
  readonly #of: PlayerOptions;
  readonly #stop = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #playback: Playback;
  #after: number;
  #isReading = false;
  #isAllRead = false;
  #failedAtMs: number | null = null;
  #tickedAtMs: number;

  constructor(of: PlayerOptions) {
    this.#of = of;
    this.#after = of.fromSeq;
    this.#playback = new Playback(of.fromMs);
    this.#tickedAtMs = of.monotonicMs();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    void this.#read();
  }

  #tick(): void {
    const nowMs = this.#of.monotonicMs();
    const elapsedMs = (nowMs - this.#tickedAtMs) * this.#of.speed.peek();
    this.#tickedAtMs = nowMs;
    const entries = this.#playback.advance(elapsedMs);
    const { waiting, shortenedMs } = this.#playback;
    if (waiting < WAITING_MIN && nowMs >= (this.#failedAtMs ?? Number.NEGATIVE_INFINITY) + RETRY_MS) {
      void this.#read();
    }
    const isStuck = waiting === 0 && this.#failedAtMs !== null;
    this.#of.played({ entries, isOver: waiting === 0 && this.#isAllRead, shortenedMs, isStuck });
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#isAllRead) return;
    this.#isReading = true;
    const page = await this.#of.read(this.#after, this.#stop.signal);
    this.#isReading = false;
    if (this.#stop.signal.aborted) return;
    this.#failedAtMs = page === null ? this.#of.monotonicMs() : null;
    if (page === null) return;
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
