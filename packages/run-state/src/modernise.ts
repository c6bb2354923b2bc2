import { isOlderShape, type TelemetryEvent } from '@runlog/schema/events/event';

/**
 * An older emitter's event in today's shape: renamed fields under today's names, `slot_id` from the envelope. Anything
 * else comes back as the same object. The log keeps what was received; this stands in front of the fold alone.
 */
export function modernise(event: TelemetryEvent): TelemetryEvent {
  if (!isOlderShape(event)) return event;
  const data = (event.data ?? {}) as Record<string, unknown>;
  switch (event.event_type) {
    case 'SEED_STAGE_CHANGED':
      return {
        ...event,
        data: { ...data, slot_id: event.slot_id, from_stage: data.from, to_stage: data.to },
      };
    case 'PPO_UPDATE_COMPLETED':
      return {
        ...event,
        data: { ...data, kl_divergence: data.approx_kl, grad_norm: null, nan_grad_count: null },
      };
    default:
      return { ...event, data: { ...data, slot_id: event.slot_id } };
  }
}
