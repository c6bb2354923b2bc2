import type { TelemetryEvent } from '@runlog/schema/events/event';
import { olderShapeOf } from '@runlog/schema/events/event-types';

/**
 * An older emitter's event in today's shape: renamed fields under today's names, `slot_id` from the envelope. Anything
 * else comes back as the same object. The log keeps what was received; this stands in front of the fold alone.
 */
export function modernise(event: TelemetryEvent): TelemetryEvent {
  const older = olderShapeOf(event);
  if (older === null) return event;
  return { ...event, data: older.modernised(event) as NonNullable<TelemetryEvent['data']> };
}
