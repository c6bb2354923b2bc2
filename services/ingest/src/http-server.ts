import type { Socket } from 'node:net';
import { ingestOpenApi } from '@runlog/schema/documents/openapi-ingest';
import type { HttpFaultCode } from '@runlog/schema/faults';
import { BODY_BYTES_MAX, INGEST_BYTES_IN_FLIGHT_MAX } from '@runlog/schema/limits';
import {
  createHttpServer,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  HttpFault,
  sendFault,
} from '@runlog/service-kit/http-server';
import { addDocsRoutes } from '@runlog/service-kit/http-server-docs';
import type { KeyRing } from '@runlog/service-kit/keys';
import type { Logger } from '@runlog/service-kit/logger';
import { addMetricsRoute } from '@runlog/service-kit/metrics';
import { acceptBatch } from './accept-batch.ts';
import { Admission, type AdmissionFault, type Publisher } from './admission.ts';
import { type Answer, answerOf, publishedDry } from './answer.ts';
import { ByteBudget, type ByteShare } from './byte-budget.ts';
import { inflateBody } from './inflate.ts';
import { createIngestMetrics } from './ingest-metrics.ts';
import { BODY_TOO_LARGE, FORMATS_ACCEPTED, type IngestRequest, readIngestRequest } from './ingest-request.ts';
import type { OpenLog } from './open-log.ts';
import { publish } from './publish.ts';
import { drainBody, type ReadLimits, readBody } from './read-body.ts';

type RequestHead = Extract<IngestRequest, { kind: 'request' }>;

/** A request that was let in before its body was read. */
interface AdmittedRequest {
  readonly head: RequestHead;
  readonly publisher: Publisher;
}

const EVENTS_PATH = '/v1/events';

/** Where it is not known when a retry can succeed: a random number of seconds up to here, so that clients spread. */
const RETRY_AFTER_SECONDS_MAX = 4;

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

/** What the routes need of the service around them. */
export interface IngestState {
  /** `null` until the topics are prepared. */
  readonly openLog: () => OpenLog | null;
  readonly notReadyBecause: () => Promise<string | null>;
  readonly closing: () => boolean;
  /** Called with +1 and -1 around every request for events, so that closing can wait for them. */
  readonly inFlight: (change: 1 | -1) => void;
}

export function createIngestServer(options: {
  log: Logger;
  now: () => number;
  /** From 0 to below 1; spreads retries. */
  random: () => number;
  /** `null`: open, whoever reaches the address may publish. */
  keys: KeyRing | null;
  state: IngestState;
  limits?: Partial<IngestLimits>;
}): FastifyInstance {
  const { now, state } = options;
  const admission = new Admission({ keys: options.keys, now: () => performance.now() });
  const limits = { ...defaultLimits, ...options.limits };
  const budget = new ByteBudget({ bytesMax: limits.bytesInFlightMax });
  const metrics = createIngestMetrics({
    bytesInFlight: () => budget.bytesHeld,
    quarantineLost: () => state.openLog()?.quarantine.lost ?? 0,
  });
  const server = createHttpServer({ log: options.log, health: state, bodyBytesMax: limits.bytesMax });

  // Bodies are read by the route itself, which knows how to refuse one so that its sender learns of it.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  askBeforeContinue(server);

  addMetricsRoute(server, {
    registry: metrics.registry,
    allow: ({ headers }) => {
      if (admission.isKnown(headers.authorization)) return;
      throw new HttpFault('unauthorized', 'metrics need a key: Authorization: Bearer KEY');
    },
  });
  addDocsRoutes(server, ingestOpenApi);
  server.get('/', () => about);

  const admitted = new WeakMap<FastifyRequest, AdmittedRequest>();
  server.post(EVENTS_PATH, {
    onRequest: async (request, reply) => {
      const { headers } = request;
      const identified = admission.identify({
        authorization: headers.authorization,
        clusterId: headerText(headers['x-cluster-id']),
      });
      if (identified.kind === 'fault') return refuseUnread(request, reply, identified);
      const { publisher } = identified;
      const head = readIngestRequest({ headers, query: request.query as Record<string, unknown> });
      if (head.kind === 'fault') {
        if (head.headers !== undefined) reply.headers(head.headers);
        return refuse(request, reply, head);
      }
      const unable = unableBecause();
      if (unable !== null) return refuse(request, reply, unable);
      const overQuota = admission.admitBytes(publisher, head.bodyBytes);
      if (overQuota !== null) return refuseUnread(request, reply, overQuota);
      admitted.set(request, { head, publisher });
    },
    handler: async (request, reply) => {
      const known = admitted.get(request);
      if (known === undefined) throw new Error('the request was not admitted');
      state.inFlight(1);
      const share = budget.share();
      try {
        return await takeEvents(request, reply, { ...known, share });
      } finally {
        share[Symbol.dispose]();
        state.inFlight(-1);
      }
    },
  });

  const unableBecause = () => (state.closing() ? closing : state.openLog() === null ? notPrepared : null);

  async function takeEvents(
    request: FastifyRequest,
    reply: FastifyReply,
    { head, publisher, share }: AdmittedRequest & { share: ByteShare },
  ): Promise<FastifyReply> {
    const unable = unableBecause();
    if (unable !== null) return refuse(request, reply, unable);
    if (!share.reserve(head.bodyBytes ?? 0)) return refuse(request, reply, faultOfLimit.overloaded);
    allowBody(request, reply);
    const read = await readBody(request.raw, { limits, share });
    switch (read.kind) {
      case 'complete':
        break;
      case 'too_large':
      case 'overloaded':
        if (!read.drained) reply.header('connection', 'close');
        return fail(reply, faultOfLimit[read.kind]);
      case 'stalled': {
        reply.header('connection', 'close');
        const message = `no byte of the body came for ${limits.stallMsMax} ms`;
        return fail(reply, { code: 'body_stalled', message });
      }
      case 'aborted':
        return fail(reply, { code: 'body_stalled', message: 'the connection ended before the body did' });
      default: {
        const unreachable: never = read;
        throw new Error(`unknown end of a body ${String(unreachable)}`);
      }
    }
    if (head.bodyBytes === null) admission.countBytes(publisher, read.body.length);
    const inflated = await inflateBody(read.body, {
      encoding: head.encoding,
      bytesMax: limits.bytesMax,
      share,
    });
    switch (inflated.kind) {
      case 'complete':
        break;
      case 'too_large':
      case 'overloaded':
        return fail(reply, faultOfLimit[inflated.kind]);
      case 'damaged':
        return fail(reply, { code: 'invalid_json', message: inflated.message });
      default: {
        const unreachable: never = inflated;
        throw new Error(`unknown end of inflation ${String(unreachable)}`);
      }
    }
    return judgeAndPublish(reply, { head, publisher, share, body: inflated.body });
  }

  async function judgeAndPublish(
    reply: FastifyReply,
    request: AdmittedRequest & { share: ByteShare; body: Buffer },
  ): Promise<FastifyReply> {
    const { head, publisher, share, body } = request;
    const receivedAtMs = now();
    const judged = acceptBatch(body, {
      ...{ format: head.format, clusterId: publisher.clusterId, receivedAtMs },
      keepsJson: state.openLog()?.keepsJson ?? false,
    });
    if (judged.kind === 'refused') return fail(reply, judged);
    const overQuota = admission.admitEvents(publisher, judged.total);
    if (overQuota !== null) return fail(reply, overQuota);
    if (head.dryRun) return sendAnswer(reply, answerOf(judged, publishedDry(judged)));
    const log = state.openLog();
    if (log === null) return fail(reply, notPrepared);
    const { events } = judged;
    const begunMs = performance.now();
    const published = await publish({
      writer: log.writer,
      topic: log.topic,
      partitions: log.partitions,
      events,
    });
    metrics.acknowledged((performance.now() - begunMs) / 1_000);
    metrics.published({
      ...{ clusterId: publisher.clusterId, events: judged.total, bytes: body.length },
      ...{ accepted: published.acknowledged, normalized: published.normalized },
      ...{ retry: published.retry.length, refused: judged.refused },
    });
    share.keepUntil(published.settled);
    if (published.fault !== null) log.outage.failed(published.fault);
    else if (published.acknowledged > 0) log.outage.answered();
    const answer = answerOf(judged, published);
    // A body that is answered with 503 comes again, and its refused events with it.
    if (answer.kind === 'fault') admission.refundEvents(publisher, judged.total);
    else log.quarantine.offer(judged.refused, { receivedAtMs, keyId: publisher.key?.id ?? null });
    return sendAnswer(reply, answer);
  }

  function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
    switch (answer.kind) {
      case 'response':
        if (answer.retryAfter) reply.header('retry-after', String(someSeconds()));
        return reply.code(200).send(answer.response);
      case 'all_rejected':
        metrics.fault('all_rejected');
        return reply.code(422).send(answer.response);
      case 'fault':
        return fail(reply, answer);
      default: {
        const unreachable: never = answer;
        throw new Error(`unknown answer ${String(unreachable)}`);
      }
    }
  }

  /** Answers without having read the body, in a way that its sender notices. */
  async function refuse(request: FastifyRequest, reply: FastifyReply, fault: Fault): Promise<FastifyReply> {
    // A client that waits for "100 Continue" sends nothing once it has an answer.
    const drained = !expectsContinue(request) && (await drainBody(request.raw, limits));
    // Whoever comes while we close shall come back on a connection to somebody else.
    if (!drained || fault.code === 'closing') reply.header('connection', 'close');
    return fail(reply, fault);
  }

  /** Answers at once; what is sent of the body nevertheless is thrown away up to the bounds, then cut. */
  function refuseUnread(request: FastifyRequest, reply: FastifyReply, fault: AdmissionFault): FastifyReply {
    if (expectsContinue(request)) {
      reply.header('connection', 'close');
    } else {
      void drainBody(request.raw, limits).then((drained) => {
        // A connection that becomes idle only after the server began to close is ended by nobody else.
        if (!drained || state.closing()) endAfter(reply, request.raw.socket);
      });
    }
    return fail(reply, fault);
  }

  function fail(reply: FastifyReply, fault: Fault): FastifyReply {
    metrics.fault(fault.code);
    const retryAfterSeconds = fault.retryAfterSeconds ?? someSeconds();
    return sendFault(reply, fault.code, fault.message, { retryAfterSeconds });
  }

  function someSeconds(): number {
    return 1 + Math.floor(options.random() * RETRY_AFTER_SECONDS_MAX);
  }

  return server;
}

const closing = { code: 'closing', message: 'ingest is shutting down; send this again' } as const;
const notPrepared = {
  code: 'log_unavailable',
  message: 'the log cannot be reached yet; nothing was published',
} as const;

const faultOfLimit = {
  too_large: { code: 'body_too_large', message: BODY_TOO_LARGE },
  overloaded: { code: 'overloaded', message: 'too many bytes are in flight; send this again later' },
} as const;

const about = {
  service: 'runlog ingest',
  publish: `POST ${EVENTS_PATH}`,
  accepts: FORMATS_ACCEPTED,
  dry_run: `POST ${EVENTS_PATH}?dry_run=1 validates only`,
  health: ['/livez', '/readyz', '/metrics'],
  documentation: ['/docs', '/openapi.json'],
};

interface Fault {
  readonly code: HttpFaultCode;
  readonly message: string;
  /** Where it is known when the same can succeed. */
  readonly retryAfterSeconds?: number;
}

/** Cuts the connection once the answer is on its way. */
function endAfter(reply: FastifyReply, socket: Socket): void {
  if (reply.raw.writableFinished) socket.destroy();
  else reply.raw.once('finish', () => socket.destroySoon());
}

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

function expectsContinue(request: FastifyRequest): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue';
}

/** Node would say "100 Continue" by itself; here the head of the request is judged first. */
function askBeforeContinue(server: FastifyInstance): void {
  server.server.on('checkContinue', (request, response) => {
    server.server.emit('request', request, response);
  });
}

function allowBody(request: FastifyRequest, reply: FastifyReply): void {
  if (expectsContinue(request)) reply.raw.writeContinue();
}
