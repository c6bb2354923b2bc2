import { z } from 'zod';
import { frameFaults } from '../faults.ts';
import { eventLogEntrySchema, runSnapshotSchema } from '../run/snapshot.ts';
import { closeCodes } from '../stream/close-codes.ts';
import { clientFrameSchemas } from '../stream/stream-api.ts';
import { STREAM_SUBPROTOCOL } from '../stream/subprotocol.ts';
import { API_VERSION } from './openapi.ts';

/** What a gateway may send, as schemas; `ServerFrame` is the same for the compiler. Fields may be added to any. */
const id = z.int();
const ch = z.string();
const entry = eventLogEntrySchema.extend({ relative_time: z.string() });
const snapshot = runSnapshotSchema.omit({ event_id_window: true }).extend({
  position: runSnapshotSchema.shape.position.nullable(),
  event_log: z.array(entry),
  milestones: z.array(entry),
  freshness: z.enum(['live', 'slow', 'stale']),
});
const delta = z.object({
  prev: z.int().nullable(),
  seq: z.int(),
  entries: z.array(entry),
  set: z.record(z.string(), z.unknown()),
  epoch: z.string().optional(),
});
const row = z.looseObject({ cluster_id: z.string(), run_id: z.string(), group_id: z.string(), seq: z.int() });
const faultCode = z.enum(
  Object.keys(frameFaults) as [keyof typeof frameFaults, ...(keyof typeof frameFaults)[]],
);

/** The frames by name, each with what it says. */
export const serverFrameSchemas = {
  hello: z.object({
    hello: z.object({
      server: z.string(),
      heartbeat_ms: z.int(),
      reconnect: z.object({ min_ms: z.int(), max_ms: z.int() }),
    }),
  }),
  ok: z.object({ id, ok: z.literal(true) }),
  pong: z.object({ id, pong: z.literal(true) }),
  tips: z.object({ tips: z.record(z.string(), z.int().nullable()) }),
  snapshot: z.object({ id, ch, snapshot }),
  resume: z.object({ id, ch, resume: delta }),
  rows: z.object({ id, ch, rows: z.array(row), total: z.int() }),
  error: z.object({
    id: id.nullable(),
    ch: ch.optional(),
    error: z.object({ code: faultCode, message: z.string(), retry: z.boolean() }),
  }),
  delta: delta.extend({ ch }),
  index: z.object({ ch, rows: z.array(row), gone: z.array(z.string()) }),
  reset: z.object({ ch, reset: z.object({ reason: z.string(), snapshot }) }),
  lag: z.object({ ch, lag: z.object({ skipped: z.int() }) }),
  end: z.object({ ch, end: z.object({ status: z.enum(['finished', 'failed']) }) }),
  drain: z.object({ drain: z.object({ within_ms: z.int() }) }),
} as const;

/** AsyncAPI 3.0 of `WS /v1/stream`. */
export const streamAsyncApi = {
  asyncapi: '3.0.0',
  info: {
    title: 'runlog stream',
    version: API_VERSION,
    description:
      `Subprotocol ${STREAM_SUBPROTOCOL}. JSON objects, one a message or several separated by newlines. Close codes: ` +
      Object.entries(closeCodes)
        .map(
          ([reason, { close, reconnect }]) => `${close} ${reason}${reconnect ? '' : ' (do not reconnect)'}`,
        )
        .join(', '),
  },
  channels: {
    stream: {
      address: '/v1/stream',
      messages: {
        client: { $ref: '#/components/messages/client' },
        ...Object.fromEntries(
          Object.keys(serverFrameSchemas).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
  },
  operations: {
    receive: {
      action: 'receive',
      channel: { $ref: '#/channels/stream' },
      messages: [{ $ref: '#/channels/stream/messages/client' }],
    },
    send: {
      action: 'send',
      channel: { $ref: '#/channels/stream' },
      messages: Object.keys(serverFrameSchemas).map((name) => ({
        $ref: `#/channels/stream/messages/${name}`,
      })),
    },
  },
  components: {
    messages: {
      client: { name: 'client', payload: z.toJSONSchema(z.union(Object.values(clientFrameSchemas))) },
      ...Object.fromEntries(
        Object.entries(serverFrameSchemas).map(([name, schema]) => [
          name,
          { name, payload: z.toJSONSchema(schema) },
        ]),
      ),
    },
  },
} as const;
