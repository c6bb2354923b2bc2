import { z } from 'zod';
import { type FrameFaultCode, frameFaults } from '../faults.ts';
import { feedStateSchema } from '../http/health.ts';
import { figureSchema, type RunFigures, runFiguresSchema } from '../run/figures.ts';
import {
  type DeliveredEntry,
  type DeliveredSnapshot,
  deliveredEntrySchema,
  deliveredSnapshotSchema,
  type RunGroup,
  type RunRow,
  runGroupsSchema,
  runRowSchema,
  runStateSchema,
  runStatusSchema,
} from '../run/snapshot.ts';

/** The frames that a gateway sends on `WS /v1/stream` and as server-sent events. Fields may be added to any frame. */

const id = z.int();
const ch = z.string();
const seq = z.int();
// The types below are those that the code uses: deeply readonly, and without the bounds of arrays.
const snapshot: z.ZodType<DeliveredSnapshot> = deliveredSnapshotSchema;
const entries: z.ZodType<readonly DeliveredEntry[]> = z.array(deliveredEntrySchema);
const rows: z.ZodType<readonly RunRow[]> = z.array(runRowSchema);
const figures: z.ZodType<RunFigures> = runFiguresSchema;
const groups: z.ZodType<readonly RunGroup[]> = runGroupsSchema;
const keys: z.ZodType<readonly string[]> = z.array(z.string());
const faultCodes = Object.keys(frameFaults) as [FrameFaultCode, ...FrameFaultCode[]];

/**
 * The changed top-level fields of the delivered snapshot. `counts` and `emitters` have their changed members only, which are
 * merged by key; any other field replaces. `event_log` and `milestones` follow from `entries`.
 */
export type SnapshotChanges = Partial<Omit<DeliveredSnapshot, 'event_log' | 'milestones' | 'position'>>;
const changes = deliveredSnapshotSchema
  .omit({ event_log: true, milestones: true, position: true })
  .partial() as z.ZodType<SnapshotChanges>;

/**
 * Entries that a client may lack: those above `after` and below `before`. `GET …/events?after=` has them. `count` is null
 * where the server does not know it.
 */
const skippedSchema = z.object({ after: z.int().min(-1), before: seq, count: z.int().min(0).nullable() });
export type Skipped = Readonly<z.infer<typeof skippedSchema>>;

/** The entries that the filter of a subscription left out. Absent without a filter. */
const filtered = z.int().min(0).exactOptional();

/**
 * One step of a run, from `prev` (null if there was nothing before) to `seq`. A client that is not at `prev` subscribes
 * again.
 */
const deltaSchema = z.object({
  prev: seq.nullable(),
  seq,
  entries,
  set: changes,
  /** The fields of `set`, among those that are merged by key, that replace what the client holds instead. */
  replaces: z.array(z.enum(['emitters'])).exactOptional(),
  /** If `prev` is null: the epoch, which the empty snapshot did not hold. */
  epoch: z.string().exactOptional(),
  filtered,
});
export type RunDelta = Readonly<z.infer<typeof deltaSchema>>;

/**
 * A step over what a client missed. Where `skipped` is there, `entries` still has what its `milestones` lack, which may
 * lie inside that range.
 */
const resumeSchema = deltaSchema.extend({ skipped: skippedSchema.exactOptional() });
export type RunResume = Readonly<z.infer<typeof resumeSchema>>;

export const stateCountsSchema = z.record(runStateSchema, z.int().min(0));
/** The number of runs by state. */
export type StateCounts = Readonly<z.infer<typeof stateCountsSchema>>;

/** What changed of one figure: its columns from bucket `from` on, which is 0 after its neighbours were merged. */
const figureStepSchema = figureSchema.extend({ from: z.int().min(0) });
export type FigureStep = Readonly<z.infer<typeof figureStepSchema>>;

/**
 * One step of a run's figures, from `prev` (null if there was nothing before) to `seq`. A client that is below `prev`
 * subscribes again; one that is above it has joined in between, and takes the step.
 */
const figuresStepSchema = runFiguresSchema.pick({ figures_refused: true, refused: true }).extend({
  prev: seq.nullable(),
  seq,
  /** The figures that changed. New ones come in the order in which they began. */
  figures: z.array(figureStepSchema),
  /** If `prev` is null: the epoch, which the empty figures did not hold. */
  epoch: z.string().exactOptional(),
});
export type FiguresStep = Readonly<z.infer<typeof figuresStepSchema>>;

/** The frames by name. */
export const serverFrameSchemas = {
  hello: z.object({
    hello: z.object({
      server: z.string(),
      heartbeat_ms: z.int(),
      reconnect: z.object({ min_ms: z.int(), max_ms: z.int() }),
    }),
  }),
  ok: z.object({ id, ok: z.literal(true) }),
  pong: z.object({ id, pong: z.literal(true) }),
  tips: z.object({ tips: z.record(z.string(), seq.nullable()) }),
  snapshot: z.object({ id, ch, snapshot, filtered }),
  resume: z.object({ id, ch, resume: resumeSchema }),
  figures: z.object({ id, ch, figures }),
  /** `groups` is there if the view has `group_by`. */
  rows: z.object({
    ...{ id, ch, rows, total: z.int(), counts: stateCountsSchema.exactOptional() },
    groups: groups.exactOptional(),
  }),
  error: z.object({
    id: id.nullable(),
    ch: ch.exactOptional(),
    error: z.object({ code: z.enum(faultCodes), message: z.string(), retry: z.boolean() }),
  }),
  delta: deltaSchema.extend({ ch }),
  figures_step: figuresStepSchema.extend({ ch }),
  /** `rows` are those of the window that are new or changed, `gone` the keys that left it. */
  index: z.object({
    ch,
    rows,
    gone: keys,
    total: z.int().exactOptional(),
    counts: stateCountsSchema.exactOptional(),
    groups: groups.exactOptional(),
  }),
  reset: z.object({ ch, reset: z.object({ reason: z.string(), snapshot }) }),
  figures_reset: z.object({ ch, reset: z.object({ reason: z.string(), figures }) }),
  lag: z.object({ ch, lag: z.object({ skipped: skippedSchema }) }),
  end: z.object({ ch, end: z.object({ status: runStatusSchema.exclude(['running']) }) }),
  /** Whether the log answers. `since` is the time up to which everything was read. */
  feed: z.object({ feed: feedStateSchema }),
  drain: z.object({ drain: z.object({ within_ms: z.int() }) }),
} as const;

export type ServerFrame = z.infer<(typeof serverFrameSchemas)[keyof typeof serverFrameSchemas]>;

type FieldName<Frame> = Frame extends unknown ? keyof Frame : never;
type Field<Frame, Name> = Frame extends unknown ? (Name extends keyof Frame ? Frame[Name] : never) : never;

/** Every field that some frame has. A client reads these before it knows which frame it is. */
export type ServerFrameFields = {
  readonly [Name in FieldName<ServerFrame>]?: Field<ServerFrame, Name>;
};
