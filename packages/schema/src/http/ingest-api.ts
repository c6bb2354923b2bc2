import { z } from 'zod';
import { eventFaultCodes } from '../faults.ts';

/** One rejected event. `path` is dotted, and empty for the whole event. */
export const eventErrorSchema = z.object({
  index: z.int().min(0),
  event_id: z.string().nullable(),
  code: z.enum(eventFaultCodes),
  path: z.string(),
  message: z.string(),
});

export type EventError = z.infer<typeof eventErrorSchema>;

/**
 * The answer of `POST /v1/events`, with the fate of each event. Indexes count the body's events from 0 (for NDJSON, its
 * lines that are not blank).
 */
export const ingestResponseSchema = z.object({
  /** The number of events that the log acknowledged (with `dry_run=1`: that are valid). */
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  /**
   * The number of events whose fate is unknown or that were not sent. Send these again, unchanged; nothing is counted
   * twice.
   */
  retry: z.int().min(0),
  /** The number of accepted events whose bare NaN or Infinity became a string. */
  normalized: z.int().min(0),
  /** The first 100 rejected events. */
  errors: z.array(eventErrorSchema),
  /** The number of rejected events beyond the listed ones. */
  errors_unlisted: z.int().min(0),
  /** Ranges [first, last] of the indexes to send again. The list is never cut. */
  retry_indexes: z.array(z.tuple([z.int().min(0), z.int().min(0)])),
});

export type IngestResponse = z.infer<typeof ingestResponseSchema>;
