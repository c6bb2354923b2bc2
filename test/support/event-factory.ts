import { decodeRunRecord } from '@runlog/records/run-record';
import { evolve } from '@runlog/run-state/evolve';
import type { EventRecord } from '@runlog/run-state/run-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

type Overrides = Partial<TelemetryEvent> & { data?: Record<string, unknown> };

let made = 0;

function event(type: string, data: Record<string, unknown>, overrides: Overrides): TelemetryEvent {
  made += 1;
  return {
    event_id: `event-${made}`,
    event_type: type,
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: 'r1',
    group_id: 'default',
    seed_id: null,
    slot_id: null,
    epoch: null,
    message: '',
    severity: 'info',
    ...overrides,
    data: { ...data, ...overrides.data },
  };
}

export function trainingStarted(overrides: Overrides = {}): TelemetryEvent {
  return event(
    'TRAINING_STARTED',
    {
      n_envs: 4,
      max_epochs: 150,
      max_batches: 50,
      task: 'cifar_scale',
      host_params: 1_000_000,
      slot_ids: ['r0c0', 'r0c1'],
      seed: 1,
      n_episodes: 200,
      lr: 0.0003,
      clip_ratio: 0.2,
      entropy_coef: 0.01,
      param_budget: 500_000,
      policy_device: 'cpu',
      env_devices: ['cpu'],
      reward_mode: 'shaped',
    },
    overrides,
  );
}

export function epochCompleted(overrides: Overrides = {}): TelemetryEvent {
  return event(
    'EPOCH_COMPLETED',
    { env_id: 0, val_accuracy: 40.5, val_loss: 0.2, inner_epoch: 1 },
    overrides,
  );
}

export function seedFossilized(overrides: Overrides = {}): TelemetryEvent {
  return event(
    'SEED_FOSSILIZED',
    { slot_id: 'r0c0', env_id: 1, blueprint_id: 'conv_light', improvement: 2.3, params_added: 1000 },
    overrides,
  );
}

export function gateEvaluated(overrides: Overrides = {}): TelemetryEvent {
  return event(
    'SEED_GATE_EVALUATED',
    {
      slot_id: 'r0c0',
      env_id: 1,
      gate: 'G2',
      passed: false,
      target_stage: 'BLENDING',
      checks_passed: [],
      checks_failed: ['a', 'b'],
    },
    overrides,
  );
}

export function batchCompleted(overrides: Overrides = {}): TelemetryEvent {
  return event(
    'BATCH_EPOCH_COMPLETED',
    {
      episodes_completed: 4,
      batch_idx: 1,
      avg_accuracy: 70.1,
      avg_reward: 1.5,
      total_episodes: 200,
      n_envs: 4,
    },
    overrides,
  );
}

export function ppoUpdated(overrides: Overrides = {}): TelemetryEvent {
  return event(
    'PPO_UPDATE_COMPLETED',
    {
      policy_loss: 0.1,
      value_loss: 0.2,
      entropy: 1.2,
      grad_norm: 1,
      kl_divergence: 0.01,
      clip_fraction: 0.15,
      nan_grad_count: 0,
    },
    overrides,
  );
}

export function otherEvent(type: string, overrides: Overrides = {}): TelemetryEvent {
  return event(type, {}, overrides);
}

export const TEST_EPOCH = 'test-1';

/** Returns the record that ingest would have written for the event. Throws if no fold could read it. */
export function recordOf(
  value: TelemetryEvent,
  at: { seq: number; cluster?: string; receivedAt?: string },
): EventRecord {
  const receivedAt = at.receivedAt ?? '2026-01-04T00:00:00.000Z';
  const record = decodeRunRecord(
    {
      offset: at.seq,
      key: `${at.cluster ?? 'c1'}/${value.run_id}/${value.group_id ?? 'default'}`,
      value: Buffer.from(JSON.stringify(value)),
      headers: { received_at: receivedAt },
      timestampMs: Date.parse(receivedAt),
    },
    TEST_EPOCH,
  );
  if (record.kind !== 'event') throw new Error(`not an event: ${JSON.stringify(record)}`);
  return record;
}

/** Folds events of one run; the first has offset 0. */
export function foldEvents(events: readonly TelemetryEvent[], state: RunSnapshot | null = null): RunSnapshot {
  let folded = state;
  const from = state === null ? 0 : state.position.seq + 1;
  for (const [index, value] of events.entries())
    folded = evolve(folded, recordOf(value, { seq: from + index }));
  if (folded === null) throw new Error('nothing was folded');
  return folded;
}
