import { z } from 'zod';
import { meta } from 'zod/mini';
import { eventSchemas } from '../events/event-schemas.ts';
import { eventTypeOf } from '../events/event-types.ts';
import { ingestResponseSchema } from '../http/ingest-api.ts';
import { exportLogsRequestSchema, exportLogsResponseSchema, rpcStatusSchema } from '../http/otlp-api.ts';
import {
  BODY_BYTES_MAX,
  BODY_EVENTS_MAX,
  EVENT_BYTES_MAX,
  SENDER_BODY_BYTES_MAX,
  SENDER_BODY_EVENTS_MAX,
} from '../limits.ts';
import { faultResponses, faultSchema, jsonResponse, openApiDocument, refTo } from './openapi.ts';
import { publishParameters, SENDER_PROMISE, senderPaths } from './openapi-senders.ts';

const example = {
  event_id: 'c0ffee-17',
  event_type: 'EPOCH_COMPLETED',
  timestamp: '2026-01-03T23:59:47.900000+00:00',
  run_id: 'run-7',
  emitter_id: 'c0ffee',
  emitter_seq: 17,
  data: { env_id: 0, val_accuracy: 61.5, val_loss: 1.04, inner_epoch: 1 },
};

/** An emitter that numbers its events names itself, and one that names itself numbers its events. */
const numbering = {
  anyOf: [
    {
      required: ['emitter_id', 'emitter_seq'],
      properties: { emitter_id: { type: 'string' }, emitter_seq: { type: 'integer' } },
    },
    { properties: { emitter_id: { type: 'null' }, emitter_seq: { type: 'null' } } },
  ],
};

const knownTypes = [...new Set([...Object.keys(eventSchemas.current), ...Object.keys(eventSchemas.older)])];
const eventShapes: Readonly<Record<string, z.ZodType>> = {
  ...Object.fromEntries(
    Object.entries(eventSchemas.current).map(([type, schema]) => [
      `Event_${type}`,
      schema.extend({ event_type: z.literal(type) }).meta(numbering),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(eventSchemas.older).map(([type, schema]) => {
      const lacked = eventTypeOf(type).older?.telltale?.lacks;
      const { data } = schema.shape;
      return [
        `OlderEvent_${type}`,
        schema
          .extend({
            event_type: z.literal(type),
            data: lacked === undefined ? data : data.check(meta({ not: { required: [lacked] } })),
          })
          .meta(numbering),
      ];
    }),
  ),
  OtherEvent: eventSchemas.other
    .extend({
      event_type: eventSchemas.other.shape.event_type.meta({ not: { enum: knownTypes } }),
    })
    .meta(numbering),
};
const anyEvent = { anyOf: Object.keys(eventShapes).map(refTo) };

const schemas = {
  ...eventShapes,
  IngestResponse: ingestResponseSchema,
  AllRejected: ingestResponseSchema.extend(faultSchema.shape),
  ExportLogsServiceRequest: exportLogsRequestSchema,
  ExportLogsServiceResponse: exportLogsResponseSchema,
  RpcStatus: rpcStatusSchema,
  AboutIngest: z.object({
    service: z.literal('runlog ingest'),
    publish: z.string(),
    senders: z.string(),
    logs: z.string(),
    accepts: z.string(),
    dry_run: z.string(),
    health: z.array(z.string()),
    documentation: z.array(z.string()),
  }),
};

/** Ingest's document, which it serves at `GET /openapi.json`. */
export const ingestOpenApi = openApiDocument({
  title: 'runlog ingest',
  description:
    'Takes TelemetryEvents and answers once the log has them. An address that is not listed is answered with 404, another method of a listed one with 405, both in the shape of Fault. "retry" events and everything answered with a Retry-After may be sent again unchanged: nothing is counted twice.',
  schemas,
  paths: {
    '/': {
      get: {
        ...{ operationId: 'about', summary: 'What this service is', security: [] },
        responses: { 200: jsonResponse('Where to publish', refTo('AboutIngest')) },
      },
    },
    '/v1/events': {
      post: {
        operationId: 'publishEvents',
        summary: 'Publish events',
        description: `One event, an array of them, or one per line (NDJSON): at most ${BODY_EVENTS_MAX} events and ${BODY_BYTES_MAX} bytes, before and after inflation, and ${EVENT_BYTES_MAX} bytes an event. Each event is judged by itself. Bare NaN and Infinity are taken as strings. Timestamps and severities are taken as people write them and stored as sent. With \`mode=sender\`: at most ${SENDER_BODY_EVENTS_MAX} events and ${SENDER_BODY_BYTES_MAX} bytes, also text/plain, and objects that follow each other.`,
        parameters: [
          {
            ...{ name: 'mode', in: 'query', required: false },
            description: `sender: for senders that judge by the status alone. Any JSON object becomes an event, and ${SENDER_PROMISE}`,
            schema: { enum: ['sender'] },
          },
          ...publishParameters,
        ],
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                anyOf: [...anyEvent.anyOf, { type: 'array', items: anyEvent, maxItems: BODY_EVENTS_MAX }],
              },
              example,
            },
            'application/x-ndjson': { schema: { type: 'string' }, example: `${JSON.stringify(example)}\n` },
          },
        },
        responses: {
          200: {
            ...jsonResponse('The fate of each event', refTo('IngestResponse')),
            headers: {
              'X-Cluster-Id': {
                description: 'The cluster that the events are stored in: that of the key, if there is one',
                schema: { type: 'string' },
              },
              'Retry-After': {
                description: 'With `retry` events: seconds to wait before they are sent again',
                schema: { type: 'integer', minimum: 1 },
              },
            },
          },
          ...faultResponses({
            invalid_json: 'a body that is not JSON, or damaged; nothing was published',
            invalid_utf8: 'a body that is not UTF-8',
            invalid_query: 'an invalid query parameter or X-Cluster-Id',
            bad_request: 'not a valid HTTP request',
            unauthorized: 'no key, or one that is not, or no longer, valid; answered before the body is read',
            forbidden:
              'a key that may not publish, or not for this cluster; answered before the body is read',
            body_stalled: 'no more of the body arrived',
            body_too_large: `over ${BODY_BYTES_MAX} bytes`,
            too_many_events: `over ${BODY_EVENTS_MAX} events`,
            unsupported_media_type: 'neither JSON nor NDJSON; Accept-Post lists the accepted types',
            unsupported_encoding: 'neither gzip nor deflate; Accept-Encoding lists the accepted encodings',
            quota_exceeded:
              "the cluster's quota of events or bytes per second is spent; Retry-After says for how long",
            internal: 'a fault of this service',
            log_unavailable: 'the log does not answer; nothing was acknowledged',
            overloaded: 'too much is in flight',
            log_refuses: 'the log refuses events until an operator changes what the message says',
            storage_full: 'the log is full',
            closing: 'this process shuts down',
          }),
          422: jsonResponse('`all_rejected`: no event of the body is valid', refTo('AllRejected')),
        },
      },
    },
    ...senderPaths,
  },
});
