import { z } from 'zod';
import { envelope } from '../events/event.ts';
import {
  EVENT_ID_TEXT_CHARS_MAX,
  EVENT_STREAM_CHANNELS_MAX,
  FILTER_VALUES_MAX,
  QUERY_CHARS_MAX,
  STREAM_INDEX_ROWS_DEFAULT,
  STREAM_INDEX_ROWS_MAX,
  STREAM_MIN_INTERVAL_MS_MAX,
  WHERE_CONDITIONS_MAX,
} from '../limits.ts';
import { askedSlotSchema } from '../run/asked-slot.ts';
import { RUN_SORT_DEFAULT } from '../run/run-sorting.ts';
import { runWhereSchema } from '../run/run-where.ts';
import { runGroupFieldSchema, runSortSchema, runStateSchema, severitySchema } from '../run/snapshot.ts';
import { listedText, listOf, seqText, wholeNumber } from './query-values.ts';

/** The queries of streams of server-sent events. Their options are those of a `sub` frame's items. */

const lastEventId = z
  .string()
  .max(EVENT_ID_TEXT_CHARS_MAX)
  .optional()
  .describe('The same as Last-Event-ID, which wins, for a client that cannot set a header');

const q = z.string().min(1).max(QUERY_CHARS_MAX).optional();

const runOptions = {
  type: listOf(envelope.event_type, { max: FILTER_VALUES_MAX })
    .optional()
    .describe('Of a run only entries of these event types'),
  not_type: listOf(envelope.event_type, { max: FILTER_VALUES_MAX })
    .optional()
    .describe('Of a run no entries of these event types'),
  env: listOf(seqText(), { max: FILTER_VALUES_MAX })
    .optional()
    .describe('Of a run only entries of these environments'),
  slot: listOf(askedSlotSchema, { max: FILTER_VALUES_MAX })
    .optional()
    .describe('Of a run only entries whose metadata or values have one of these as `slot_id`'),
  severity: listOf(severitySchema, { max: FILTER_VALUES_MAX })
    .optional()
    .describe('Of a run only entries of exactly these severities'),
  min_interval_ms: wholeNumber({ min: 0, max: STREAM_MIN_INTERVAL_MS_MAX })
    .optional()
    .describe('The least time between two steps of a run'),
};

/** The query of `GET /v1/runs/{cluster}/{run}/{group}/stream`. */
export const runStreamQuerySchema = z.strictObject({
  last_event_id: lastEventId,
  ...runOptions,
  q: q.describe(
    'Only entries whose message, type, metadata or values have this part, in upper or lower case',
  ),
});

/** The query of `GET /v1/stream/events`. */
export const eventStreamQuerySchema = z.strictObject({
  ch: listOf(listedText({ charsMax: 256 }), { max: EVENT_STREAM_CHANNELS_MAX }).describe(
    `Channels, ${EVENT_STREAM_CHANNELS_MAX} at most, of which one may be an index: run:…, figures:… and runs:…`,
  ),
  last_event_id: lastEventId,
  ...runOptions,
  status: listOf(runStateSchema, { max: runStateSchema.options.length })
    .optional()
    .describe('Of the index only runs in these states'),
  cluster: z
    .string()
    .min(1)
    .max(QUERY_CHARS_MAX)
    .optional()
    .describe('Of the index only runs of this cluster'),
  task: z
    .string()
    .min(1)
    .max(QUERY_CHARS_MAX)
    .optional()
    .describe('Of the index only runs whose task has this part, in upper or lower case'),
  where: listOf(runWhereSchema, { max: WHERE_CONDITIONS_MAX })
    .optional()
    .describe('Of the index only runs that meet all of these conditions, such as accuracy>80'),
  group_by: runGroupFieldSchema
    .optional()
    .describe('Sorts the index by this field first, and tells the number of runs of each group'),
  sort: runSortSchema
    .optional()
    .describe(`Field to sort the index by, with a leading - for descending (${RUN_SORT_DEFAULT})`),
  limit: wholeNumber({ min: 1, max: STREAM_INDEX_ROWS_MAX })
    .optional()
    .describe(`Rows of the index (${STREAM_INDEX_ROWS_DEFAULT})`),
  offset: seqText().optional().describe('The place of the first of these rows in the index (0)'),
  q: q.describe(
    'Only what has this part, in upper or lower case: rows of the index, or else entries of runs',
  ),
});
export type EventStreamQuery = Readonly<z.infer<typeof eventStreamQuerySchema>>;
