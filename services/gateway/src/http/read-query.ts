import { TOKEN_CHARS_MAX } from '@runlog/schema/limits';
import { HttpFault } from '@runlog/service-kit/http-server';
import type { z } from 'zod';

/** Reads the query of a request. Throws `invalid_query`, which names every fault. */
export function readQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.infer<Schema> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
  throw new HttpFault('invalid_query', faults.join('; '));
}

/** Takes the token out of a query, which clients use where they cannot set a header. Nothing else looks at it. */
export function takeToken(query: unknown): { token: string | undefined; rest: object } {
  const { token, ...rest } = query as Readonly<Record<string, unknown>>;
  if (token === undefined) return { token, rest };
  if (typeof token === 'string' && token.length <= TOKEN_CHARS_MAX) return { token, rest };
  throw new HttpFault('invalid_query', `token must be one text of up to ${TOKEN_CHARS_MAX} characters`);
}
