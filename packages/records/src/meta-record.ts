import { parseJson } from '@runlog/topic-io/parse-json';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';

/** The key of the only record of `run-meta`. */
export const META_KEY = 'meta';

const runMetaSchema = z.object({
  epoch: z.string().regex(/^[^.]+$/),
  /** Version of the fold that writes the snapshots. */
  fold: z.int().min(1),
  partitions: z.int().min(1),
  /** The current snapshot topic. */
  snapshots: z.string().min(1),
  /**
   * Where each partition of the events began when its first epoch did. Until a partition has a checkpoint, this alone says
   * that no event was deleted which a reader may have folded. Builds before this one wrote none.
   */
  starts: z.array(z.int().min(0)).optional(),
  /**
   * The id of the events topic that the snapshots are made from, by which one that was made anew under the same name is
   * told from it. Absent if the log has no ids, or if an earlier build wrote the record.
   */
  events_id: z.string().optional(),
});

/** Value of the one record of `run-meta`: what all services must agree on. */
export type RunMeta = z.infer<typeof runMetaSchema>;

export function encodeMeta(meta: RunMeta, timestampMs: number): RecordToAppend {
  return { key: META_KEY, value: Buffer.from(JSON.stringify(meta)), headers: {}, timestampMs };
}

/** Returns null if the value is not that of a `run-meta` record. */
export function decodeMeta(value: Buffer | null): RunMeta | null {
  return runMetaSchema.safeParse(value && parseJson(value.toString('utf8'))).data ?? null;
}
