import { parseJson } from '@runlog/topic-io/parse-json';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';

/**
 * The key of the record that tells a resumed rebuild what was decided. It is on partition 0 of the topic that is
 * filled.
 */
export const PLAN_KEY = '#rebuild';

const planSchema = z.object({
  from: z.string(),
  epoch: z.string(),
  fold: z.int().min(1).default(1),
  /** The id of the events topic that is folded, if the log has ids. */
  events_id: z.string().optional(),
});

/** What a rebuild decided: the snapshot topic that it replaces, and the epoch and fold that it writes. */
export type RebuildPlan = z.infer<typeof planSchema>;

export function encodePlan(plan: RebuildPlan, timestampMs: number): RecordToAppend {
  return { key: PLAN_KEY, value: Buffer.from(JSON.stringify(plan)), headers: {}, timestampMs };
}

/** Returns null if the value is not a plan. */
export function decodePlan(value: Buffer | null): RebuildPlan | null {
  return planSchema.safeParse(value && parseJson(value.toString('utf8'))).data ?? null;
}
