import { z } from 'zod';
import {
  ACTIVITY_BUCKETS_MAX,
  EMITTER_GAPS_MAX,
  EVENT_LOG_ENTRIES_MAX,
  MILESTONES_MAX,
  SLOT_IDS_MAX,
} from '../limits.ts';
import { runKeyPart } from './run-key.ts';

/**
 * Version of what the fold makes of a record: of the snapshot's fields and of the rows of `eventTypes`. It is part of every
 * checkpoint; a change of it needs a rebuild.
 */
export const FOLD_VERSION = 1;

const offset = z.int().min(0);
const count = z.int().min(0);
/** A number of the run, or null while it is unknown. NaN counts as unknown, because JSON cannot represent it. */
const figure = z.number().nullable();

/**
 * EventLogEntry of TELE-810, with the event's offset and time. `relative_time`, which depends on the present time, is
 * added at delivery.
 */
export const eventLogEntrySchema = z.object({
  /** HH:MM:SS in UTC. */
  timestamp: z.string(),
  event_type: z.string(),
  env_id: z.int().min(0).nullable(),
  message: z.string(),
  metadata: z.record(z.string(), z.union([z.string(), z.number()])),
  /** The run's episode before this event. */
  episode: z.int().min(0),
  /** The offset of the event's record. */
  seq: offset,
  /** The event's own timestamp, as it was sent. */
  occurred_at: z.string(),
});

export type EventLogEntry = z.infer<typeof eventLogEntrySchema>;

/**
 * The numbering of one emitter within one run. All sequence numbers up to `last` arrived, except those inside `gaps`.
 */
export const emitterStateSchema = z.object({
  last: count,
  /** Ranges [from, to] that have not arrived, oldest first. */
  gaps: z.array(z.tuple([count, count])).max(EMITTER_GAPS_MAX),
  /** The highest number of an evicted gap. At or below it, a number outside `gaps` may be a repeat or not. */
  floor: count,
  /**
   * The count of numbers of evicted gaps that have not arrived. Null if unknown, because the emitter had been
   * forgotten.
   */
  lost: count.nullable(),
  /** The offset of the newest record from this emitter. The emitter with the lowest one is evicted first. */
  seen: offset,
});

export type EmitterState = z.infer<typeof emitterStateSchema>;

export const runStatusSchema = z.enum(['running', 'finished', 'failed']);
export type RunStatus = z.infer<typeof runStatusSchema>;

export const positionSchema = z.object({
  /** Names the topics' incarnation and the fold's version. It contains no dots. */
  epoch: z.string().regex(/^[^.]+$/),
  /** The offset of the last record folded. It skips numbers, and only grows within a run. */
  seq: offset,
});

export type Position = z.infer<typeof positionSchema>;

/**
 * Everything that runlog says about one run, within bounds, and everything that the fold needs to continue. It holds only
 * JSON values, and has the same bytes in every process.
 */
export const runSnapshotSchema = z.object({
  cluster_id: runKeyPart,
  run_id: runKeyPart,
  group_id: runKeyPart,
  position: positionSchema,
  first_seq: offset,
  /** The offset of the newest entry that was pushed out of the event log; null while none has been. */
  evicted_seq: offset.nullable(),
  /** The id of the event at `position.seq`. */
  last_event_id: z.string(),
  /** Whether the log does not hold this run's beginning. */
  partial: z.boolean(),
  started_at: z.string().nullable(),
  last_received_at: z.string(),
  last_event_at: z.string().nullable(),
  status: runStatusSchema,
  task_name: z.string().nullable(),
  reward_mode: z.string().nullable(),
  slot_ids: z.array(z.string()).max(SLOT_IDS_MAX),
  n_envs: figure,
  current_episode: count,
  current_batch: count,
  max_batches: figure,
  max_epochs: figure,
  batch_avg_accuracy: figure,
  batch_avg_reward: figure,
  ppo: z.object({ entropy: figure, clip_fraction: figure, kl_divergence: figure }),
  /** The count includes duplicates: received - duplicates = distinct events. */
  total_events_received: count,
  duplicates: count,
  /** The count of numbers that emitters assigned and that have not arrived. */
  missing: count,
  /** The number of events that only their `event_id` could tell from duplicates, and that were counted as new. */
  unsure: count,
  cumulative_germinated: count,
  cumulative_fossilized: count,
  cumulative_pruned: count,
  /** The number of distinct events by type. Types beyond the bound count as `other`. */
  counts: z.record(z.string(), count),
  emitters: z.record(z.string(), emitterStateSchema),
  /** The number of distinct emitters whose numbering was forgotten because of the bound. */
  emitters_evicted: count,
  /** The newest entries, oldest first. */
  event_log: z.array(eventLogEntrySchema).max(EVENT_LOG_ENTRIES_MAX),
  /**
   * The newest entries of the individual class, oldest first. So a flood of epochs never pushes a fossilisation out.
   */
  milestones: z.array(eventLogEntrySchema).max(MILESTONES_MAX),
  /**
   * Pairs [second at which the bucket begins, events], oldest first. They cover at most the newest 10 min by
   * received_at.
   */
  activity: z.array(z.tuple([count, count])).max(ACTIVITY_BUCKETS_MAX),
  /** 48-bit hashes of the newest unnumbered event ids, eight characters each, oldest first; never delivered. */
  event_id_window: z.string(),
});

/** A run as it is stored in the compacted topic and folded in memory. Treat it as immutable. */
export type RunSnapshot = z.infer<typeof runSnapshotSchema>;

/** A run without its large fields. It is enough to list and sort the run and to know how far it is folded. */
export const runHeadSchema = runSnapshotSchema.omit({
  event_log: true,
  milestones: true,
  event_id_window: true,
});

/** Every RunSnapshot is also a RunHead. */
export type RunHead = z.infer<typeof runHeadSchema>;

/** How old the newest event of a run is, by the receiver's clock. */
export const freshnessSchema = z.enum(['live', 'slow', 'stale']);
export type Freshness = z.infer<typeof freshnessSchema>;

/** An entry as it is delivered to clients. */
export const deliveredEntrySchema = eventLogEntrySchema.extend({
  /** The age at the time of delivery, such as `(2s ago)`. */
  relative_time: z.string(),
});
export type DeliveredEntry = Readonly<z.infer<typeof deliveredEntrySchema>>;

/**
 * A run as it is delivered to clients: without the fold's private window, and with the fields that depend on the
 * present time.
 */
export const deliveredSnapshotSchema = runSnapshotSchema
  .omit({ event_id_window: true, event_log: true, milestones: true, position: true })
  .extend({
    /** Null if no event of this run has arrived yet. */
    position: positionSchema.nullable(),
    event_log: z.array(deliveredEntrySchema),
    milestones: z.array(deliveredEntrySchema),
    freshness: freshnessSchema,
  });
type DeliveredFields = z.infer<typeof deliveredSnapshotSchema>;
export interface DeliveredSnapshot extends Omit<DeliveredFields, 'event_log' | 'milestones'> {
  readonly event_log: readonly DeliveredEntry[];
  readonly milestones: readonly DeliveredEntry[];
}

/** One line of the run index. */
export const runRowSchema = z.object({
  cluster_id: runKeyPart,
  run_id: runKeyPart,
  group_id: runKeyPart,
  status: runStatusSchema,
  task_name: z.string().nullable(),
  last_event_at: z.string().nullable(),
  last_received_at: z.string(),
  current_episode: count,
  current_batch: count,
  max_batches: figure,
  batch_avg_accuracy: figure,
  batch_avg_reward: figure,
  /** The rate over the newest 10 to 20 s, by `received_at`. */
  events_per_second: z.number(),
  total_events_received: count,
  duplicates: count,
  missing: count,
  seq: offset,
});
export type RunRow = Readonly<z.infer<typeof runRowSchema>>;

/** The fields that a list of runs can be sorted by. */
export const runSortFields = [
  'last_received_at',
  'cluster_id',
  'run_id',
  'group_id',
  'status',
  'task_name',
  'started_at',
  'events',
  'duplicates',
  'missing',
  'episode',
  'batch',
  'accuracy',
  'reward',
] as const;
export type RunSortField = (typeof runSortFields)[number];
