import { z } from 'zod';
import { judgeShape } from '../judge-shape.ts';
import { STREAM_CHANNELS_MAX } from '../limits.ts';
import {
  explainShape,
  type FiguresSubscription,
  figuresSubscriptionSchema,
  type IndexSubscription,
  indexSubscriptionSchema,
  type RunSubscription,
  runSubscriptionSchema,
} from './subscriptions.ts';

/**
 * The frames that a client may send on `WS /v1/stream`. They are JSON objects; a message holds one, or several
 * separated by newlines. A frame has an `id`, exactly one verb, and nothing else.
 */

const id = z.int();
const channel = z.string().max(256);

/** The items are judged one by one (`parseSubscription`), so that a bad one does not refuse the others. */
const subscribeFrame = z.strictObject({ id, sub: z.array(z.unknown()) });
const unsubscribeFrame = z.strictObject({ id, unsub: z.array(channel) });
const pingFrame = z.strictObject({ id, ping: z.literal(true) });
const authFrame = z.strictObject({ id, auth: z.string().max(512) });
/** By channel of a run: the position up to which the client has dealt with what it got. */
const ackFrame = z.strictObject({ id, ack: z.record(channel, z.int().min(0).nullable()) });

/** The frames of a client, by the verb that names each. */
const clientFrameSchemas = {
  sub: subscribeFrame,
  unsub: unsubscribeFrame,
  ping: pingFrame,
  auth: authFrame,
  ack: ackFrame,
} as const;

/** The same with the items of `sub` written out, for documents. */
export const documentedClientFrames = {
  ...clientFrameSchemas,
  sub: z.strictObject({
    id,
    sub: z
      .array(z.union([runSubscriptionSchema, figuresSubscriptionSchema, indexSubscriptionSchema]))
      .max(STREAM_CHANNELS_MAX),
  }),
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

/** A frame that is refused. `id` is its own, if it has a valid one. */
export interface FrameFault {
  readonly verb: 'fault';
  readonly id: number | null;
  readonly message: string;
}

/** A frame as a client builds it. */
export type ClientFrame =
  | {
      readonly id: number;
      readonly sub: readonly (RunSubscription | FiguresSubscription | IndexSubscription)[];
    }
  | Exclude<ClientRequest, { verb: 'sub' }>['frame'];

/** Judges what a client sent by the schema of the one verb that it names. */
export function parseClientFrame(sent: unknown): ClientRequest | FrameFault {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) {
    return { verb: 'fault', id: null, message: 'a frame must be one JSON object' };
  }
  const sentId = id.safeParse(Object.hasOwn(sent, 'id') ? (sent as { id: unknown }).id : undefined);
  if (!sentId.success) {
    return { verb: 'fault', id: null, message: 'a frame needs an "id" that is a whole number' };
  }
  const fault = (message: string): FrameFault => ({ verb: 'fault', id: sentId.data, message });
  const named = clientVerbs.filter((verb) => Object.hasOwn(sent, verb));
  const list = clientVerbs.join(', ');
  const [verb] = named;
  if (verb === undefined) return fault(`a frame has one of ${list}`);
  if (named.length > 1) {
    return fault(`a frame has exactly one of ${list}; this one has ${named.join(' and ')}`);
  }
  const parsed = judgeShape<z.ZodType>(clientFrameSchemas[verb], sent);
  if (!parsed.success) return fault(explainShape(parsed.error));
  // The schema and the verb belong together, which the compiler cannot follow through the index.
  return { verb, frame: parsed.data } as ClientRequest;
}
