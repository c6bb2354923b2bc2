const MINUTE_MS = 60_000;
const MINUTES_OF_A_DAY = 24 * 60;
/** A minute that was named so many rows before is named again. */
export const HEADING_ROWS_MAX = 40;
/** So many rows of a day in a row have it named, so that a row of it need not tell it. */
const ROWS_OF_A_DAY_MIN = 3;

interface Timed {
  /** The whole second of the sender's clock, in milliseconds since 1970. */
  readonly secondMs: number;
}

/** How much of its time a row has to tell, under the heading above it: the second, the whole clock, or its day, too. */
export type RowClock = 'second' | 'full' | 'dated';

/**
 * Decides where a heading names a new minute, and what a row tells because the heading above it does not. Clocks of several
 * senders differ, and come by turns: a minute that was there a few rows before is not named again, unless the rows of another
 * day stay.
 */
export class MinuteHeadings {
  readonly #rows: readonly Timed[];
  #named: number;
  /** Each minute of the rows right before, and the last row of it. */
  readonly #lastAt = new Map<number, number>();

  /** Goes on at a row. `named` is the minute of the last heading before it, since 1970; NaN if there is none. */
  constructor(rows: readonly Timed[], { at, named }: { at: number; named: number }) {
    this.#rows = rows;
    this.#named = named;
    for (let before = Math.max(0, at - HEADING_ROWS_MAX); before < at; before += 1) {
      this.#lastAt.set(minuteOf(rows[before]!), before);
    }
  }

  /** The minute of the last heading, since 1970; NaN if there is none. */
  get named(): number {
    return this.#named;
  }

  /** Takes the next row. Returns the time of the heading that comes before it, in milliseconds since 1970, or null. */
  next(at: number): { readonly headingMs: number | null; readonly clock: RowClock } {
    const minute = minuteOf(this.#rows[at]!);
    const isHeading = minute !== this.#named && (!this.#wasNear(minute, at) || this.#hasSettled(minute, at));
    if (isHeading) this.#named = minute;
    this.#lastAt.set(minute, at);
    return { headingMs: isHeading ? minute * MINUTE_MS : null, clock: clockUnder(this.#named, minute) };
  }

  #wasNear(minute: number, at: number): boolean {
    return at - (this.#lastAt.get(minute) ?? Number.NEGATIVE_INFINITY) <= HEADING_ROWS_MAX;
  }

  /** Whether this row and those right before it are of one day, which the last heading does not name. */
  #hasSettled(minute: number, at: number): boolean {
    const day = dayOf(minute);
    if (day === dayOf(this.#named) || at < ROWS_OF_A_DAY_MIN - 1) return false;
    for (let before = at - ROWS_OF_A_DAY_MIN + 1; before < at; before += 1) {
      if (dayOf(minuteOf(this.#rows[before]!)) !== day) return false;
    }
    return true;
  }
}

function clockUnder(named: number, minute: number): RowClock {
  if (minute === named) return 'second';
  return dayOf(minute) === dayOf(named) ? 'full' : 'dated';
}

function minuteOf({ secondMs }: Timed): number {
  return Math.floor(secondMs / MINUTE_MS);
}

function dayOf(minute: number): number {
  return Math.floor(minute / MINUTES_OF_A_DAY);
}
