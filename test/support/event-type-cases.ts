import { readFileSync } from 'node:fs';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';

/** An event of a type, and what runlog must make of it. */
export interface EventTypeCase {
  /** The first case of each shape has the required fields of `data` and no others. */
  readonly shape: 'current' | 'older';
  readonly event: Pick<TelemetryEvent, 'data' | 'slot_id' | 'message'>;
  /** `metadata` without `event_id`, which every entry has. null: it is never an entry. */
  readonly entry: Pick<EventLogEntry, 'env_id' | 'message' | 'metadata'> | null;
  readonly milestone: boolean;
  /** The line of the page; null: there is none. */
  readonly line: string | null;
  /** The fields of the snapshot that differ after it, beside those that every event moves. */
  readonly changes: Partial<RunSnapshot>;
}

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/event-types.json', import.meta.url), 'utf8'),
) as Record<string, EventTypeCase[]>;

/** The types that test/fixtures/event-types.json has: those of the table, and one that is unknown. */
export const fixtureTypes: readonly string[] = Object.keys(cases);

/** The cases of a type; none for a type without a fixture. */
export function eventTypeCases(type: string): readonly EventTypeCase[] {
  return cases[type] ?? [];
}
