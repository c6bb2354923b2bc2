import type * as z from 'zod/mini';
import type { EventLogEntry, RunSnapshot, RunStatus } from '../run/snapshot.ts';
import type { TelemetryEvent } from './event.ts';
import type { EventLine, LineEntry } from './line-span.ts';

export type EntryMetadata = EventLogEntry['metadata'];

/** One row of the table of event types: everything that runlog knows about a type. `Data` is its payload. */
export interface EventType<Data = unknown> extends Columns<TelemetryEvent> {
  /** Judges `data` in today's shape. null: `data` may be any object, or absent. */
  readonly payload: z.ZodMiniType<Data> | null;
  readonly older: OlderShape | null;
  readonly page: PageLine;
}

interface Columns<Event> {
  /** `run`: the event concerns the whole run, and its entry names no environment whatever `data` says. */
  readonly scope: 'run' | 'environment';
  /**
   * `finished` and `failed` end the run. After `running`, an ended run goes on only if the event is much later than the
   * end (`moveStatus` of run-state).
   */
  readonly status: RunStatus;
  /** Writes the entry's metadata and returns its message, both uncut. null: the event's message, else its type. */
  readonly entry: ((event: Event, metadata: EntryMetadata) => string) | null;
  /** The names that `entry` gives to metadata, and the fields of `data` that it tells otherwise. They are no `values`. */
  readonly told: readonly string[];
  /** The fields of `data` that the entry's `values` take first, in this order, if metadata does not have them. */
  readonly valuesFirst: readonly string[];
  /**
   * Changes the run's snapshot, apart from counts and event log. The event's position is already the run's. It replaces
   * values and never writes into one.
   */
  readonly effect: ((state: RunSnapshot, event: Event) => void) | null;
  /** The numeric series that such events continue. */
  readonly figures: FigureColumn<Event> | null;
}

/**
 * Where the figures of a type come from. `own_names`: every number in `data`, by its own name. `type_and_name`: the same, as
 * `TYPE.name`. Both leave out `step` and `env_id`.
 */
export type FigureColumn<Event> =
  | {
      /** The field of `data` that a figure shows, by the figure's name. */
      readonly fields: Readonly<Record<string, FieldOf<Event>>>;
      /** The field that counts such events, which is x where `data` has no `step`. null: the event's ordinal is. */
      readonly counter: FieldOf<Event> | null;
      /** Says which events hold no figures. */
      readonly unless?: (event: Event) => boolean;
    }
  | 'own_names'
  | 'type_and_name';

type FieldOf<Event> = Event extends { readonly data?: infer Data } ? keyof NonNullable<Data> & string : never;

/**
 * The type's class, and how the page writes it. The class is part of the fold: entries of individual events are kept as
 * milestones, and unlogged events are counted and are never an entry. How a type is drawn is free: the page rolls up those
 * types that have a `rollUp`, whatever their class.
 */
export type PageLine =
  | {
      readonly class: 'individual' | 'aggregated';
      /** The short name of the type; null if it is the type without its ending. */
      readonly kind: string | null;
      readonly line: (entry: LineEntry) => EventLine;
      readonly rollUp: RollUp | null;
    }
  | { readonly class: 'unlogged' };

/** Ordinary events of one second and of this type share a row of the page, which says the range of one of their values. */
export interface RollUp {
  readonly value: string;
  readonly unit: '%' | '';
  readonly digits: number;
}

/** A payload that emitters of December 2025 sent under the same type. */
export interface OlderShape<Data = unknown> {
  readonly payload: z.ZodMiniType<unknown>;
  /** A payload of this shape has the one field and lacks the other. null: every event of the type has this shape. */
  readonly telltale: { readonly has: string; readonly lacks: string } | null;
  /** The `slot_id` is in the envelope, which must have one. */
  readonly slotInEnvelope: boolean;
  /** Returns the payload in today's shape. Unknown fields stay. */
  readonly modernised: (event: TelemetryEvent) => Data;
}

type EventWith<Data> = Omit<TelemetryEvent, 'data'> & { readonly data: Data };

/**
 * Makes a row whose functions read typed data. `Read` differs from `Data` if the older shape lacks some of its fields. The
 * types are dropped here, and `validateEvent` and `modernise` ensure that an event has the data that the row of its type
 * reads.
 */
export function eventType<Data, Read = Data>(
  row: {
    readonly payload: z.ZodMiniType<Data> | null;
    readonly older: OlderShape<NoInfer<Read>> | null;
    readonly page: PageLine;
  } & Columns<EventWith<NoInfer<Read>>>,
): EventType<Data> {
  return row as unknown as EventType<Data>;
}

/** Makes an older shape whose `modernised` reads typed data. */
export function olderShape<Older extends object, Data>(
  shape: Omit<OlderShape, 'payload' | 'modernised' | 'telltale'> & {
    readonly payload: z.ZodMiniType<Older>;
    readonly telltale: { readonly has: keyof Older & string; readonly lacks: string } | null;
    readonly modernised: (data: Older, slotId: string) => Data;
  },
): OlderShape<Data> {
  return {
    ...shape,
    modernised: (event) => shape.modernised(event.data as Older, event.slot_id ?? ''),
  };
}
