import { z } from 'zod';

const offset = z.int().min(0);
const count = z.int().min(0);
const name = z.string().min(1);

/**
 * One thing that somebody saw while the system ran. A history is a list of them, in the order in which the recording
 * process noted them. Times are milliseconds of that process's own steady clock.
 */
export const observationSchema = z.discriminatedUnion('kind', [
  /** The emitters whose bodies may overtake each other. Those of all others arrive in the order of their numbers. */
  z.strictObject({ kind: z.literal('planned'), unordered: z.array(name) }),
  /** An event was handed to an ingest. Each repetition is noted again. */
  z.strictObject({ kind: z.literal('sent'), key: name, id: name, atMs: z.number() }),
  /** An ingest said that the event is in the log. */
  z.strictObject({ kind: z.literal('acknowledged'), key: name, id: name, atMs: z.number() }),
  /** A reader of the events topic was given a record. The reading by `END` is made when everything is over. */
  z.strictObject({ kind: z.literal('read'), by: name, partition: offset, offset, key: name, id: z.string() }),
  /** A snapshot was read from the snapshots topic, in the order of that topic. */
  z.strictObject({
    kind: z.literal('stored'),
    partition: offset,
    offset,
    key: name,
    epoch: name,
    seq: offset,
    lastId: z.string(),
    received: count,
    distinct: count,
  }),
  /** A checkpoint was read from the snapshots topic. */
  z.strictObject({ kind: z.literal('checkpoint'), partition: offset, offset, epoch: name, next: offset }),
  /** A viewer was given an entry. */
  z.strictObject({ kind: z.literal('shown'), by: name, key: name, epoch: name, seq: offset, id: z.string() }),
  /** A viewer was told that the entries between these offsets are left out; both are outside of what is left out. */
  z.strictObject({
    kind: z.literal('skipped'),
    by: name,
    key: name,
    after: z.int().min(-1),
    before: offset,
  }),
  /** A viewer was told to start over from this offset, the only legitimate step back. */
  z.strictObject({ kind: z.literal('restarted'), by: name, key: name, seq: z.int().min(-1) }),
  /** A gateway gave the state of a run. The digest is of everything in it that does not depend on the present time. */
  z.strictObject({
    kind: z.literal('state'),
    by: name,
    key: name,
    epoch: name,
    seq: offset,
    digest: name,
    received: count,
    distinct: count,
  }),
  /** A viewer had been given all there was when everything was over. */
  z.strictObject({ kind: z.literal('settled'), by: name, key: name }),
]);

export type Observation = z.infer<typeof observationSchema>;
export type ObservationOf<Kind extends Observation['kind']> = Extract<Observation, { kind: Kind }>;

/** The reader whose reading is the truth: it read the events topic once all was over. */
export const END = 'end';
