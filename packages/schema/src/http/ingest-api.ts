import { z } from 'zod';
import { eventFaultCodes } from '../faults.ts';

/** One rejected event. `path` is dotted, empty for the whole event. */
export const eventErrorSchema = z.object({
  index: z.int().min(0),
  event_id: z.string().nullable(),
  code: z.enum(eventFaultCodes),
  path: z.string(),
  message: z.string(),
});

export type EventError = z.infer<typeof eventErrorSchema>;

/**
 * Answer of `POST /v1/events`: what became of each event. Indexes count the body's events from 0 (NDJSON: its lines
 * that are not blank).
 */
export const ingestResponseSchema = z.object({
  /** Acknowledged by the broker (with `dry_run=1`: valid). */
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  /** Fate unknown, or not sent: send these again, unchanged; nothing is doubled. */
  retry: z.int().min(0),
  /** Accepted events whose bare NaN or Infinity became a string. */
  normalized: z.int().min(0),
  /** The first 100 rejected events. */
  errors: z.array(eventErrorSchema),
  /** Rejected events beyond the listed ones. */
  errors_unlisted: z.int().min(0),
  /** Ranges [first, last] of indexes to send again; never capped. */
  retry_indexes: z.array(z.tuple([z.int().min(0), z.int().min(0)])),
});

export type IngestResponse = z.infer<typeof ingestResponseSchema>;
