import { HttpFault } from '@runlog/service-kit/http-server';
import type { z } from 'zod';

/** Reads the query of a request. Throws `invalid_query`, which names every fault. */
export function readQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.infer<Schema> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
  throw new HttpFault('invalid_query', faults.join('; '));
}
