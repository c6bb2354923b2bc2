import { z } from 'zod';

/** The log does not answer. `since` is the time up to which it did. */
const feedStalledSchema = z.object({ state: z.literal('stalled'), since: z.string() });
const feedLiveSchema = z.object({ state: z.literal('live') });
export const feedStateSchema = z.union([feedStalledSchema, feedLiveSchema]);

/** Whether the log answers a service that reads it. */
export type FeedState = Readonly<z.infer<typeof feedStateSchema>>;

const behind = z.object({
  /** The records that the log has and that are not folded. Null while that is not known. */
  behind_records: z.int().min(0).nullable(),
  /** Is there while an open transaction of another producer has held records back for a while: no reader sees them. */
  held_back: z.object({ since: z.string(), records: z.int().min(1) }).exactOptional(),
});
const feedHealthSchema = z.union([
  feedStalledSchema.extend(behind.shape),
  feedLiveSchema.extend(behind.shape),
]);
export type FeedHealth = Readonly<z.infer<typeof feedHealthSchema>>;

/** The body of `/livez` and `/readyz`. A service that reads the log says how that goes. */
export const healthSchema = z.object({
  status: z.enum(['live', 'ready']),
  feed: feedHealthSchema.exactOptional(),
  /** Is there while a newer version of the fold writes the snapshots: this process works on, and is to be updated. */
  newer_build: z.object({ fold: z.int(), own_fold: z.int() }).exactOptional(),
});

/** The versions of the fold of the build that writes the snapshots, and of this one. */
export type NewerBuild = NonNullable<z.infer<typeof healthSchema>['newer_build']>;
