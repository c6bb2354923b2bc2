import { SENDER_BODY_BYTES_MAX, SENDER_BODY_EVENTS_MAX } from '../limits.ts';
import { RUN_KEY_PART_PATTERN } from '../run/run-key.ts';
import {
  faultResponses,
  jsonResponse,
  type OpenApiDocument,
  type Operation,
  type Parameter,
  type Response,
  refTo,
} from './openapi.ts';

const LIMITS = `at most ${SENDER_BODY_EVENTS_MAX} events and ${SENDER_BODY_BYTES_MAX} bytes, before and after inflation`;
export const SENDER_PROMISE =
  '200 says that every event is in the log or, if it is none, among the rejected ones; 503 that the whole body must come again after Retry-After, and nothing of it is counted twice.';

/** The parameters that all paths share that take events. */
export const publishParameters: readonly Parameter[] = [
  {
    ...{ name: 'dry_run', in: 'query', required: false },
    description: '1: judge only; nothing is published or kept',
    schema: { enum: ['0', '1', 'false', 'true'] },
  },
  {
    ...{ name: 'X-Cluster-Id', in: 'header', required: false },
    description: 'The cluster if no keys are required (default: local); else only that of the key',
    schema: { type: 'string', pattern: RUN_KEY_PART_PATTERN },
  },
  {
    ...{ name: 'Content-Encoding', in: 'header', required: false },
    description: 'The encoding of the body',
    schema: { enum: ['identity', 'gzip', 'x-gzip', 'deflate'] },
  },
];

const faults = {
  invalid_query: 'an invalid query parameter or X-Cluster-Id',
  bad_request: 'not a valid HTTP request',
  unauthorized: 'no key, or one that is not, or no longer, valid; answered before the body is read',
  forbidden: 'a key that may not publish, or not for this cluster; answered before the body is read',
  body_stalled: 'no more of the body arrived',
  body_too_large: `over ${SENDER_BODY_BYTES_MAX} bytes`,
  too_many_events: `over ${SENDER_BODY_EVENTS_MAX} events`,
  unsupported_encoding: 'Accept-Encoding lists the accepted encodings',
  internal: 'a fault of this service',
  log_unavailable: 'the log does not answer',
  log_refuses: 'the log refuses events until an operator changes what the message says; keep the body',
  overloaded: 'too much is in flight, or the quota of the cluster is spent',
  storage_full: 'the log is full',
  closing: 'this process shuts down',
  misdirected: 'the service is open, and `Host` is not a loopback name',
} as const;

const PROTOBUF = 'application/x-protobuf';

/** OTLP answers with a google.rpc.Status, encoded as the request was. */
function asStatus(responses: Readonly<Record<string, Response>>): Readonly<Record<string, Response>> {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      {
        ...response,
        content: {
          'application/json': { schema: refTo('RpcStatus') },
          [PROTOBUF]: { schema: { type: 'string', format: 'binary' } },
        },
      },
    ]),
  );
}

const publishLogs: Operation = {
  operationId: 'publishLogs',
  summary: 'Publish log records of OpenTelemetry',
  description: `An ExportLogsServiceRequest of OTLP/HTTP in protobuf or JSON: ${LIMITS}. ${SENDER_PROMISE} docs/protocol.md says which event a log record becomes.`,
  parameters: publishParameters,
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: refTo('ExportLogsServiceRequest'),
        example: {
          resourceLogs: [
            {
              resource: { attributes: [{ key: 'runlog.run', value: { stringValue: 'run-7' } }] },
              scopeLogs: [
                {
                  logRecords: [
                    {
                      timeUnixNano: '1767484787900000000',
                      severityNumber: 9,
                      eventName: 'checkpoint.saved',
                      body: { stringValue: 'saved' },
                      attributes: [{ key: 'step', value: { intValue: '12' } }],
                    },
                  ],
                },
              ],
            },
          ],
        },
      },
      [PROTOBUF]: { schema: { type: 'string', format: 'binary' } },
    },
  },
  responses: {
    200: {
      description: 'Everything is stored, or rejected for good',
      content: {
        'application/json': { schema: refTo('ExportLogsServiceResponse') },
        [PROTOBUF]: { schema: { type: 'string', format: 'binary' } },
      },
    },
    ...asStatus(
      faultResponses({
        ...faults,
        invalid_body: 'no ExportLogsServiceRequest; its beginning is among the rejected events',
        invalid_json: 'a body that cannot be inflated',
        unsupported_media_type: 'neither protobuf nor JSON; Accept-Post lists the accepted types',
      }),
    ),
  },
};

const publishWithKeyInPath: Operation = {
  operationId: 'publishEventsWithKeyInPath',
  summary: 'Publish events from a sender that cannot send a header',
  description: `The same as \`POST /v1/events?mode=sender\`: ${LIMITS}. A body in which there are no events to be found is kept among the rejected events and answered with 200 too, because Ray would send it for ever.`,
  parameters: [
    {
      ...{ name: 'key', in: 'path', required: true },
      description: 'A publish key; anything if no keys are required',
      schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,128}$' },
    },
    ...publishParameters,
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: { type: 'array', items: { type: 'object' } },
        example: [{ event_name: 'checkpoint.saved', run_id: 'run-7', step: 12 }],
      },
    },
  },
  responses: {
    200: jsonResponse('Every event is stored, or rejected for good', refTo('IngestResponse')),
    ...faultResponses(faults),
  },
  security: [],
};

export const senderPaths: OpenApiDocument['paths'] = {
  '/v1/logs': { post: publishLogs },
  '/v1/keys/{key}/events': { post: publishWithKeyInPath },
};
