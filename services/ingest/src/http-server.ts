import type { HttpFaultCode } from '@runlog/schema/faults';
import { BODY_BYTES_MAX, INGEST_BYTES_IN_FLIGHT_MAX } from '@runlog/schema/limits';
import {
  createHttpServer,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  sendFault,
} from '@runlog/service-kit/http-server';
import type { Logger } from '@runlog/service-kit/logger';
import { acceptBatch } from './accept-batch.ts';
import { type Answer, answerOf, publishedDry } from './answer.ts';
import { ByteBudget, type ByteShare } from './byte-budget.ts';
import { inflateBody } from './inflate.ts';
import { BODY_TOO_LARGE, FORMATS_ACCEPTED, type IngestRequest, readIngestRequest } from './ingest-request.ts';
import type { OpenLog } from './open-log.ts';
import { publish } from './publish.ts';
import { drainBody, type ReadLimits, readBody } from './read-body.ts';

type RequestHead = Extract<IngestRequest, { kind: 'request' }>;

const EVENTS_PATH = '/v1/events';

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
  state: IngestState;
  limits?: Partial<IngestLimits>;
}): FastifyInstance {
  const { now, state } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const budget = new ByteBudget({ bytesMax: limits.bytesInFlightMax });
  const server = createHttpServer({ log: options.log, health: state, bodyBytesMax: limits.bytesMax });

  // Bodies are read by the route itself, which knows how to refuse one so that its sender learns of it.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  askBeforeContinue(server);

  server.get('/', () => about);
  for (const url of ['/', '/livez', '/readyz']) refuseOtherMethods(server, url, ['GET', 'HEAD']);
  refuseOtherMethods(server, EVENTS_PATH, ['POST']);

  const heads = new WeakMap<FastifyRequest, RequestHead>();
  server.post(EVENTS_PATH, {
    onRequest: async (request, reply) => {
      const head = readIngestRequest({
        headers: request.headers,
        query: request.query as Record<string, unknown>,
      });
      if (head.kind === 'request') {
        heads.set(request, head);
        return;
      }
      if (head.headers !== undefined) reply.headers(head.headers);
      return refuse(request, reply, { code: head.code, message: head.message });
    },
    handler: async (request, reply) => {
      const head = heads.get(request);
      if (head === undefined) throw new Error('the head of the request was not read');
      state.inFlight(1);
      const share = budget.share();
      try {
        return await takeEvents(request, reply, { head, share });
      } finally {
        share[Symbol.dispose]();
        state.inFlight(-1);
      }
    },
  });

  async function takeEvents(
    request: FastifyRequest,
    reply: FastifyReply,
    { head, share }: { head: RequestHead; share: ByteShare },
  ): Promise<FastifyReply> {
    const unable = state.closing() ? closing : state.openLog() === null ? notPrepared : null;
    if (unable !== null) return refuse(request, reply, unable);
    allowBody(request, reply);
    const read = await readBody(request.raw, { limits, share });
    switch (read.kind) {
      case 'complete':
        break;
      case 'too_large':
      case 'overloaded':
        if (!read.drained) reply.header('connection', 'close');
        return sendFault(reply, faultOfLimit[read.kind].code, faultOfLimit[read.kind].message);
      case 'stalled': {
        reply.header('connection', 'close');
        const message = `no byte of the body came for ${limits.stallMsMax} ms`;
        return sendFault(reply, 'body_stalled', message);
      }
      case 'aborted':
        return sendFault(reply, 'body_stalled', 'the connection ended before the body did');
      default: {
        const unreachable: never = read;
        throw new Error(`unknown end of a body ${String(unreachable)}`);
      }
    }
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
        return sendFault(reply, faultOfLimit[inflated.kind].code, faultOfLimit[inflated.kind].message);
      case 'damaged':
        return sendFault(reply, 'invalid_json', inflated.message);
      default: {
        const unreachable: never = inflated;
        throw new Error(`unknown end of inflation ${String(unreachable)}`);
      }
    }
    return judgeAndPublish(reply, { head, share, body: inflated.body });
  }

  async function judgeAndPublish(
    reply: FastifyReply,
    { head, share, body }: { head: RequestHead; share: ByteShare; body: Buffer },
  ): Promise<FastifyReply> {
    const receivedAtMs = now();
    const judged = acceptBatch(body, { format: head.format, clusterId: head.clusterId, receivedAtMs });
    if (judged.kind === 'refused') return sendFault(reply, judged.code, judged.message);
    if (head.dryRun) return sendAnswer(reply, answerOf(judged, publishedDry(judged)));
    const log = state.openLog();
    if (log === null) return sendFault(reply, notPrepared.code, notPrepared.message);
    const { events } = judged;
    const published = await publish({
      writer: log.writer,
      topic: log.topic,
      partitions: log.partitions,
      events,
    });
    share.keepUntil(published.settled);
    if (published.fault !== null) log.outage.failed(published.fault);
    else if (published.acknowledged > 0) log.outage.answered();
    const answer = answerOf(judged, published);
    // A body that is answered with 503 comes again, and its refused events with it.
    if (answer.kind !== 'fault') log.quarantine.offer(judged.refused, receivedAtMs);
    return sendAnswer(reply, answer);
  }

  /** Answers without having read the body, in a way that its sender notices. */
  async function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    fault: { code: HttpFaultCode; message: string },
  ): Promise<FastifyReply> {
    // A client that waits for "100 Continue" sends nothing once it has an answer.
    const drained = !expectsContinue(request) && (await drainBody(request.raw, limits));
    if (!drained) reply.header('connection', 'close');
    return sendFault(reply, fault.code, fault.message);
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
  health: ['/livez', '/readyz'],
};

function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  switch (answer.kind) {
    case 'response':
      if (answer.retryAfter) reply.header('retry-after', '1');
      return reply.code(200).send(answer.response);
    case 'all_rejected':
      return reply.code(422).send(answer.response);
    case 'fault':
      return sendFault(reply, answer.code, answer.message);
    default: {
      const unreachable: never = answer;
      throw new Error(`unknown answer ${String(unreachable)}`);
    }
  }
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

function refuseOtherMethods(server: FastifyInstance, url: string, allowed: readonly string[]): void {
  const others = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
  const allow = allowed.join(', ');
  server.route({
    method: others.filter((method) => !allowed.includes(method)),
    url,
    handler: (_request, reply) =>
      sendFault(reply.header('allow', allow), 'method_not_allowed', `${url} takes ${allow}`),
  });
}
