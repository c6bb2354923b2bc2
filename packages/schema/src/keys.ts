import { z } from 'zod';
import { runKeyPart } from './run/run-key-part.ts';

/** The longest key that a client may send. Generated ones are far shorter. */
export const KEY_CHARS_MAX = 512;

const keyId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 characters of A-Z a-z 0-9 . _ -');

/** The digest of the key's UTF-8 bytes, in lowercase hex. The key itself is stored nowhere. */
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of the key as 64 lowercase hex digits');

const perSecond = z.int().min(1).max(1_000_000_000_000);

/** A key that may write only to its own cluster. Without rates it may write as fast as it can. */
const publishKeySchema = z.strictObject({
  id: keyId,
  sha256,
  role: z.literal('publish'),
  cluster: runKeyPart,
  /** The run of events from other senders that name none. Without it, that is the key's id. */
  default_run: runKeyPart.optional(),
  events_per_second: perSecond.optional(),
  bytes_per_second: perSecond.optional(),
});

/**
 * A key that sees the runs (`cluster/run/group`) that one of its globs matches; `*` matches any sequence of characters.
 */
const viewKeySchema = z.strictObject({
  id: keyId,
  sha256,
  role: z.literal('view'),
  runs: z
    .array(
      z.string().regex(/^[A-Za-z0-9._*/-]{1,200}$/, 'must be a glob over cluster/run/group, such as c1/*'),
    )
    .min(1, 'must name at least one glob, such as "*" for every run')
    .max(1_000),
});

export const keySchema = z.discriminatedUnion('role', [publishKeySchema, viewKeySchema]);

/** The content of the file that `RUNLOG_KEYS_FILE` names. */
export const keysFileSchema = z
  .strictObject({ keys: z.array(keySchema).max(100_000) })
  .superRefine(({ keys }, context) => {
    for (const field of ['id', 'sha256'] as const) {
      const seen = new Set<string>();
      for (const [at, key] of keys.entries()) {
        if (seen.has(key[field])) {
          context.addIssue({ code: 'custom', path: ['keys', at, field], message: 'is there twice' });
        }
        seen.add(key[field]);
      }
    }
  });

export type Key = z.infer<typeof keySchema>;
export type PublishKey = z.infer<typeof publishKeySchema>;
export type ViewKey = z.infer<typeof viewKeySchema>;
