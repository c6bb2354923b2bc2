import { z } from 'zod';
import { emitterStateSchema, positionSchema, runSnapshotSchema } from '../run/snapshot.ts';

const count = z.int().min(0);

/** One emitter of a run: its numbers, and which of them have not arrived. */
export const emitterProofSchema = z.object({
  emitter_id: z.string(),
  ...emitterStateSchema.pick({ last: true, gaps: true }).shape,
  /** The numbers up to `last` that have not arrived, those of forgotten gaps included. */
  missing: count,
  /** False if it is not known how many of the forgotten numbers have not arrived. */
  missing_is_exact: z.boolean(),
  /**
   * Its newest record, and between which times that was received, which are those of the landmarks around it. `after` is null
   * if there is none before it.
   */
  seen: z.object({ seq: count, after: z.string().nullable(), before: z.string() }),
});
export type EmitterProof = Readonly<z.infer<typeof emitterProofSchema>>;

/** A fold of the run's history from its beginning, compared with the run as it was held live. */
export const verificationSchema = z.object({
  /** The position at which the two were compared. */
  seq: count,
  /** When, in UTC. */
  at: z.string(),
  /** Whether they are equal, byte for byte. */
  is_equal: z.boolean(),
  /** The time that the fold and the comparison took. */
  took_ms: count,
});
export type Verification = Readonly<z.infer<typeof verificationSchema>>;

/** Why there is no verification. */
export const unverifiedSchema = z.enum(['not_asked', 'history_gone']);
export type Unverified = z.infer<typeof unverifiedSchema>;

/** The answer of `GET` and `POST /v1/runs/{cluster}/{run}/{group}/proof`. */
export const runProofSchema = z.object({
  position: positionSchema,
  /** The events that the emitters sent: received - duplicates + missing. As exact as `missing` is. */
  emitted: count,
  received: count,
  ...runSnapshotSchema.pick({
    duplicates: true,
    missing: true,
    missing_is_exact: true,
    conflicts: true,
    unsure: true,
  }).shape,
  /** In the order in which they appeared. */
  emitters: z.array(emitterProofSchema),
  /** Who has a stream of the run or of its figures open at this gateway. */
  watching: z.object({
    connections: count,
    /** The ids of their keys, sorted; a token counts as its key. Empty if no keys are asked for. */
    keys: z.array(z.string()),
  }),
  /** The newest verification; null if there is none of this life of the run. */
  verified: verificationSchema.nullable(),
  /** Why `verified` is null; null if it is not. */
  unverified_because: unverifiedSchema.nullable(),
});
export type RunProof = Readonly<z.infer<typeof runProofSchema>>;
