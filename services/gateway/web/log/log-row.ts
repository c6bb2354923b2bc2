import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import type { GapRow } from './gap-rows.ts';
import type { RowClock } from './minute-headings.ts';

export interface Shown {
  /** Stays the same for as long as the row begins with the same entry. */
  readonly id: string;
  /** Of the first entry. */
  readonly seq: number;
  /** The whole second of the sender's clock, in milliseconds since 1970. */
  readonly secondMs: number;
  /** More than `second` where the second is not of the minute that the last date row names: senders' clocks differ. */
  readonly clock: RowClock;
}

export interface Folded extends Shown {
  readonly lastSeq: number;
  readonly events: number;
  readonly envs: number;
  /** In order of arrival, at most 64. */
  readonly envIds: readonly number[];
  readonly isOpen: boolean;
  /** Whether there may be more of these events in a part of the history that is not loaded. */
  readonly isAtLeast: boolean;
}

export interface EventRow extends Shown {
  readonly kind: 'event';
  readonly entry: EventLogEntry;
  /** The id of the open row to which this one belongs, or null. */
  readonly within: string | null;
}

export interface RollUpRow extends Folded {
  readonly kind: 'rollup';
  readonly eventType: string;
  /** The first of them. */
  readonly entry: EventLogEntry;
  /** The range of the main value of the type; null if no event has it. */
  readonly low: number | null;
  readonly high: number | null;
  /** How many events have a value that is NaN or infinite. */
  readonly odd: number;
}

export interface BurstRow extends Folded {
  readonly kind: 'burst';
  /** Event types and how many there are of each, most first. */
  readonly counts: readonly (readonly [eventType: string, count: number])[];
  readonly isAlarm: boolean;
}

export interface DateRow {
  readonly kind: 'date';
  readonly id: string;
  /** The minute that begins with the next row, in milliseconds since 1970. */
  readonly minuteMs: number;
}

export interface EdgeRow {
  readonly kind: 'edge';
  readonly id: string;
  readonly at: 'top' | 'bottom';
  readonly state: EdgeState;
}

/**
 * What is beyond the first or the last row: `beginning` of the run, older history that is `gone`, `more` that can be
 * loaded, is `loading`, or `failed` to load; `searching`: a filter has found nothing in many pages, and waits to be told
 * to go on; `catching_up`: what comes next waits for events that were left out.
 */
export type EdgeState = 'beginning' | 'gone' | 'more' | 'loading' | 'failed' | 'searching' | 'catching_up';

export type LogRow = DateRow | EventRow | RollUpRow | BurstRow | GapRow | EdgeRow;
