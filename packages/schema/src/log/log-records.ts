import { z } from 'zod';

/** Value of a partition's checkpoint record: every event below `next` is in the snapshots of the partition. */
export const checkpointSchema = z.object({
  epoch: z.string(),
  fold: z.int().min(1),
  next: z.int().min(0),
});

export type Checkpoint = z.infer<typeof checkpointSchema>;

/** Value of the one record of `run-meta`: what all services must agree on. */
export const runMetaSchema = z.object({
  epoch: z.string().regex(/^[^.]+$/),
  /** Version of the fold that writes the snapshots. */
  fold: z.int().min(1),
  partitions: z.int().min(1),
  /** The current snapshot topic. */
  snapshots: z.string().min(1),
});

export type RunMeta = z.infer<typeof runMetaSchema>;

/** Value of a control record of `run-events`, beside its header `control`: an event about a run, not of it. */
export const controlRecordSchema = z.object({
  control: z.literal('RUN_RETIRED'),
  reason: z.enum(['deleted', 'retention']),
  /** Retires the run only while its position is at or below this offset: an event that came between keeps it. */
  through: z.int().min(0).nullable(),
});

export type ControlRecord = z.infer<typeof controlRecordSchema>;
