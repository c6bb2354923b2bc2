import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import type { GapRow } from './gap-rows.ts';

/** Pages that are read for one gap. Beyond it the gap stands at the latest place that is possible. */
const PAGES_MAX = 48;
/** The events of a page. */
export const SEARCHED_EVENTS = 100;

type Numbered = Pick<GapRow, 'emitterId' | 'from'>;

/**
 * Looks for the place of a gap in the history of a run, by halving it: an emitter's numbers grow with its events, so what has a
 * number below the gap lies before it. A filtered log needs it, because it does not load the event behind the gap.
 */
export class GapSearch {
  readonly #gap: Numbered;
  /** The event behind the gap is above this seq, and not above `#high`. */
  #low: number;
  #high: number;
  /** Events of the emitter between `#low` and this seq may be behind the gap; those above it, up to `#high`, are not there. */
  #open: number;
  #after: number;
  #middle: number;
  #pages = 0;

  /** `firstSeq`: of the run. `seen`: the seq of the emitter's newest record. */
  constructor(gap: Numbered, { firstSeq, seen }: { firstSeq: number; seen: number }) {
    this.#gap = gap;
    this.#low = firstSeq - 1;
    this.#high = seen;
    this.#open = seen;
    this.#middle = this.#halved();
    this.#after = this.#middle;
  }

  /** The `after` of the page that is to be read next; null once the place is found. */
  get next(): number | null {
    return this.#open - this.#low <= 1 || this.#pages >= PAGES_MAX ? null : this.#after;
  }

  /** The seq behind which the gap stands, once it is found. */
  get place(): number {
    return this.#high - 1;
  }

  /** Takes the page behind `next`, unfiltered. */
  note({ events, next }: Pick<EventsPage, 'events' | 'next'>): void {
    this.#pages += 1;
    const lowBefore = this.#low;
    for (const event of events) {
      if (event.seq >= this.#open) break;
      const number = numberOf(event, this.#gap.emitterId);
      if (number === null) continue;
      if (number >= this.#gap.from) {
        this.#high = event.seq;
        // The emitter has nothing between what was found before it, or the middle, and this event.
        this.#goOn(Math.max(this.#low, this.#middle) + 1);
        return;
      }
      this.#low = event.seq;
    }
    if (this.#low > lowBefore) this.#goOn(this.#open);
    else if (next !== null && next < this.#open - 1) this.#after = next;
    else this.#goOn(this.#middle + 1);
  }

  #goOn(open: number): void {
    this.#open = open;
    this.#middle = this.#halved();
    this.#after = this.#middle;
  }

  #halved(): number {
    return this.#open - this.#low <= SEARCHED_EVENTS
      ? this.#low
      : Math.floor((this.#low + this.#open - 1) / 2);
  }
}

/** The number that an emitter gave to an event, or null if the event is not one of its own or came before. */
function numberOf({ event, duplicate }: StoredEvent, emitterId: string | null): number | null {
  const { emitter_id, emitter_seq } = event;
  return emitter_id === emitterId && typeof emitter_seq === 'number' && duplicate !== true
    ? emitter_seq
    : null;
}
