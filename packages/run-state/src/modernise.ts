import type { TelemetryEvent } from '@runlog/schema/events/event';
import { olderShapeOf } from '@runlog/schema/events/event-types';

/**
 * Converts an older emitter's event to today's shape: renamed fields get today's names, and `slot_id` comes from the
 * envelope. Any other event is returned as the same object. Only the fold sees the result; the log keeps what was received.
 */
export function modernise(event: TelemetryEvent): TelemetryEvent {
  const older = olderShapeOf(event);
  if (older === null) return event;
  return { ...event, data: older.modernised(event) as NonNullable<TelemetryEvent['data']> };
}
