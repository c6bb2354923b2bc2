import { z } from 'zod';
import { STREAM_INDEX_ROWS_MAX } from '../limits.ts';
import { positionSchema } from '../run/snapshot.ts';

/**
 * The frames that a client may send on `WS /v1/stream`. They are JSON objects; a message holds one, or several
 * separated by newlines.
 */

const id = z.int();
const channel = z.string().max(256);

const subscribeFrame = z.object({
  id,
  sub: z.array(
    z.object({
      ch: channel,
      /** The position that the client holds. The reply resumes there if it can. */
      since: positionSchema.nullish(),
      /** For an index channel: the number of rows that the client wants. */
      limit: z.int().min(1).max(STREAM_INDEX_ROWS_MAX).nullish(),
    }),
  ),
});
const unsubscribeFrame = z.object({ id, unsub: z.array(channel) });
const pingFrame = z.object({ id, ping: z.literal(true) });
const authFrame = z.object({ id, auth: z.string().max(512) });

/** The frames of a client, by the verb that names each. Unknown fields are ignored. */
export const clientFrameSchemas = {
  sub: subscribeFrame,
  unsub: unsubscribeFrame,
  ping: pingFrame,
  auth: authFrame,
} as const;

export type ClientVerb = keyof typeof clientFrameSchemas;
export const clientVerbs = Object.keys(clientFrameSchemas) as readonly ClientVerb[];

/** A frame with the verb whose schema it matched. A `switch` on `verb` knows the type of `frame`. */
export type ClientRequest = {
  [Verb in ClientVerb]: {
    readonly verb: Verb;
    readonly frame: z.infer<(typeof clientFrameSchemas)[Verb]>;
  };
}[ClientVerb];
export type SubscribeFrame = z.infer<typeof subscribeFrame>;
/** A frame that a client sends. */
export type ClientFrame = ClientRequest['frame'];

/** Returns null if the frame does not name exactly one verb, or does not have the form of that verb. */
export function parseClientFrame(sent: unknown): ClientRequest | null {
  const named = verbsIn(sent);
  const [verb] = named;
  if (verb === undefined || named.length > 1) return null;
  const parsed = clientFrameSchemas[verb].safeParse(sent);
  // The schema and the verb belong together, which the compiler cannot follow through the index.
  return parsed.success ? ({ verb, frame: parsed.data } as ClientRequest) : null;
}

/** Returns the verbs that a JSON value names. A frame names exactly one. */
export function verbsIn(sent: unknown): readonly ClientVerb[] {
  if (typeof sent !== 'object' || sent === null) return [];
  return clientVerbs.filter((verb) => Object.hasOwn(sent, verb));
}
