import { z } from 'zod';
import { TOKEN_MS_MAX } from '../limits.ts';

/** The body of `POST /v1/tokens`. */
export const tokenRequestSchema = z.strictObject({
  /** The runs (`cluster/run/group`) that the token shows. One glob of the key must cover all of them. */
  runs: z.string().regex(/^[A-Za-z0-9._*/-]{1,200}$/, 'must be a glob over cluster/run/group, such as c1/*'),
  ttl_ms: z.int().min(1).max(TOKEN_MS_MAX).default(TOKEN_MS_MAX),
});

/** The answer of `POST /v1/tokens`. */
export const tokenAnswerSchema = z.object({ token: z.string(), expires_at: z.string() });
export type TokenAnswer = Readonly<z.infer<typeof tokenAnswerSchema>>;
