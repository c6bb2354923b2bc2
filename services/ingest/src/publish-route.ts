import type { FastifyInstance, FastifyReply, FastifyRequest } from '@runlog/service-kit/http-server';
import type { Admission, Publisher } from './admission.ts';
import type { IngestState } from './http-server.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { IngestRequest } from './ingest-request.ts';
import type { OpenLog } from './open-log.ts';
import type { Fault, Refusing } from './refusing.ts';

/** What the routes that take events share. */
export interface PublishParts {
  readonly admission: Admission;
  readonly refusing: Refusing;
  readonly metrics: IngestMetrics;
  readonly state: IngestState;
}

type Head = { readonly kind: 'request'; readonly bodyBytes: number | null };

/** A request whose head was judged: its body may be read. */
export interface Admitted<Read> {
  readonly head: Read;
  readonly publisher: Publisher;
  readonly log: OpenLog;
}

/** Adds a route that takes events. Nothing of a body is read before its sender is known and its head is right. */
export function addPublishRoute<Known extends object>(
  server: FastifyInstance,
  path: string,
  route: PublishParts & {
    /** Names the path in the metrics. */
    nameOf: (request: FastifyRequest) => string;
    /** Returns null if it has answered. */
    admit: (request: FastifyRequest, reply: FastifyReply) => Promise<Known | null>;
    take: (request: FastifyRequest, reply: FastifyReply, known: Known) => Promise<FastifyReply>;
    /** Encodes the body of a fault in another way. */
    encodeFault?: (request: FastifyRequest, reply: FastifyReply, json: string) => Buffer;
  },
): void {
  const { refusing, state, metrics, encodeFault } = route;
  const admitted = new WeakMap<FastifyRequest, Known>();
  server.post(path, {
    onRequest: async (request, reply) => {
      const known = await route.admit(request, reply);
      if (known === null) return reply;
      admitted.set(request, known);
    },
    onResponse: async (request, reply) => metrics.answered(route.nameOf(request), reply.statusCode),
    ...(encodeFault === undefined
      ? {}
      : {
          onSend: async (request: FastifyRequest, reply: FastifyReply, payload: unknown) =>
            reply.statusCode >= 400 && typeof payload === 'string'
              ? encodeFault(request, reply, payload)
              : payload,
        }),
    handler: async (request, reply) => {
      const known = admitted.get(request);
      if (known === undefined) throw new Error('the request was not admitted');
      state.inFlight(1);
      try {
        if (state.closing()) return await refusing.unread(request, reply, closing);
        return await route.take(request, reply, known);
      } finally {
        state.inFlight(-1);
      }
    },
  });
}

/** Judges the head of a request. Returns null if it has answered with a fault. */
export async function admit<Read extends Head>(
  request: FastifyRequest,
  reply: FastifyReply,
  use: PublishParts & {
    authorization: string | undefined;
    read: () => Read | Extract<IngestRequest, { kind: 'fault' }>;
    /** Words the fault of a quota that is spent. */
    quotaFault?: <Told extends Fault>(fault: Told) => Told;
  },
): Promise<Admitted<Read> | null> {
  const { admission, refusing, state } = use;
  const identified = admission.identify({
    authorization: use.authorization,
    clusterId: headerText(request.headers['x-cluster-id']),
  });
  if (identified.kind === 'fault') {
    refusing.atOnce(request, reply, identified);
    return null;
  }
  const { publisher } = identified;
  // Only the key says it, and whoever publishes may want to look at the runs.
  reply.header('x-cluster-id', publisher.clusterId);
  const unread = async (fault: Fault) => {
    await refusing.unread(request, reply, fault);
    return null;
  };
  const head = use.read();
  if (head.kind === 'fault') {
    if (head.headers !== undefined) reply.headers(head.headers);
    return unread(head);
  }
  if (state.closing()) return unread(closing);
  const log = state.openLog();
  if (log === null) return unread(notPrepared);
  const overQuota = admission.admitBytes(publisher, head.bodyBytes);
  if (overQuota !== null) {
    refusing.atOnce(request, reply, use.quotaFault?.(overQuota) ?? overQuota);
    return null;
  }
  return { head, publisher, log };
}

const closing = { code: 'closing', message: 'ingest is shutting down; send this again' } as const;
const notPrepared = {
  code: 'log_unavailable',
  message: 'the log cannot be reached yet; nothing was published',
} as const;

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}
