import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { isRolledUp } from './line-text.ts';

/** How often the drip lets go, in milliseconds. */
export const DRIP_TICK_MS = 100;
const HOLD_MS = 1_000;
const RATE_WINDOW_MS = 5_000;
const RATE_MIN = 1;
const LINES_PER_TICK_MAX = 3;
const BUDGET_MAX = 15;
/** A line that has waited so long makes the drip hurry. */
const LATE_MS = 1_900;
const FLUSHED_PER_TICK_MAX = 500;
/** So many individual lines a second cannot be read one after the other: then the drip is off. */
const LINES_PER_SECOND_MAX = 15;
const WAITING_MAX = 2_000;
/** Tenths of a line do not add up to a whole one. */
const ROUNDING = 1e-9;

/**
 * Lets individual events appear one after the other instead of in clumps, as the original does: each is held for a second,
 * then they go at the rate of the run's events. Rolled-up events are not held, but nothing overtakes: an entry's place is
 * its seq. `nowMs` is a monotonic time, and never goes back.
 */
export class Drip {
  #waiting: { readonly entry: EventLogEntry; readonly atMs: number; readonly isHeld: boolean }[] = [];
  #isOn: boolean;
  #budget = 0;
  #tickedAtMs: number | null = null;
  /** When events and individual lines came, newest last: [time, events, lines]. */
  #arrivals: (readonly [atMs: number, events: number, lines: number])[] = [];

  constructor({ isOn = true }: { isOn?: boolean } = {}) {
    this.#isOn = isOn;
  }

  /** How many entries wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** How far what is shown is behind what has come, in milliseconds. */
  delayMs(nowMs: number): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? 0 : Math.max(0, nowMs - oldest.atMs);
  }

  /** Whether entries are held at this moment: the switch is on, and there are few enough to be read. */
  isHolding(nowMs: number): boolean {
    return this.#isOn && this.#rateOf(nowMs, 2) <= LINES_PER_SECOND_MAX;
  }

  /** Turns the drip on or off. Returns what waited, which is to be shown at once. */
  switch(isOn: boolean): readonly EventLogEntry[] {
    this.#isOn = isOn;
    return isOn ? [] : this.#takeAll();
  }

  /** Takes entries that came, and returns those to show at once, in order. */
  push(entries: readonly EventLogEntry[], nowMs: number): readonly EventLogEntry[] {
    const lines = entries.reduce((sum, entry) => sum + (isRolledUp(entry) ? 0 : 1), 0);
    this.#arrivals.push([nowMs, entries.length, lines]);
    this.#forget(nowMs);
    for (const entry of entries) this.#waiting.push({ entry, atMs: nowMs, isHeld: !isRolledUp(entry) });
    if (!this.isHolding(nowMs) || this.#waiting.length > WAITING_MAX) return this.#takeAll();
    return this.#takeFree();
  }

  /** Lets go what it is time for. To be called each `DRIP_TICK_MS`; a longer pause gives no more than the budget. */
  tick(nowMs: number): readonly EventLogEntry[] {
    const sinceMs = this.#tickedAtMs === null ? DRIP_TICK_MS : nowMs - this.#tickedAtMs;
    this.#tickedAtMs = nowMs;
    this.#forget(nowMs);
    if (!this.isHolding(nowMs)) return this.#takeAll();
    const rate = Math.max(RATE_MIN, this.#rateOf(nowMs, 1));
    this.#budget = Math.min(BUDGET_MAX, this.#budget + (rate * sinceMs) / 1_000);
    const isLate = this.delayMs(nowMs) >= LATE_MS;
    const linesMax = isLate
      ? FLUSHED_PER_TICK_MAX
      : Math.min(LINES_PER_TICK_MAX, Math.floor(this.#budget + ROUNDING));
    const shown: EventLogEntry[] = [...this.#takeFree()];
    let lines = 0;
    while (lines < linesMax && this.#waiting.length > 0 && nowMs - this.#waiting[0]!.atMs >= HOLD_MS) {
      shown.push(this.#waiting.shift()!.entry, ...this.#takeFree());
      lines += 1;
    }
    this.#budget = Math.max(0, this.#budget - lines);
    return shown;
  }

  /** Events (1) or individual lines (2) a second over the newest five seconds. */
  #rateOf(nowMs: number, which: 1 | 2): number {
    let sum = 0;
    for (const arrival of this.#arrivals) if (arrival[0] > nowMs - RATE_WINDOW_MS) sum += arrival[which];
    return (sum * 1_000) / RATE_WINDOW_MS;
  }

  /** Arrivals of one tick are counted together, so there are few of them. */
  #forget(nowMs: number): void {
    const kept = this.#arrivals.filter(([atMs]) => atMs > nowMs - RATE_WINDOW_MS);
    const last = kept.at(-1);
    const before = kept.at(-2);
    if (last !== undefined && before !== undefined && last[0] - before[0] < DRIP_TICK_MS) {
      kept.splice(-2, 2, [before[0], before[1] + last[1], before[2] + last[2]]);
    }
    this.#arrivals = kept;
  }

  /** What is not held and has nothing that is held before it. */
  #takeFree(): EventLogEntry[] {
    const end = this.#waiting.findIndex(({ isHeld }) => isHeld);
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end).map(({ entry }) => entry);
  }

  #takeAll(): EventLogEntry[] {
    return this.#waiting.splice(0).map(({ entry }) => entry);
  }
}
