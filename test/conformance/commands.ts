import { positionSchema } from '@runlog/schema/run/snapshot';
import { type indexSubscriptionSchema, runSubscriptionSchema } from '@runlog/schema/stream/subscriptions';
import { z } from 'zod';

const run = z.string();

/** What a client is told, one JSON object a line. */
export const commandSchema = z.discriminatedUnion('do', [
  /** The kit adds the address. */
  z.strictObject({ do: z.literal('connect'), url: z.string().optional(), key: z.string().optional() }),
  z.strictObject({
    do: z.literal('subscribe_run'),
    run,
    since: positionSchema.optional(),
    filter: runSubscriptionSchema.omit({ ch: true, since: true }).optional(),
    acknowledge: z.boolean().optional(),
  }),
  z.strictObject({
    do: z.literal('subscribe_index'),
    glob: z.string(),
    view: z.custom<Omit<z.input<typeof indexSubscriptionSchema>, 'ch'>>().optional(),
  }),
  z.strictObject({ do: z.literal('subscribe_figures'), run }),
  z.strictObject({ do: z.literal('unsubscribe'), ch: z.string() }),
]);
export type Command = z.infer<typeof commandSchema>;
