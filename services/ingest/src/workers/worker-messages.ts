import { z } from 'zod';

/** What a worker spent of the shared quotas: positive, or negative for a refund. */
export const spentSchema = z.object({
  quota: z.enum(['events', 'bytes']),
  /** The cluster whose bucket it is. */
  name: z.string(),
  amount: z.number(),
  perSecond: z.number(),
});

export type Spent = z.infer<typeof spentSchema>;

const toldSpent = z.object({ runlog: z.literal('spent'), spent: z.array(spentSchema) });

/** What a worker tells the process that began it. Other messages on the same channel are those of Node and of prom-client. */
export const workerMessage = z.discriminatedUnion('runlog', [
  z.object({ runlog: z.literal('ready'), addresses: z.record(z.string(), z.string()) }),
  z.object({ runlog: z.literal('metrics_asked'), id: z.number() }),
  toldSpent,
]);

export type WorkerMessage = z.infer<typeof workerMessage>;

/** What that process tells a worker. `text` is null if the workers did not answer in time. */
export const primaryMessage = z.discriminatedUnion('runlog', [
  z.object({ runlog: z.literal('metrics'), id: z.number(), text: z.string().nullable() }),
  toldSpent,
]);

export type PrimaryMessage = z.infer<typeof primaryMessage>;
