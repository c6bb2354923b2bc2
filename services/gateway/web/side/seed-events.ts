import { eventNames } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import { percentagePoints } from '@runlog/schema/events/line-span';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

/** The newest events of seeds that the lanes are made of. */
export const SEED_EVENTS_MAX = 4 * EVENTS_PAGE_MAX;

const kinds: Readonly<Record<string, SeedEvent['kind']>> = {
  [eventNames.SEED_GERMINATED]: 'germinated',
  [eventNames.SEED_STAGE_CHANGED]: 'changed',
  [eventNames.SEED_GATE_EVALUATED]: 'gate',
  [eventNames.SEED_FOSSILIZED]: 'fossilised',
  [eventNames.SEED_PRUNED]: 'pruned',
  [eventNames.SEED_CULLED]: 'pruned',
};

/** The types of the events that tell the life of a seed. */
export const SEED_EVENT_TYPES: readonly string[] = Object.keys(kinds);

/** What the drawings keep of a seed's event. */
export interface SeedEvent {
  readonly seq: number;
  readonly eventId: string;
  /** The event's own time, in milliseconds since 1970. */
  readonly atMs: number;
  /** Null if the event names no environment. */
  readonly env: number | null;
  /** Empty if the event names no slot. */
  readonly slot: string;
  readonly kind: 'germinated' | 'changed' | 'gate' | 'fossilised' | 'pruned';
  /** The stages of a change; null in all others, or where a change names none. */
  readonly from: string | null;
  readonly to: string | null;
  /** The blueprint, the improvement or the reason, as text. */
  readonly note: string;
}

/** Returns null for an entry of any other type. Entries of older emitters have the same metadata. */
export function seedEventOf(entry: EventLogEntry): SeedEvent | null {
  const { event_type: type, metadata, seq, env_id: env, occurred_at: occurredAt } = entry;
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (kind === undefined) return null;
  const text = (name: string) => (metadata[name] === undefined ? null : String(metadata[name]));
  const isChange = kind === 'changed';
  return {
    ...{ seq, eventId: String(metadata.event_id), atMs: instantOf(occurredAt), env, kind },
    slot: text('slot_id') ?? '',
    from: isChange ? text('from') : null,
    to: isChange ? text('to') : null,
    note: text('blueprint') ?? text('reason') ?? percentagePoints(metadata.improvement),
  };
}
