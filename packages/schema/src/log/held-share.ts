import { z } from 'zod';

/**
 * What a member of the aggregators' group tells its leader: the partitions that it was assigned last, and in which generation.
 * Builds that do not know it tell nothing, and leave it aside.
 */
export const heldShareSchema = z.object({
  generation: z.int(),
  partitions: z.array(z.int().min(0)).readonly(),
});

export type HeldShare = Readonly<z.infer<typeof heldShareSchema>>;
