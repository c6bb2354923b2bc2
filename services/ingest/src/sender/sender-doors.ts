import type { IngestResponse } from '@runlog/schema/http/ingest-api';
import { REJECTED_BYTES_MAX, SENDER_BODY_EVENTS_MAX, SENDER_KEYED_EVENTS_MAX } from '@runlog/schema/limits';
import type { FastifyReply } from '@runlog/service-kit/http-server';
import { decodeJson } from './otlp/decode-json.ts';
import { decodeProtobuf } from './otlp/decode-protobuf.ts';
import { eventOfLog } from './otlp/event-of-log.ts';
import { contentTypes, exportResponse } from './otlp/log-answer.ts';
import type { LogsFormat } from './sender-request.ts';
import { type SenderFormat, sourceOfBody, TOO_MANY_EVENTS } from './sender-source.ts';
import { beginningOf, type SenderDoor } from './taking-bodies.ts';

const answerJson = (reply: FastifyReply, _format: SenderFormat, response: IngestResponse) =>
  reply.code(200).send(response);

/** `POST /v1/events?mode=sender` */
export const eventsDoor: SenderDoor<SenderFormat> = {
  name: 'events',
  sourceOf: sourceOfBody,
  rawOf: beginningOf,
  takesAll: false,
  answer: answerJson,
};

/** `POST /v1/keys/{key}/events`, for Ray: it sends no header, and sends what is refused for ever. */
export const keyedDoor: SenderDoor<SenderFormat> = {
  ...eventsDoor,
  sourceOf: (body, options) =>
    sourceOfBody(body, { ...options, eventsMax: SENDER_KEYED_EVENTS_MAX, takesDamaged: true }),
  takesAll: true,
};

/** `POST /v1/logs` */
export const logsDoor: SenderDoor<LogsFormat> = {
  name: 'logs',
  sourceOf(body, { format, defaultRunId }) {
    const decode = format === 'protobuf' ? decodeProtobuf : decodeJson;
    const request = decode(body, SENDER_BODY_EVENTS_MAX);
    switch (request.kind) {
      case 'too_many':
        return TOO_MANY_EVENTS;
      case 'broken':
        return { kind: 'unreadable', code: 'invalid_body', message: request.message };
      case 'records': {
        const { records } = request;
        const defaults = { runId: defaultRunId };
        return {
          kind: 'source',
          total: records.length,
          item: (index) => {
            const placed = records[index]!;
            const record = placed.read();
            if ('code' in record) return { kind: 'unmakeable', path: '', ...record, raw: placed.raw() };
            return eventOfLog(record, placed.context, defaults);
          },
        };
      }
      default: {
        const unreachable: never = request;
        throw new Error(`unknown request ${JSON.stringify(unreachable)}`);
      }
    }
  },
  rawOf: (body, format) =>
    format === 'json'
      ? beginningOf(body)
      : Buffer.from(body.toString('base64', 0, (REJECTED_BYTES_MAX / 4) * 3)),
  takesAll: false,
  answer(reply, format, { rejected, errors }) {
    const [first] = errors;
    const message =
      first === undefined ? '' : `the first one, at ${first.index}: ${first.path} ${first.message}`;
    reply.code(200).header('content-type', contentTypes[format]);
    return reply.send(exportResponse(format, { count: rejected, message }));
  },
};
