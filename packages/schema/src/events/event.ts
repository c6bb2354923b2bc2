import { z } from 'zod';
import { EMITTER_SEQ_MAX, EVENT_ID_CHARS_MAX } from '../limits.ts';
import { runKeyPart } from '../run/run-key-part.ts';
import { timestampPattern } from './instant.ts';
import { timestampFault } from './timestamp-fault.ts';

/** Names this shape of events in the header of each record. */
export const SCHEMA_VERSION = '1';

/** No control characters and no lone surrogates: an id must survive a record header unchanged. */
const printable = /^[^\p{Cc}\p{Cs}]+$/u;
/** The same as a JSON Schema says it: not every reader knows `\p{…}`, and none has lone surrogates. */
const printableText = '^[^\\u0000-\\u001F\\u007F-\\u009F]+$';

/** The fields of every event beside `data`. */
export const envelope = {
  event_id: z
    .string()
    .max(EVENT_ID_CHARS_MAX)
    .regex(printable, 'must be a non-empty printable string')
    .meta({ pattern: printableText }),
  event_type: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be SCREAMING_SNAKE_CASE, 1 to 64 characters'),
  timestamp: z
    .string({ error: ({ input }) => timestampFault(input) })
    .regex(timestampPattern, { error: ({ input }) => timestampFault(input) }),
  run_id: runKeyPart,
  group_id: runKeyPart.nullish(),
  seed_id: z.string().nullish(),
  slot_id: z.string().nullish(),
  epoch: z.number().nullish(),
  message: z.string().nullish(),
  /** Any text or number is taken; `severityOf` in run-state says which of the five levels it means. */
  severity: z
    .union([z.string(), z.number()], { error: 'must be text such as "warning", or a number' })
    .nullish(),
  emitter_id: runKeyPart.nullish(),
  emitter_seq: z.int().min(1).max(EMITTER_SEQ_MAX).nullish(),
};

const anyPayload = z.object({}).nullish();

export const telemetryEventSchema = z.object({ ...envelope, data: anyPayload });

/**
 * A valid event as emitters send it: the envelope, and a payload that follows from the type. Validation changes nothing:
 * unknown fields pass, no defaults, no transforms, so that the bytes received can be the bytes stored. `modernise` brings
 * `data` into the shape that the row of its type reads (event-types.ts).
 */
export type TelemetryEvent = Omit<z.infer<typeof telemetryEventSchema>, 'data'> & {
  readonly data?: Readonly<Record<string, unknown>> | null | undefined;
};
