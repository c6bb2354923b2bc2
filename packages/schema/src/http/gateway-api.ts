import { z } from 'zod';
import { envelope } from '../events/event.ts';
import {
  EVENTS_PAGE_DEFAULT,
  EVENTS_PAGE_MAX,
  FIGURE_POINTS_MAX,
  FILTER_VALUES_MAX,
  QUERY_CHARS_MAX,
  RUNS_CURSOR_CHARS_MAX,
  RUNS_PAGE_DEFAULT,
  RUNS_PAGE_MAX,
  WHERE_CONDITIONS_MAX,
} from '../limits.ts';
import { askedSlotSchema } from '../run/asked-slot.ts';
import { RUN_SORT_DEFAULT } from '../run/run-sorting.ts';
import { runWhereFields, runWhereOperators, runWhereSchema } from '../run/run-where.ts';
import {
  eventLogEntrySchema,
  positionSchema,
  runGroupFieldSchema,
  runGroupsSchema,
  runRowSchema,
  runSnapshotSchema,
  runSortSchema,
  runStateSchema,
  severitySchema,
} from '../run/snapshot.ts';
import { listedText, listOf, seqText, wholeNumber } from './query-values.ts';

const count = z.int().min(0);

/** The answer of `GET /v1/runs`. */
export const runsPageSchema = z.object({
  runs: z.array(runRowSchema),
  /** The number of runs that match, on all pages. */
  total: count,
  /** With `group_by`: the groups on all pages. */
  groups: runGroupsSchema.exactOptional(),
  /** The `cursor` of the next page; null if this is the last one. */
  next: z.string().nullable(),
});
export type RunsPage = Readonly<z.infer<typeof runsPageSchema>>;

const text = z.string().max(QUERY_CHARS_MAX);

/** The query of `GET /v1/runs`. */
export const runsQuerySchema = z.strictObject({
  cluster: text.optional().describe('Only runs of this cluster'),
  run: text
    .optional()
    .describe('Glob (`*`) over the run id, or over cluster/run/group if it contains a slash'),
  status: listOf(runStateSchema, { max: runStateSchema.options.length })
    .optional()
    .describe('Only runs in one of these states'),
  q: text.optional().describe('Words, each a part of the key or of the task name, in upper or lower case'),
  task: text.optional().describe('A part of the task name, in upper or lower case'),
  where: listOf(runWhereSchema, { max: WHERE_CONDITIONS_MAX })
    .optional()
    .describe(
      `Only runs that meet these conditions, all of them: one of ${runWhereFields.join(', ')}, one of ${runWhereOperators.join(' ')}, and a number, such as accuracy>80`,
    ),
  sort: runSortSchema
    .default(RUN_SORT_DEFAULT)
    .describe(`Field to sort by, with a leading - for descending (${RUN_SORT_DEFAULT})`),
  group_by: runGroupFieldSchema
    .optional()
    .describe('Sorts by this field first, and tells the number of runs of each group'),
  limit: wholeNumber({ min: 1, max: RUNS_PAGE_MAX })
    .default(RUNS_PAGE_DEFAULT)
    .describe(`Runs of a page (${RUNS_PAGE_DEFAULT})`),
  cursor: z
    .string()
    .max(RUNS_CURSOR_CHARS_MAX)
    .optional()
    .describe('`next` of the previous page, which belongs to its sort and filters'),
});
export type RunsQuery = Readonly<z.infer<typeof runsQuerySchema>>;

/** The query of a route that has no parameters. */
export const noQuerySchema = z.strictObject({});

/** The query of `GET /v1/hello`. */
export const helloQuerySchema = z.strictObject({
  origin: z.string().max(300).optional().describe('The origin of the page that will open the stream'),
});

/** The answer of `GET /v1/hello`. */
export const helloSchema = z.object({
  server: z.string(),
  /** The time here, in UTC with milliseconds. */
  now: z.iso.datetime({ precision: 3 }),
  /** Where events are published, without `/v1/events`. Null if the gateway does not know. */
  ingest_url: z.string().nullable(),
});
export type Hello = Readonly<z.infer<typeof helloSchema>>;

/** The query of `GET /v1/runs/{cluster}/{run}/{group}`. */
export const runQuerySchema = z.strictObject({
  at: seqText()
    .optional()
    .describe('The run as of this seq: its newest record at or below it is the last one that is folded'),
});

/** The query of `GET /v1/runs/{cluster}/{run}/{group}/events`. A list is text with commas, or several parameters. */
export const eventsQuerySchema = z
  .strictObject({
    before: seqText().optional().describe('The newest events below this seq'),
    after: seqText({ min: -1 })
      .optional()
      .describe('The oldest events above this seq; -1: from the beginning'),
    limit: wholeNumber({ min: 1, max: EVENTS_PAGE_MAX })
      .default(EVENTS_PAGE_DEFAULT)
      .describe(`Events of a page (${EVENTS_PAGE_DEFAULT})`),
    type: listOf(envelope.event_type, { max: FILTER_VALUES_MAX })
      .optional()
      .describe('Only events of these types'),
    not_type: listOf(envelope.event_type, { max: FILTER_VALUES_MAX })
      .optional()
      .describe('No events of these types'),
    env: listOf(seqText(), { max: FILTER_VALUES_MAX })
      .optional()
      .describe('Only events of these environments'),
    slot: listOf(askedSlotSchema, { max: FILTER_VALUES_MAX })
      .optional()
      .describe('Only events whose metadata or values have one of these as `slot_id`'),
    severity: listOf(severitySchema, { max: FILTER_VALUES_MAX })
      .optional()
      .describe('Only events of exactly these severities'),
    q: z
      .string()
      .min(1)
      .max(QUERY_CHARS_MAX)
      .optional()
      .describe('Only events whose message, type, metadata or values have this part, in upper or lower case'),
  })
  .refine((query) => query.before === undefined || query.after === undefined, {
    error: 'before and after cannot be combined',
  });
export type EventsQuery = Readonly<z.infer<typeof eventsQuerySchema>>;

/** The query of `GET /v1/runs/{cluster}/{run}/{group}/figures`. */
export const figuresQuerySchema = z.strictObject({
  name: listOf(listedText({ charsMax: QUERY_CHARS_MAX }), { max: FILTER_VALUES_MAX })
    .optional()
    .describe('Only figures of these names; names that the run does not have are left out'),
  points: wholeNumber({ min: 1, max: FIGURE_POINTS_MAX })
    .optional()
    .describe('Buckets of a figure at most: neighbours are merged until so many are left'),
});

/** One event of a run's history. */
export const storedEventSchema = z.object({
  seq: count,
  received_at: z.string().nullable(),
  /**
   * The entry that went out live. Null for an event that made none: a heartbeat, a duplicate, and one that no fold can
   * read. If `duplicate` is null, the entry is the one that the event makes if it is none.
   */
  entry: eventLogEntrySchema.nullable(),
  /** The event as it was received. */
  event: z.record(z.string(), z.unknown()),
  /** Whether the event came before. Null if that is no longer known; then clients go by `event_id`. */
  duplicate: z.boolean().nullable(),
});
export type StoredEvent = Readonly<z.infer<typeof storedEventSchema>>;

/** The answer of `GET /v1/runs/{cluster}/{run}/{group}/events`, oldest first. */
export const eventsPageSchema = z.object({
  events: z.array(storedEventSchema),
  /**
   * The `before` or `after` of the next page; null at the end. A page without events may have one: with a filter, or when
   * the page must be asked for again.
   */
  next: count.nullable(),
  /** As of which position of the run the page was read: there is nothing to read above it. */
  position: positionSchema,
  /** The lowest seq that could be read: events of the run below it are no longer in the log. */
  oldest: count,
});
export type EventsPage = Readonly<z.infer<typeof eventsPageSchema>>;

/** The answer of `GET /v1/runs/{cluster}/{run}/{group}/timeline`: a run's whole life, within bounds. */
export const runTimelineSchema = runSnapshotSchema
  .pick({
    position: true,
    first_seq: true,
    started_at: true,
    landmarks: true,
    missing: true,
    missing_is_exact: true,
    attempts: true,
    attempt: true,
    end: true,
    status: true,
    interval_ms: true,
    activity: true,
  })
  .extend({
    /** Numbers of emitters that have not arrived, `from` and `to` included. */
    gaps: z.array(z.object({ emitter_id: z.string(), from: count, to: count })),
  });
export type RunTimeline = Readonly<z.infer<typeof runTimelineSchema>>;
