import { z } from 'zod';
import { FIGURE_NAME_CHARS_MAX, FIGURE_POINTS_MAX, FIGURES_MAX, FIGURES_REFUSED_MAX } from '../limits.ts';
import { runKeyPart } from './run-key-part.ts';
import { positionSchema } from './snapshot.ts';

/** Topics that an older version of the fold wrote have no figures. */
export const FIGURES_SINCE_FOLD = 2;

const count = z.int().min(0);
/** Null where no point of the bucket has a value, because all of them were NaN or infinite. */
const values = z.array(z.number().nullable()).max(FIGURE_POINTS_MAX);

/**
 * One numeric series of a run, in columns: index i of every column is bucket i. Bucket i holds the points
 * [i × stride, (i + 1) × stride) in the order of the log; the last one may hold fewer.
 */
export const figureSchema = z.object({
  name: z.string().max(FIGURE_NAME_CHARS_MAX),
  /** The number of points of the whole run, those without a value included. */
  points: count,
  /** The number of points that have no value. */
  without_value: count,
  /** The number of points in a bucket: 1, and twice as many each time that the figure was full. */
  stride: z.int().min(1),
  /** The x of the bucket's first point: the event's `step`, else its type's own counter, else its ordinal in the run. */
  x: z.array(z.number()).max(FIGURE_POINTS_MAX),
  /** The event time of the bucket's first point, in milliseconds since 1970. */
  t: z.array(z.number()).max(FIGURE_POINTS_MAX),
  first: values,
  last: values,
  min: values,
  max: values,
  /** The number of points in the bucket, those without a value included. */
  count: z.array(count).max(FIGURE_POINTS_MAX),
  /** The attempt of the run that the bucket's first point belongs to. */
  attempt: z.array(count).max(FIGURE_POINTS_MAX),
});
export type Figure = Readonly<z.infer<typeof figureSchema>>;

/** The figures of a run as they are delivered: the answer of `GET …/figures` and the first frame of its channel. */
export const runFiguresSchema = z.object({
  cluster_id: runKeyPart,
  run_id: runKeyPart,
  group_id: runKeyPart,
  /** The last record that is in the figures. Null if no event of this run has arrived yet. */
  position: positionSchema.nullable(),
  /** The number of figures beyond the bound, of which nothing is kept. At most 64 are told apart. */
  figures_refused: count.max(FIGURES_REFUSED_MAX),
  /** Their names. */
  refused: z.array(z.string()).max(FIGURES_REFUSED_MAX),
  /** In the order in which they began. */
  figures: z.array(figureSchema).max(FIGURES_MAX),
});
export type RunFigures = Readonly<z.infer<typeof runFiguresSchema>>;
