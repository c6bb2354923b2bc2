import { z } from 'zod';
import type { FrameFaultCode } from '../faults.ts';
import { STREAM_INDEX_ROWS_MAX } from '../limits.ts';
import {
  type DeliveredEntry,
  type DeliveredSnapshot,
  positionSchema,
  type RunRow,
  type RunStatus,
} from '../run/snapshot.ts';

/** Frames of `WS /v1/stream`: JSON objects, one a message or several separated by newlines. Channels: channels.ts. */

const id = z.int();
const channel = z.string().max(256);

const subscribeFrame = z.looseObject({
  id,
  sub: z.array(
    z.looseObject({
      ch: channel,
      /** What the client holds; the reply resumes there when it can. */
      since: positionSchema.nullish(),
      /** Of an index channel: rows wanted. */
      limit: z.int().min(1).max(STREAM_INDEX_ROWS_MAX).nullish(),
    }),
  ),
});
const unsubscribeFrame = z.looseObject({ id, unsub: z.array(channel) });
const pingFrame = z.looseObject({ id, ping: z.literal(true) });
const authFrame = z.looseObject({ id, auth: z.string().max(512) });

/** What a client may send, by the verb that names it. Unknown fields are ignored. */
export const clientFrameSchemas = {
  sub: subscribeFrame,
  unsub: unsubscribeFrame,
  ping: pingFrame,
  auth: authFrame,
} as const;

export type ClientVerb = keyof typeof clientFrameSchemas;
export const clientVerbs = Object.keys(clientFrameSchemas) as readonly ClientVerb[];

/** A frame beside the verb whose schema it matched: a `switch` on `verb` knows the type of `frame`. */
export type ClientRequest = {
  [Verb in ClientVerb]: {
    readonly verb: Verb;
    readonly frame: z.infer<(typeof clientFrameSchemas)[Verb]>;
  };
}[ClientVerb];
export type SubscribeFrame = z.infer<typeof subscribeFrame>;

/** `null`: not exactly one verb, or not of the form of that verb. */
export function parseClientFrame(sent: unknown): ClientRequest | null {
  const named = verbsIn(sent);
  const [verb] = named;
  if (verb === undefined || named.length > 1) return null;
  const parsed = clientFrameSchemas[verb].safeParse(sent);
  // The schema and the verb belong together, which the compiler cannot follow through the index.
  return parsed.success ? ({ verb, frame: parsed.data } as ClientRequest) : null;
}

/** The verbs that a JSON value names; a frame names exactly one. */
export function verbsIn(sent: unknown): readonly ClientVerb[] {
  if (typeof sent !== 'object' || sent === null) return [];
  return clientVerbs.filter((verb) => Object.hasOwn(sent, verb));
}

/** Changed top-level fields of the delivered snapshot; `event_log` and `milestones` follow from `entries`. */
export type SnapshotChanges = Partial<Omit<DeliveredSnapshot, 'event_log' | 'milestones' | 'position'>>;

/** One step of a run: from `prev` (null: nothing before) to `seq`. A client that is not at `prev` asks again. */
export interface RunDelta {
  readonly prev: number | null;
  readonly seq: number;
  readonly entries: readonly DeliveredEntry[];
  readonly set: SnapshotChanges;
  /** Where `prev` is null: the epoch, which the empty snapshot could not say. */
  readonly epoch?: string;
}

export type ServerFrame =
  | {
      readonly hello: {
        readonly server: string;
        readonly heartbeat_ms: number;
        readonly reconnect: { readonly min_ms: number; readonly max_ms: number };
      };
    }
  | { readonly id: number; readonly ok: true }
  | { readonly id: number; readonly pong: true }
  | { readonly tips: Readonly<Record<string, number | null>> }
  | { readonly id: number; readonly ch: string; readonly snapshot: DeliveredSnapshot }
  | { readonly id: number; readonly ch: string; readonly resume: RunDelta }
  | { readonly id: number; readonly ch: string; readonly rows: readonly RunRow[]; readonly total: number }
  | {
      readonly id: number | null;
      readonly ch?: string;
      readonly error: { readonly code: FrameFaultCode; readonly message: string; readonly retry: boolean };
    }
  | ({ readonly ch: string } & RunDelta)
  | { readonly ch: string; readonly rows: readonly RunRow[]; readonly gone: readonly string[] }
  | { readonly ch: string; readonly reset: { readonly reason: string; readonly snapshot: DeliveredSnapshot } }
  | { readonly ch: string; readonly lag: { readonly skipped: number } }
  | { readonly ch: string; readonly end: { readonly status: Exclude<RunStatus, 'running'> } }
  | { readonly drain: { readonly within_ms: number } };
