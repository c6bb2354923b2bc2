import { z } from 'zod';
import {
  ACTIVITY_BUCKETS_MAX,
  ATTEMPTS_MAX,
  EMITTER_GAPS_MAX,
  EVENT_LOG_ENTRIES_MAX,
  LANDMARKS_MAX,
  MILESTONES_MAX,
  REPEAT_RANGES_MAX,
  RUN_GROUPS_MAX,
  SLOT_IDS_MAX,
  SPARK_POINTS_MAX,
} from '../limits.ts';
import { runKeyPart } from './run-key-part.ts';
import { runSortFields } from './run-sorting.ts';

/**
 * Version of what the fold makes of a record: of the snapshot's fields and of the rows of `eventTypes`. It is part of every
 * checkpoint; a change of it needs a rebuild.
 */
export const FOLD_VERSION = 2;

const offset = z.int().min(0);
const count = z.int().min(0);
/** A number of the run, or null while it is unknown. NaN counts as unknown, because JSON cannot represent it. */
const figure = z.number().nullable();

/** How serious an event is, from the least to the most. `info` where the event says nothing. */
export const severitySchema = z.enum(['debug', 'info', 'warning', 'error', 'critical']);
export type Severity = z.infer<typeof severitySchema>;

/**
 * EventLogEntry of TELE-810, with the event's offset, time, severity and values. `relative_time`, which depends on the
 * present time, is added at delivery.
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
  severity: severitySchema,
  /**
   * The first eight scalars of the event's `data` that `metadata` does not hold already: numbers, booleans, and strings
   * of up to 64 characters.
   */
  values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

export type EventLogEntry = z.infer<typeof eventLogEntrySchema>;

/**
 * The numbering of one emitter within one run. All sequence numbers up to `last` arrived, except those inside `gaps` and
 * those that `forgotten` counts.
 */
export const emitterStateSchema = z.object({
  last: count,
  /** Ranges [from, to] that have not arrived, oldest first. */
  gaps: z.array(z.tuple([count, count])).max(EMITTER_GAPS_MAX),
  /** Gaps that were evicted, or numbers from before the emitter itself was. Absent if there are none. */
  forgotten: z
    .object({
      /** The highest of those numbers. At or below it, a number outside `gaps` may be a repeat or not. */
      through: count,
      /** How many of them have not arrived. Null if unknown, because the emitter had been evicted. */
      missing: count.nullable(),
    })
    .exactOptional(),
  /** The offset of the newest record from this emitter. */
  seen: offset,
  /**
   * 48-bit hashes of the ids that its newest numbers came with, up to `last`, eight characters each, oldest first; never
   * delivered.
   */
  ids: z.string(),
});

export type EmitterState = z.infer<typeof emitterStateSchema>;

export const runStatusSchema = z.enum(['running', 'finished', 'failed']);
export type RunStatus = z.infer<typeof runStatusSchema>;

/**
 * How a run stands at a moment, which is judged at delivery: `quiet` means that nothing came for far longer than usual,
 * `lost_contact` that its heartbeats stopped without an end.
 */
export const runStateSchema = z.enum(['running', 'quiet', 'lost_contact', 'finished', 'failed']);
export type RunState = z.infer<typeof runStateSchema>;

/** How a run ended, as its newest RUN_FINISHED or RUN_FAILED says. */
export const runEndSchema = z.object({
  status: runStatusSchema.exclude(['running']),
  /** The event's own timestamp. */
  at: z.string(),
  /** The event's message, else the reason in its `data`. Null if it has neither. */
  reason: z.string().nullable(),
  seq: offset,
});
export type RunEnd = z.infer<typeof runEndSchema>;

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
  /**
   * Whether the log does not hold this run's beginning: true or false if a record proves it, null if none does.
   */
  partial: z.boolean().nullable(),
  /**
   * The evidence of a run that is partial: the first number of some emitter is above 1, or a training resumed from an
   * episode that no record of this run has reached. Null if it is not partial.
   */
  partial_because: z.enum(['first_numbers_missing', 'resumed_from_elsewhere']).nullable(),
  started_at: z.string().nullable(),
  last_received_at: z.string(),
  last_event_at: z.string().nullable(),
  status: runStatusSchema,
  /** The newest RUN_FINISHED or RUN_FAILED, also if the run was revived since. */
  end: runEndSchema.nullable(),
  /** The number of TRAINING_STARTED events. */
  attempt: count,
  /** The newest of them, oldest first. */
  attempts: z
    .array(
      z.object({
        seq: offset,
        /** The event's own timestamp. */
        at: z.string(),
        /** The episode that the training started from. */
        episode: count,
      }),
    )
    .max(ATTEMPTS_MAX),
  /** How far apart this run's events usually arrive. Null until two events arrived at different times. */
  interval_ms: count.nullable(),
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
  /** False once an emitter that still had gaps was evicted, or may have had when it came back. */
  missing_is_exact: z.boolean(),
  /** The number of events that came under a number that another event had already, and that were counted as new. */
  conflicts: count,
  /** The number of events that only their `event_id` could tell from duplicates, and that were counted as new. */
  unsure: count,
  cumulative_germinated: count,
  cumulative_fossilized: count,
  cumulative_pruned: count,
  /** The number of distinct events by type. Types beyond the bound count as `other`. */
  counts: z.record(z.string(), count),
  /** The number of distinct emitters whose numbering was forgotten because of the bound. */
  emitters_evicted: count,
  /** The newest entries, oldest first. */
  event_log: z.array(eventLogEntrySchema).max(EVENT_LOG_ENTRIES_MAX),
  /**
   * The newest entries of the individual class, oldest first. So a flood of epochs never pushes a fossilisation out.
   */
  milestones: z.array(eventLogEntrySchema).max(MILESTONES_MAX),
  emitters: z.record(z.string(), emitterStateSchema),
  /**
   * Every n-th event over the whole life of the run, oldest first: its offset, its ordinal among the distinct events of
   * the run (the first is 1), its time of arrival, and the run's episode before it. When they are full, every second one
   * is dropped. They are not part of stream frames.
   */
  landmarks: z.array(z.tuple([offset, count, z.string(), count])).max(LANDMARKS_MAX),
  /** Where the records are that were folded as repeats. */
  repeats: z.object({
    /** Below this offset, repeats are no longer listed. */
    unknown_below: offset,
    /** Ranges [from, to] of offsets, oldest first: every record of this run in them is a repeat. */
    ranges: z.array(z.tuple([offset, offset])).max(REPEAT_RANGES_MAX),
  }),
  /** 48-bit hashes of the newest unnumbered event ids, eight characters each, oldest first; never delivered. */
  event_id_window: z.string(),
  /**
   * Pairs [second at which the bucket begins, events], oldest first. They cover at most the newest 10 min by
   * received_at.
   */
  activity: z.array(z.tuple([count, count])).max(ACTIVITY_BUCKETS_MAX),
});

/** A run as it is stored in the compacted topic and folded in memory. Treat it as immutable. */
export type RunSnapshot = z.infer<typeof runSnapshotSchema>;

/** A run without its large fields. It is enough to list and sort the run and to know how far it is folded. */
export const runHeadSchema = runSnapshotSchema.omit({
  event_log: true,
  milestones: true,
  emitters: true,
  landmarks: true,
  repeats: true,
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
 * A run as streams deliver it: without what only the fold needs, without landmarks, and with the fields that depend on
 * the present time.
 */
export const deliveredSnapshotSchema = runSnapshotSchema
  .omit({
    event_id_window: true,
    emitters: true,
    landmarks: true,
    event_log: true,
    milestones: true,
    position: true,
  })
  .extend({
    /** Null if no event of this run has arrived yet. */
    position: positionSchema.nullable(),
    event_log: z.array(deliveredEntrySchema),
    milestones: z.array(deliveredEntrySchema),
    emitters: z.record(z.string(), emitterStateSchema.omit({ ids: true })),
    freshness: freshnessSchema,
    state: runStateSchema,
    /** When the evidence of the state began: the newest event, or the end. Null if no event of this run has arrived yet. */
    state_since: z.string().nullable(),
  });
type DeliveredFields = z.infer<typeof deliveredSnapshotSchema>;
export interface DeliveredSnapshot extends Omit<DeliveredFields, 'event_log' | 'milestones'> {
  readonly event_log: readonly DeliveredEntry[];
  readonly milestones: readonly DeliveredEntry[];
}

/** A run as REST delivers it. */
export const runDocumentSchema = deliveredSnapshotSchema.extend({
  landmarks: runSnapshotSchema.shape.landmarks,
});
export type RunDocument = DeliveredSnapshot & Readonly<Pick<RunSnapshot, 'landmarks'>>;

/** One line of the run index. */
export const runRowSchema = z.object({
  cluster_id: runKeyPart,
  run_id: runKeyPart,
  group_id: runKeyPart,
  status: runStatusSchema,
  state: runStateSchema,
  /** When the evidence of the state began: the newest event, or the end. */
  state_since: z.string(),
  task_name: z.string().nullable(),
  started_at: z.string().nullable(),
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
  missing_is_exact: z.boolean(),
  attempt: count,
  end: runEndSchema.nullable(),
  interval_ms: count.nullable(),
  /** The newest values of the figure `accuracy`, else `val_accuracy`, oldest first, rounded to five digits. */
  spark: z.array(z.number()).max(SPARK_POINTS_MAX),
  seq: offset,
});
export type RunRow = Readonly<z.infer<typeof runRowSchema>>;

/** A field to sort by, with `-` before it for descending. */
export const runSortSchema = z.enum(
  runSortFields.flatMap((field) => [field, `-${field}`] as const),
  `must be one of ${runSortFields.join(', ')}, with a leading - for descending`,
);
export type RunSort = z.infer<typeof runSortSchema>;

/** The fields that a list of runs can be grouped by. */
export const runGroupFieldSchema = z.enum(['cluster_id', 'task_name', 'state']);
export type RunGroupField = z.infer<typeof runGroupFieldSchema>;

/** A value of the field that runs are grouped by, null if they have none, and the number of runs that have it. */
export const runGroupSchema = z.tuple([z.string().nullable(), count]);
export type RunGroup = Readonly<z.infer<typeof runGroupSchema>>;

/** The groups of a list, in order, and the first of them if there are more than the bound. */
export const runGroupsSchema = z.array(runGroupSchema).max(RUN_GROUPS_MAX);
