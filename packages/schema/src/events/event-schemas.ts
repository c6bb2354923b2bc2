import { z } from 'zod';
import { envelope, telemetryEventSchema } from './event.ts';
import type { EventType, OlderShape } from './event-type.ts';
import { eventTypes } from './event-types.ts';

const rows: readonly (readonly [string, EventType])[] = Object.entries(eventTypes);

function eventSchemaOf(payload: NonNullable<EventType['payload']>) {
  return z.object({ ...envelope, data: payload });
}

function olderEventSchemaOf({ payload, slotInEnvelope }: OlderShape) {
  return slotInEnvelope
    ? eventSchemaOf(payload).extend({ slot_id: z.string().min(1) })
    : eventSchemaOf(payload);
}

/** The schema that judges events of each known type and shape; `other` judges the rest. */
export const eventSchemas = {
  current: Object.fromEntries(
    rows.flatMap(([type, { payload, older }]) =>
      // Every event of a type without a telltale has the older shape.
      payload === null || older?.telltale === null ? [] : [[type, eventSchemaOf(payload)]],
    ),
  ),
  older: Object.fromEntries(
    rows.flatMap(([type, { older }]) => (older === null ? [] : [[type, olderEventSchemaOf(older)]])),
  ),
  other: telemetryEventSchema,
};
