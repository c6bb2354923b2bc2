import { z } from 'zod';
import { runRowSchema } from '../run/snapshot.ts';

const count = z.int().min(0);

/** The answer of `GET /v1/runs`. */
export const runsPageSchema = z.object({
  runs: z.array(runRowSchema),
  /** The number of runs that match, on all pages. */
  total: count,
  /** The `cursor` of the next page; null if this is the last one. */
  next: z.string().nullable(),
});
export type RunsPage = Readonly<z.infer<typeof runsPageSchema>>;

/** One event of a run's history, as it was received. */
export const storedEventSchema = z.object({
  seq: count,
  received_at: z.string().nullable(),
  event: z.record(z.string(), z.unknown()),
});

/** The answer of `GET /v1/runs/{cluster}/{run}/{group}/events`, oldest first. */
export const eventsPageSchema = z.object({
  events: z.array(storedEventSchema),
  /** The `before` or `after` of the next page; null if there is none. */
  next: count.nullable(),
});
