import { z } from 'zod';
import { EMITTER_SEQ_MAX, EVENT_ID_CHARS_MAX } from '../limits.ts';
import { runKeyPart } from '../run/run-key.ts';

/**
 * A TelemetryEvent as emitters send it: TELE-810's ten types with their payloads, the older (December 2025) shapes of
 * some of them, and any other type. Validation changes nothing: unknown fields pass, no defaults, no transforms, so
 * that the bytes received can be the bytes stored.
 */
export const SCHEMA_VERSION = '1';

/** JSON has no NaN: ingest turns Python's bare literals into these strings, as proto3's JSON writes them. */
const float = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);
const count = z.int().min(0);
/** -1 is the emitters' "unknown". */
const envId = z.int().min(-1);
const text = z.string();
const names = z.array(z.string());

const trainingStarted = z.object({
  n_envs: count,
  max_epochs: count,
  max_batches: count,
  task: text,
  host_params: float,
  slot_ids: names,
  seed: float,
  n_episodes: count,
  lr: float,
  clip_ratio: float,
  entropy_coef: float,
  param_budget: float,
  policy_device: text,
  env_devices: names,
  reward_mode: text,
  start_episode: count.nullish(),
});

const seedGerminated = z.object({ slot_id: text, env_id: envId, blueprint_id: text, params: float });
const seedStageChanged = z.object({ slot_id: text, env_id: envId, from_stage: text, to_stage: text });
const seedGateEvaluated = z.object({
  slot_id: text,
  env_id: envId,
  gate: text,
  passed: z.boolean(),
  target_stage: text,
  checks_passed: names,
  checks_failed: names,
  message: text.nullish(),
});
const seedFossilized = z.object({
  slot_id: text,
  env_id: envId,
  blueprint_id: text,
  improvement: float,
  params_added: float,
});
const seedPruned = z.object({ slot_id: text, env_id: envId, reason: text });
const ppoUpdateCompleted = z.object({
  policy_loss: float,
  value_loss: float,
  entropy: float,
  grad_norm: float,
  kl_divergence: float,
  clip_fraction: float,
  nan_grad_count: count,
  skipped: z.boolean().nullish(),
});
const batchEpochCompleted = z.object({
  episodes_completed: count,
  batch_idx: count,
  avg_accuracy: float,
  avg_reward: float,
  total_episodes: count,
  n_envs: count,
  rolling_accuracy: float.nullish(),
});
const epochCompleted = z.object({
  env_id: envId,
  val_accuracy: float,
  val_loss: float,
  inner_epoch: count,
});
const rewardComputed = z.object({ env_id: envId, total_reward: float.nullish() });

const olderSeedGerminated = z.object({ env_id: envId, blueprint_id: text, params: float });
const olderSeedStageChanged = z.object({ env_id: envId, from: text, to: text });
const olderSeedFossilized = z.object({
  env_id: envId,
  blueprint_id: text,
  improvement: float,
  params_added: float,
});
const seedCulled = z.object({ env_id: envId, reason: text });
const olderPpoUpdateCompleted = z.object({
  policy_loss: float,
  value_loss: float,
  entropy: float,
  clip_fraction: float,
  approx_kl: float,
  skipped: z.boolean().nullish(),
});

/** The ten types of TELE-810, by name. */
export const payloadSchemas = {
  TRAINING_STARTED: trainingStarted,
  SEED_GERMINATED: seedGerminated,
  SEED_STAGE_CHANGED: seedStageChanged,
  SEED_GATE_EVALUATED: seedGateEvaluated,
  SEED_FOSSILIZED: seedFossilized,
  SEED_PRUNED: seedPruned,
  PPO_UPDATE_COMPLETED: ppoUpdateCompleted,
  BATCH_EPOCH_COMPLETED: batchEpochCompleted,
  EPOCH_COMPLETED: epochCompleted,
  REWARD_COMPUTED: rewardComputed,
} as const;

export type KnownEventType = keyof typeof payloadSchemas;
export type Payload<Type extends KnownEventType> = z.infer<(typeof payloadSchemas)[Type]>;

/** Older payloads: recognised by what they lack; their `slot_id` stands in the envelope. */
export const olderPayloadSchemas = {
  SEED_GERMINATED: olderSeedGerminated,
  SEED_STAGE_CHANGED: olderSeedStageChanged,
  SEED_FOSSILIZED: olderSeedFossilized,
  SEED_CULLED: seedCulled,
  PPO_UPDATE_COMPLETED: olderPpoUpdateCompleted,
} as const;

export type OlderEventType = keyof typeof olderPayloadSchemas;

/** No control characters and no lone surrogates: an id must survive a record header unchanged. */
const printable = /^[^\p{Cc}\p{Cs}]+$/u;
/** The same as a JSON Schema says it: not every reader knows `\p{…}`, and none has lone surrogates. */
const printableText = '^[^\\u0000-\\u001F\\u007F-\\u009F]+$';

const envelope = {
  event_id: z
    .string()
    .max(EVENT_ID_CHARS_MAX)
    .regex(printable, 'must be a non-empty printable string')
    .meta({ pattern: printableText }),
  event_type: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be SCREAMING_SNAKE_CASE, 1 to 64 characters'),
  timestamp: z.iso.datetime({
    offset: true,
    error: 'must be ISO 8601 with a UTC offset, such as 2026-01-03T23:59:47.900000+00:00',
  }),
  run_id: runKeyPart,
  group_id: runKeyPart.nullish(),
  seed_id: z.string().nullish(),
  slot_id: z.string().nullish(),
  epoch: z.number().nullish(),
  message: z.string().nullish(),
  severity: z.enum(['debug', 'info', 'warning', 'error', 'critical']).nullish(),
  emitter_id: runKeyPart.nullish(),
  emitter_seq: z.int().min(1).max(EMITTER_SEQ_MAX).nullish(),
};

const anyPayload = z.object({}).nullish();

export const telemetryEventSchema = z.object({ ...envelope, data: anyPayload });

/** A valid event of any type and age. `data` is typed by `payloadSchemas` after `modernise` (packages/run-state). */
export type TelemetryEvent = Omit<z.infer<typeof telemetryEventSchema>, 'data'> & {
  readonly data?: Readonly<Record<string, unknown>> | null | undefined;
};

/** The schema that judges events of each known type and shape; `other` judges the rest. */
export const eventSchemas = {
  current: Object.fromEntries(
    Object.entries(payloadSchemas).map(([type, data]) => [type, z.object({ ...envelope, data })]),
  ),
  older: Object.fromEntries(
    Object.entries(olderPayloadSchemas).map(([type, data]) => [
      type,
      type.startsWith('SEED_')
        ? z.object({ ...envelope, slot_id: z.string().min(1), data })
        : z.object({ ...envelope, data }),
    ]),
  ),
  other: telemetryEventSchema,
};

/** Whether an event of this type carries the older payload: the shapes differ in a field that one of them requires. */
export function isOlderShape(event: { event_type?: unknown; data?: unknown }): boolean {
  const data = event.data;
  if (typeof data !== 'object' || data === null) return event.event_type === 'SEED_CULLED';
  switch (event.event_type) {
    case 'SEED_CULLED':
      return true;
    case 'SEED_GERMINATED':
    case 'SEED_FOSSILIZED':
      return !('slot_id' in data) && 'blueprint_id' in data;
    case 'SEED_STAGE_CHANGED':
      return !('from_stage' in data) && 'from' in data;
    case 'PPO_UPDATE_COMPLETED':
      return !('kl_divergence' in data) && 'approx_kl' in data;
    default:
      return false;
  }
}
