import { z } from 'zod';
import { runKeyPart } from './run-key-part.ts';

/**
 * A run's snapshot as version 1 of the fold stored it, with the bounds of that version. It never changes: topics that nobody
 * has rebuilt since hold such bytes, and those of a run whose events are gone are all that is left of its beginning.
 */
const offset = z.int().min(0);
const count = z.int().min(0);
const figure = z.number().nullable();

const entry = z.object({
  timestamp: z.string(),
  event_type: z.string(),
  env_id: z.int().min(0).nullable(),
  message: z.string(),
  metadata: z.record(z.string(), z.union([z.string(), z.number()])),
  episode: z.int().min(0),
  seq: offset,
  occurred_at: z.string(),
});

const emitter = z.object({
  last: count,
  gaps: z.array(z.tuple([count, count])).max(20),
  /** The highest number of an evicted gap. */
  floor: count,
  /** The count of numbers of evicted gaps that have not arrived. Null if unknown. */
  lost: count.nullable(),
  seen: offset,
});

export const runSnapshotFold1Schema = z.object({
  cluster_id: runKeyPart,
  run_id: runKeyPart,
  group_id: runKeyPart,
  position: z.object({ epoch: z.string().regex(/^[^.]+$/), seq: offset }),
  first_seq: offset,
  evicted_seq: offset.nullable(),
  last_event_id: z.string(),
  /** True unless an event with the number 1, or a training that starts with its first episode, has arrived. */
  partial: z.boolean(),
  started_at: z.string().nullable(),
  last_received_at: z.string(),
  last_event_at: z.string().nullable(),
  /** That of the newest entry's type. */
  status: z.enum(['running', 'finished', 'failed']),
  task_name: z.string().nullable(),
  reward_mode: z.string().nullable(),
  slot_ids: z.array(z.string()).max(256),
  n_envs: figure,
  current_episode: count,
  current_batch: count,
  max_batches: figure,
  max_epochs: figure,
  batch_avg_accuracy: figure,
  batch_avg_reward: figure,
  ppo: z.object({ entropy: figure, clip_fraction: figure, kl_divergence: figure }),
  total_events_received: count,
  duplicates: count,
  missing: count,
  unsure: count,
  cumulative_germinated: count,
  cumulative_fossilized: count,
  cumulative_pruned: count,
  counts: z.record(z.string(), count),
  emitters: z.record(z.string(), emitter),
  emitters_evicted: count,
  event_log: z.array(entry).max(100),
  milestones: z.array(entry).max(100),
  activity: z.array(z.tuple([count, count])).max(60),
  event_id_window: z.string(),
});

export type RunSnapshotFold1 = z.infer<typeof runSnapshotFold1Schema>;
