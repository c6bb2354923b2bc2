import { parseJson } from '@runlog/topic-io/parse-json';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';

/** The key of the record that says which events the snapshots of its partition include. No run key begins with `#`. */
export const CHECKPOINT_KEY = '#checkpoint';

const checkpointSchema = z.object({
  epoch: z.string(),
  fold: z.int().min(1),
  next: z.int().min(0),
  rejected_below: z.int().min(0).optional(),
});

/**
 * Value of a partition's checkpoint record: every event below `next` is in the snapshots of the partition. What cannot be
 * folded below `rejected_below`, or else below `next`, is in the rejected topic.
 */
export type Checkpoint = z.infer<typeof checkpointSchema>;

export function encodeCheckpoint(checkpoint: Checkpoint, timestampMs: number): RecordToAppend {
  return { key: CHECKPOINT_KEY, value: Buffer.from(JSON.stringify(checkpoint)), headers: {}, timestampMs };
}

/** Returns null if the value is not a checkpoint. */
export function decodeCheckpoint(value: Buffer | null): Checkpoint | null {
  return checkpointSchema.safeParse(value && parseJson(value.toString('utf8'))).data ?? null;
}
