import type { HttpFaultBody } from '@runlog/schema/faults';
import type { FastifyInstance, FastifyReply, FastifyRequest } from '@runlog/service-kit/http-server';
import { headerText, mediaTypeOf } from '../ingest-request.ts';
import { addPublishRoute, admit, type PublishParts } from '../publish-route.ts';
import { contentTypes, statusOf } from './otlp/log-answer.ts';
import { eventsDoor, keyedDoor, logsDoor } from './sender-doors.ts';
import {
  anyFormat,
  type Formats,
  logsFormats,
  readSenderRequest,
  type SenderRequest,
  senderFormats,
} from './sender-request.ts';
import { type AdmittedBody, type SenderDoor, type TakingBodies, withoutQuotaCode } from './taking-bodies.ts';

export const LOGS_PATH = '/v1/logs';
/** The path of a key, for metrics and for people; the key itself is a secret. */
export const KEYED_PATH = '/v1/keys/{key}/events';

type SenderParts = PublishParts & { readonly takingBodies: TakingBodies };

/** Judges the head of a request for a sender's door. */
export async function admitBody<Format>(
  request: FastifyRequest,
  reply: FastifyReply,
  use: SenderParts & {
    door: SenderDoor<Format>;
    formats: Formats<Format>;
    authorization: string | undefined;
  },
): Promise<AdmittedBody<Format> | null> {
  const { headers } = request;
  const query = request.query as Record<string, unknown>;
  const admitted = await admit<Extract<SenderRequest<Format>, { kind: 'request' }>>(request, reply, {
    ...use,
    read: () => readSenderRequest({ headers, query }, use.formats),
    quotaFault: withoutQuotaCode,
  });
  if (admitted === null) return null;
  const takesCluster = admitted.publisher.key === null && headers['x-cluster-id'] === undefined;
  return { ...admitted, door: use.door, takesCluster };
}

export const admitSenderBody = (request: FastifyRequest, reply: FastifyReply, use: SenderParts) =>
  admitBody(request, reply, {
    ...use,
    door: eventsDoor,
    formats: senderFormats,
    authorization: request.headers.authorization,
  });

/** Adds the paths that only senders use which judge by the status alone. */
export function addSenderRoutes(server: FastifyInstance, parts: SenderParts): void {
  const { takingBodies } = parts;
  addPublishRoute(server, LOGS_PATH, {
    ...parts,
    nameOf: () => LOGS_PATH,
    admit: (request, reply) =>
      admitBody(request, reply, {
        ...parts,
        door: logsDoor,
        formats: logsFormats,
        authorization: request.headers.authorization,
      }),
    take: (request, reply, admitted) => takingBodies.take(request, reply, admitted),
    encodeFault: (request, reply, json) => {
      const format = logsFormats.of(mediaTypeOf(headerText(request.headers['content-type']))) ?? 'json';
      reply.header('content-type', contentTypes[format]);
      return statusOf(format, (JSON.parse(json) as HttpFaultBody).error);
    },
  });
  addPublishRoute(server, '/v1/keys/:key/events', {
    ...parts,
    nameOf: () => KEYED_PATH,
    admit: (request, reply) =>
      admitBody(request, reply, {
        ...parts,
        door: keyedDoor,
        formats: anyFormat,
        authorization: `Bearer ${(request.params as { key: string }).key}`,
      }),
    take: (request, reply, admitted) => takingBodies.take(request, reply, admitted),
  });
}
