import { readFileSync } from 'node:fs';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';

/** An event of a type, and what runlog must make of it. */
export interface EventTypeCase {
  /** The first case of each shape has the required fields of `data` and no others. */
  readonly shape: 'current' | 'older';
  readonly event: Pick<TelemetryEvent, 'data' | 'slot_id' | 'message'>;
  /** The entry, whose `metadata` omits the `event_id` that every entry has. Null if the event never makes an entry. */
  readonly entry: Pick<EventLogEntry, 'env_id' | 'message' | 'metadata' | 'values'> | null;
  readonly milestone: boolean;
  /** The line of the page; null if there is none. */
  readonly line: string | null;
  /** The fields of the snapshot that it changes, besides those that every event changes. */
  readonly changes: Partial<RunSnapshot>;
  /** The x and the value of the point that it adds to each figure. The event is the run's first. */
  readonly figures: Readonly<Record<string, readonly [x: number, value: number | null]>>;
}

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/event-types.json', import.meta.url), 'utf8'),
) as Record<string, EventTypeCase[]>;

/** The types that test/fixtures/event-types.json has: those of the table, and one that is unknown. */
export const fixtureTypes: readonly string[] = Object.keys(cases);

/** Returns the cases of a type; there are none for a type without a fixture. */
export function eventTypeCases(type: string): readonly EventTypeCase[] {
  return cases[type] ?? [];
}
