import type { Payload, TelemetryEvent } from '@runlog/schema/events/event';
import { MESSAGE_BYTES_MAX, METADATA_BYTES_MAX, METADATA_CHARS_MAX } from '@runlog/schema/limits';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { cutText } from './cut-text.ts';

type Metadata = Record<string, string | number>;

/**
 * The EventLogEntry of an event (TELE-810…815): a generic message that can be rolled up, and the particulars in
 * `metadata`. `episode` is the run's before the event. The event is in today's shape.
 */
export function logEntryOf(event: TelemetryEvent, at: { episode: number; seq: number }): EventLogEntry {
  const metadata: Metadata = { event_id: cutMetadata(event.event_id) };
  return {
    timestamp: clockOf(event.timestamp),
    event_type: event.event_type,
    env_id: environmentOf(event),
    message: cutText(describe(event, metadata), {
      charsMax: MESSAGE_BYTES_MAX,
      jsonBytesMax: MESSAGE_BYTES_MAX,
    }),
    metadata,
    episode: at.episode,
    seq: at.seq,
    occurred_at: event.timestamp,
  };
}

/** Writes the type's metadata and returns its message. */
function describe(event: TelemetryEvent, metadata: Metadata): string {
  switch (event.event_type) {
    case 'SEED_GERMINATED': {
      const data = event.data as Payload<'SEED_GERMINATED'>;
      metadata.slot_id = slotOf(event);
      metadata.blueprint = cutMetadata(data.blueprint_id);
      return 'Germinated';
    }
    case 'SEED_STAGE_CHANGED': {
      const data = event.data as Payload<'SEED_STAGE_CHANGED'>;
      metadata.slot_id = slotOf(event);
      metadata.from = cutMetadata(data.from_stage);
      metadata.to = cutMetadata(data.to_stage);
      return 'Stage changed';
    }
    case 'SEED_GATE_EVALUATED': {
      const data = event.data as Payload<'SEED_GATE_EVALUATED'>;
      metadata.slot_id = slotOf(event);
      metadata.gate = cutMetadata(data.gate);
      metadata.target_stage = cutMetadata(data.target_stage);
      metadata.result = data.passed ? 'PASS' : 'FAIL';
      if (data.checks_failed.length > 0) metadata.failed_checks = data.checks_failed.length;
      if (data.message) metadata.detail = cutMetadata(data.message);
      return 'Gate evaluated';
    }
    case 'SEED_FOSSILIZED': {
      const data = event.data as Payload<'SEED_FOSSILIZED'>;
      metadata.slot_id = slotOf(event);
      metadata.improvement = plain(data.improvement);
      return 'Fossilized';
    }
    case 'SEED_PRUNED':
    case 'SEED_CULLED': {
      const data = event.data as Payload<'SEED_PRUNED'>;
      metadata.slot_id = slotOf(event);
      metadata.reason = cutMetadata(data.reason);
      return 'Pruned';
    }
    case 'PPO_UPDATE_COMPLETED': {
      const data = event.data as Payload<'PPO_UPDATE_COMPLETED'>;
      if (data.skipped) {
        metadata.reason = 'buffer rollback';
        return 'PPO skipped';
      }
      metadata.entropy = plain(data.entropy);
      metadata.clip_fraction = plain(data.clip_fraction);
      return 'PPO update';
    }
    case 'BATCH_EPOCH_COMPLETED': {
      const data = event.data as Payload<'BATCH_EPOCH_COMPLETED'>;
      metadata.batch = data.batch_idx;
      metadata.episodes = data.episodes_completed;
      return 'Batch complete';
    }
    default:
      return event.message || event.event_type;
  }
}

/** The environment an event belongs to; null for events of the whole run and for the emitters' "unknown" (-1). */
function environmentOf(event: TelemetryEvent): number | null {
  switch (event.event_type) {
    case 'TRAINING_STARTED':
    case 'PPO_UPDATE_COMPLETED':
    case 'BATCH_EPOCH_COMPLETED':
      return null;
    default: {
      const env = (event.data as { env_id?: unknown } | null | undefined)?.env_id;
      return Number.isSafeInteger(env) && (env as number) >= 0 ? (env as number) + 0 : null;
    }
  }
}

/** The envelope's slot wins when it says one. */
function slotOf(event: TelemetryEvent): string {
  return cutMetadata(event.slot_id || (event.data as { slot_id?: string | null }).slot_id || '');
}

/** HH:MM:SS in UTC. */
function clockOf(timestamp: string): string {
  if (timestamp.length >= 19 && (timestamp.endsWith('+00:00') || timestamp.endsWith('Z'))) {
    const clock = timestamp.slice(11, 19);
    if (clock[5] === ':') return clock;
  }
  return new Date(timestamp).toISOString().slice(11, 19);
}

/** -0 is written as 0 by JSON: a state must equal what is read back of it. */
function plain(value: number | string): number | string {
  return typeof value === 'number' ? value + 0 : value;
}

function cutMetadata(text: string): string {
  return cutText(text, { charsMax: METADATA_CHARS_MAX, jsonBytesMax: METADATA_BYTES_MAX });
}
