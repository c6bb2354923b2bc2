import { ingestOpenApi } from '@runlog/schema/documents/openapi-ingest';
import type { NewerBuild } from '@runlog/schema/http/health';
import { BODY_BYTES_MAX, INGEST_BYTES_IN_FLIGHT_MAX, SENDER_BODY_BYTES_MAX } from '@runlog/schema/limits';
import {
  createHttpServer,
  type FastifyInstance,
  type FastifyRequest,
  HttpFault,
} from '@runlog/service-kit/http-server';
import { addDocsRoutes } from '@runlog/service-kit/http-server-docs';
import type { AnsweredHosts } from '@runlog/service-kit/http-server-hosts';
import type { KeyRing } from '@runlog/service-kit/keys';
import type { PinoLogger } from '@runlog/service-kit/logger';
import { addMetricsRoute } from '@runlog/service-kit/metrics';
import { Admission } from './admission.ts';
import { ByteBudget } from './byte-budget.ts';
import { createIngestMetrics } from './ingest-metrics.ts';
import { FORMATS_ACCEPTED, readIngestRequest } from './ingest-request.ts';
import type { OpenLog } from './open-log.ts';
import { addPublishRoute, admit, type PublishParts } from './publish-route.ts';
import type { ReadLimits } from './read-body.ts';
import { Refusing } from './refusing.ts';
import { addSenderRoutes, admitSenderBody, LOGS_PATH } from './sender/sender-routes.ts';
import type { SenderFormat } from './sender/sender-source.ts';
import { type AdmittedBody, TakingBodies } from './sender/taking-bodies.ts';
import { type AdmittedRequest, TakingEvents } from './taking-events.ts';
import type { WorkerLink } from './workers/worker-link.ts';

const EVENTS_PATH = '/v1/events';

const senderLimits = {
  bytesMax: SENDER_BODY_BYTES_MAX,
  drainBytesMax: 2 * SENDER_BODY_BYTES_MAX,
};

const defaultLimits: IngestLimits = {
  bytesMax: BODY_BYTES_MAX,
  stallMsMax: 20_000,
  drainBytesMax: 2 * BODY_BYTES_MAX,
  drainMsMax: 5_000,
  bytesInFlightMax: INGEST_BYTES_IN_FLIGHT_MAX,
};

export interface IngestLimits extends ReadLimits {
  readonly bytesInFlightMax: number;
}

/** The part of the service that the routes need. */
export interface IngestState {
  /** Returns null until the topics are prepared. */
  readonly openLog: () => OpenLog | null;
  readonly notReadyBecause: () => Promise<string | null>;
  readonly newerBuild: () => NewerBuild | null;
  readonly closing: () => boolean;
  /** Is called with +1 and -1 around every request for events, so that closing can wait for them. */
  readonly inFlight: (change: 1 | -1) => void;
}

export function createIngestServer(options: {
  logger: PinoLogger;
  now: () => number;
  /** Returns a number from 0 to below 1, which spreads retries. */
  random: () => number;
  /** Is null in open mode: anyone who reaches the address may publish. */
  keys: KeyRing | null;
  state: IngestState;
  answeredHosts?: AnsweredHosts;
  limits?: Partial<IngestLimits>;
  /** Connects the processes that share the port, if there are several. */
  link?: WorkerLink | undefined;
}): FastifyInstance {
  const { state, link } = options;
  const admission = new Admission({
    keys: options.keys,
    now: () => performance.now(),
    exchange: link?.quotas,
  });
  const limits = { ...defaultLimits, ...options.limits };
  const budget = new ByteBudget({ bytesMax: limits.bytesInFlightMax });
  const metrics = createIngestMetrics({
    bytesInFlight: () => budget.bytesHeld,
    rejectedLost: () => state.openLog()?.rejectedTopic.lost ?? 0,
    isOlder: () => state.newerBuild() !== null,
  });
  const server = createHttpServer({
    ...{ logger: options.logger, health: state, bodyBytesMax: limits.bytesMax },
    answeredHosts: options.answeredHosts ?? null,
  });

  // The route itself reads bodies, because it knows how to refuse one in a way that its sender notices.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  askBeforeContinue(server);

  addMetricsRoute(server, {
    registry: metrics.registry,
    allow: ({ headers }) => {
      if (admission.isKnown(headers.authorization)) return;
      throw new HttpFault('unauthorized', 'metrics require a key: Authorization: Bearer KEY');
    },
    link,
  });
  addDocsRoutes(server, ingestOpenApi);
  server.get('/', () => about);

  const refusals = { metrics, random: options.random, closing: state.closing };
  const refusing = new Refusing({ ...refusals, limits });
  const limitsOfSenders = { ...limits, ...senderLimits };
  const refusingSenders = new Refusing({ ...refusals, limits: limitsOfSenders });
  const parts = { admission, refusing, metrics, state };
  const use = { admission, budget, metrics, refusing, now: options.now };
  const taking = new TakingEvents({ ...use, limits });
  const takingBodies = new TakingBodies({ ...use, refusing: refusingSenders, limits: limitsOfSenders });
  addEventsRoute(server, { ...parts, taking, takingBodies, refusingSenders });
  addSenderRoutes(server, { ...parts, refusing: refusingSenders, takingBodies });
  return server;
}

function addEventsRoute(
  server: FastifyInstance,
  parts: PublishParts & { taking: TakingEvents; takingBodies: TakingBodies; refusingSenders: Refusing },
): void {
  const { taking, takingBodies, refusingSenders } = parts;
  addPublishRoute<AdmittedRequest | AdmittedBody<SenderFormat>>(server, EVENTS_PATH, {
    ...parts,
    nameOf: (request) => (isOfSender(request) ? `${EVENTS_PATH}?mode=sender` : EVENTS_PATH),
    admit: (request, reply) => {
      if (isOfSender(request))
        return admitSenderBody(request, reply, { ...parts, refusing: refusingSenders });
      const { headers } = request;
      return admit(request, reply, {
        ...parts,
        authorization: headers.authorization,
        read: () => readIngestRequest({ headers, query: queryOf(request) }),
      });
    },
    take: (request, reply, known) =>
      'door' in known ? takingBodies.take(request, reply, known) : taking.take(request, reply, known),
  });
}

function queryOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return request.query as Record<string, unknown>;
}

function isOfSender(request: FastifyRequest): boolean {
  return queryOf(request).mode !== undefined;
}

const about = {
  service: 'runlog ingest',
  publish: `POST ${EVENTS_PATH}`,
  senders: `POST ${EVENTS_PATH}?mode=sender`,
  logs: `POST ${LOGS_PATH}`,
  accepts: FORMATS_ACCEPTED,
  dry_run: `POST ${EVENTS_PATH}?dry_run=1 validates only`,
  health: ['/livez', '/readyz', '/metrics'],
  documentation: ['/docs', '/openapi.json'],
};

/** Judges the head of a request before the answer "100 Continue", which Node would otherwise send by itself. */
function askBeforeContinue(server: FastifyInstance): void {
  server.server.on('checkContinue', (request, response) => {
    server.server.emit('request', request, response);
  });
}
