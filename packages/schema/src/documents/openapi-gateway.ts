import { eventStreamQuerySchema, runStreamQuerySchema } from '../http/event-stream-queries.ts';
import {
  eventsPageSchema,
  eventsQuerySchema,
  figuresQuerySchema,
  helloQuerySchema,
  helloSchema,
  runQuerySchema,
  runsPageSchema,
  runsQuerySchema,
  runTimelineSchema,
} from '../http/gateway-api.ts';
import { runProofSchema } from '../http/proof-api.ts';
import { tokenAnswerSchema, tokenRequestSchema } from '../http/tokens-api.ts';
import { TOKEN_CHARS_MAX } from '../limits.ts';
import { runFiguresSchema } from '../run/figures.ts';
import { RUN_KEY_PART_PATTERN } from '../run/run-key.ts';
import { runDocumentSchema, runRowSchema } from '../run/snapshot.ts';
import { STREAM_EVENTS_PATH, STREAM_PATH, STREAM_SUBPROTOCOL } from '../stream/subprotocol.ts';
import {
  etag,
  faultResponses,
  held,
  ifNoneMatch,
  jsonResponse,
  openApiDocument,
  type Parameter,
  queryParameters,
  type Response,
  refTo,
} from './openapi.ts';

const schemas = {
  Hello: helloSchema,
  RunDocument: runDocumentSchema,
  RunRow: runRowSchema,
  RunsPage: runsPageSchema,
  EventsPage: eventsPageSchema,
  RunTimeline: runTimelineSchema,
  RunFigures: runFiguresSchema,
  RunProof: runProofSchema,
  TokenRequest: tokenRequestSchema,
  TokenAnswer: tokenAnswerSchema,
};

const part = (name: string): Parameter => ({
  ...{ name, in: 'path', required: true },
  description: `The run's ${name}`,
  schema: { type: 'string', pattern: RUN_KEY_PART_PATTERN },
});
const runParts = [part('cluster'), part('run'), part('group')];

const textContent = { schema: { type: 'string' } };

const viewFaults = {
  unauthorized: 'no key, or one that is not, or no longer, valid',
  bad_request: 'not a valid HTTP request',
  not_ready: 'this gateway is still reading the log',
  closing: 'this process shuts down',
  internal: 'a fault of this service',
} as const;
const runFaults = {
  ...viewFaults,
  forbidden: 'a key that may not view, or does not show this run, whether it exists or not',
  no_such_run: 'there is no such run',
} as const;

const token: Parameter = {
  ...{ name: 'token', in: 'query', required: false },
  description:
    'A token of `POST /v1/tokens`, for a client that cannot set a header. A key never stands in an address',
  schema: { type: 'string', maxLength: TOKEN_CHARS_MAX },
};
const lastEventId: Parameter = {
  ...{ name: 'Last-Event-ID', in: 'header', required: false },
  description:
    'The id of the last event that the client has; one that another stream gave means a fresh start',
  schema: { type: 'string' },
};
const eventsOf = (description: string): Response => ({
  description,
  content: { 'text/event-stream': { schema: { description: 'Events whose data is a JSON frame' } } },
});
const streamFaults = {
  invalid_query: 'an invalid or unknown parameter',
  overloaded: 'this gateway has as many streams as it may have',
} as const;

/** The gateway's document, which it serves at `GET /openapi.json`. The WebSocket's frames are in asyncapi.ts. */
export const gatewayOpenApi = openApiDocument({
  title: 'runlog gateway',
  description:
    'Shows runs: lists, snapshots, history, and streams. An address that is not listed is answered with 404, another method of a listed one with 405, both in the shape of Fault. With a key that shows only some runs, lists and totals hold only those. Pages of the origins in RUNLOG_ALLOWED_ORIGINS may read all of it (CORS).',
  schemas,
  paths: {
    '/': {
      get: {
        ...{ operationId: 'dashboard', summary: 'The dashboard, a page', security: [] },
        parameters: [ifNoneMatch],
        responses: {
          200: { description: 'The page', headers: etag, content: { 'text/html': textContent } },
          304: held,
        },
      },
    },
    '/assets/{file}': {
      get: {
        ...{
          operationId: 'dashboardAsset',
          summary: 'The script or the style of the dashboard',
          security: [],
        },
        parameters: [
          {
            ...{ name: 'file', in: 'path', required: true },
            description: 'A name that holds the hash of its content, as the page names it',
            schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,100}$' },
          },
          ifNoneMatch,
        ],
        responses: {
          200: {
            description: 'The content, which a client may keep for ever',
            headers: etag,
            content: { 'text/javascript': textContent, 'text/css': textContent },
          },
          304: held,
          ...faultResponses({ not_found: 'the page does not name this file, or another build of it does' }),
        },
      },
    },
    '/asyncapi.json': {
      get: {
        ...{ operationId: 'asyncapi', summary: 'The frames of the stream', security: [] },
        parameters: [ifNoneMatch],
        responses: {
          200: { ...jsonResponse('AsyncAPI 3.0', { type: 'object' }), headers: etag },
          304: held,
        },
      },
    },
    '/v1/hello': {
      get: {
        ...{
          operationId: 'hello',
          summary: 'Whether a page may open streams, the time here, and where to publish',
          security: [],
        },
        parameters: queryParameters(helloQuerySchema),
        responses: {
          200: jsonResponse('It may', refTo('Hello')),
          ...faultResponses({
            forbidden: 'it may not; the message says what to set',
            invalid_query: 'an invalid or unknown parameter',
            bad_request: 'not a valid HTTP request',
            closing: 'this process shuts down',
          }),
        },
      },
    },
    '/v1/runs': {
      get: {
        operationId: 'listRuns',
        summary: 'One page of runs',
        parameters: queryParameters(runsQuerySchema),
        responses: {
          200: jsonResponse('The page; `next` is null on the last one', refTo('RunsPage')),
          ...faultResponses({
            ...viewFaults,
            invalid_query: 'an invalid or unknown parameter, or a cursor of another sort or of other filters',
            forbidden: 'a key that may not view',
          }),
        },
      },
    },
    '/v1/runs/{cluster}/{run}/{group}': {
      get: {
        operationId: 'getRun',
        summary: 'The snapshot of a run, now or as of an earlier event',
        parameters: [...runParts, ...queryParameters(runQuerySchema), token, ifNoneMatch],
        responses: {
          200: {
            ...jsonResponse('The snapshot', refTo('RunDocument')),
            headers: etag,
          },
          304: held,
          ...faultResponses({
            ...runFaults,
            invalid_query: 'an invalid or unknown parameter',
            no_such_event: '`at` is below the first record of the run',
            history_gone: 'the log no longer holds the beginning of the run, from which `at` is folded',
            log_unavailable: 'the log does not answer',
            overloaded: 'too many reads of history',
            too_far:
              '`at` was not reached in 5 s; the message says how far it came, and the same request goes on from there',
          }),
        },
      },
    },
    '/v1/runs/{cluster}/{run}/{group}/events': {
      get: {
        operationId: 'getRunEvents',
        summary: "A page of the run's history, read from the topic",
        parameters: [...runParts, ...queryParameters(eventsQuerySchema), token],
        responses: {
          200: jsonResponse(
            'Oldest first; `next` is the before or after of the next page, null at the end. A page with a filter may be empty and yet have a `next`',
            refTo('EventsPage'),
          ),
          ...faultResponses({
            ...runFaults,
            invalid_query: 'an invalid or unknown parameter',
            log_unavailable: 'the log does not answer',
            overloaded: 'too many reads of history',
          }),
        },
      },
    },
    '/v1/runs/{cluster}/{run}/{group}/timeline': {
      get: {
        operationId: 'getRunTimeline',
        summary: "The run's whole life in one strip: landmarks, gaps, attempts and end",
        parameters: [...runParts, token, ifNoneMatch],
        responses: {
          200: { ...jsonResponse('The strip', refTo('RunTimeline')), headers: etag },
          304: held,
          ...faultResponses({ ...runFaults, invalid_query: 'an unknown parameter' }),
        },
      },
    },
    '/v1/runs/{cluster}/{run}/{group}/figures': {
      get: {
        operationId: 'getRunFigures',
        summary: "Every numeric series of the run's events, over its whole life",
        parameters: [...runParts, ...queryParameters(figuresQuerySchema), token, ifNoneMatch],
        responses: {
          200: { ...jsonResponse('The figures', refTo('RunFigures')), headers: etag },
          304: held,
          ...faultResponses({ ...runFaults, invalid_query: 'an invalid or unknown parameter' }),
        },
      },
    },
    '/v1/runs/{cluster}/{run}/{group}/proof': {
      get: {
        operationId: 'getRunProof',
        summary: 'How complete the run is, who watches it, and the newest verification',
        parameters: [...runParts, token],
        responses: {
          200: jsonResponse('The proof', refTo('RunProof')),
          ...faultResponses({ ...runFaults, invalid_query: 'an unknown parameter' }),
        },
      },
      post: {
        operationId: 'verifyRun',
        summary: "Folds the run's history from its beginning, and compares it with the run as it is live",
        parameters: [...runParts, token],
        responses: {
          200: jsonResponse('The proof, as of the position that was compared', refTo('RunProof')),
          ...faultResponses({
            ...runFaults,
            invalid_query: 'an unknown parameter',
            invalid_body: 'there is a body',
            body_too_large: 'a body over 1 KiB',
            unsupported_media_type: 'a body that is not JSON',
            log_unavailable: 'the log does not answer',
            overloaded: 'too many reads of history',
            too_far: 'the fold did not reach the position in 5 s; the same request goes on from there',
          }),
        },
      },
    },
    '/v1/runs/{cluster}/{run}/{group}/stream': {
      get: {
        operationId: 'streamRun',
        summary: 'The run live, as server-sent events',
        parameters: [...runParts, ...queryParameters(runStreamQuerySchema), token, lastEventId],
        responses: {
          200: eventsOf(
            "The frames of the run's channel. The id `epoch.seq` of an event is the client's position after it, if it has one",
          ),
          ...faultResponses({ ...runFaults, ...streamFaults }),
        },
      },
    },
    [STREAM_EVENTS_PATH]: {
      get: {
        operationId: 'streamEvents',
        summary: 'Several channels live, as server-sent events',
        parameters: [...queryParameters(eventStreamQuerySchema), token, lastEventId],
        responses: {
          200: eventsOf(
            "The frames of the channels. The id of an event stands for the client's position in each of the runs",
          ),
          ...faultResponses({
            ...viewFaults,
            ...streamFaults,
            forbidden: 'a key that may not view, or does not show one of the runs, whether it exists or not',
          }),
        },
      },
    },
    '/v1/tokens': {
      post: {
        operationId: 'makeToken',
        summary: 'A token for some runs and a short time, made in the name of a view key',
        requestBody: {
          required: true,
          content: {
            'application/json': { schema: refTo('TokenRequest'), example: { runs: 'c1/*', ttl_ms: 60_000 } },
          },
        },
        responses: {
          200: jsonResponse('The token, and when it ends', refTo('TokenAnswer')),
          ...faultResponses({
            unauthorized: 'no key, or one that is not, or no longer, valid',
            bad_request: 'not a valid HTTP request, or a body that is no JSON',
            invalid_body: 'a body of another form',
            forbidden: 'a key that may not view, or of which no glob covers the one asked for',
            body_too_large: 'a body over 1 KiB',
            unsupported_media_type: 'a body that is not JSON',
            closing: 'this process shuts down',
            internal: 'a fault of this service',
          }),
        },
      },
    },
    [STREAM_PATH]: {
      get: {
        operationId: 'openStream',
        summary: `WebSocket with the subprotocol ${STREAM_SUBPROTOCOL}`,
        responses: {
          101: { description: 'The WebSocket; see docs/protocol.md' },
          ...faultResponses({
            unauthorized: 'a key in the header that is not valid',
            forbidden: 'a key that may not view, or an origin that is not allowed',
            not_found: 'not a request for a WebSocket',
            not_ready: 'this gateway is still reading the log',
            overloaded: 'this gateway has as many streams as it may have',
            closing: 'this process shuts down',
          }),
        },
      },
    },
  },
});
