import { encodeEvent as encodeAccepted } from '@runlog/records/event-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import {
  batchCompleted,
  epochCompleted,
  otherEvent,
  ppoUpdated,
  seedFossilized,
  trainingStarted,
} from '../support/event-factory.ts';
import type { PlannedEvent } from './plan.ts';

/** Makes the record that ingest writes for an event. Its value is the same whenever the event is sent. */
export function encodeEvent(event: PlannedEvent, receivedAtMs: number): RecordToAppend {
  const { cluster_id, run_id, group_id } = parseRunKey(event.run)!;
  const value = make(event.type, {
    event_id: event.id,
    run_id,
    group_id,
    ...(event.emitterSeq === null ? {} : { emitter_id: event.emitter, emitter_seq: event.emitterSeq }),
  });
  return encodeAccepted(value, {
    clusterId: cluster_id,
    value: Buffer.from(JSON.stringify(value)),
    receivedAt: new Date(receivedAtMs).toISOString(),
    receivedAtMs,
  });
}

function make(type: string, overrides: Parameters<typeof otherEvent>[1]): TelemetryEvent {
  switch (type) {
    case 'TRAINING_STARTED':
      return trainingStarted(overrides);
    case 'EPOCH_COMPLETED':
      return epochCompleted(overrides);
    case 'BATCH_EPOCH_COMPLETED':
      return batchCompleted(overrides);
    case 'SEED_FOSSILIZED':
      return seedFossilized(overrides);
    case 'PPO_UPDATE_COMPLETED':
      return ppoUpdated(overrides);
    default:
      return otherEvent(type, overrides);
  }
}
