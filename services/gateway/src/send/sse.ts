import type { Socket } from 'node:net';
import {
  type EventStreamQuery,
  eventStreamQuerySchema,
  runStreamQuerySchema,
} from '@runlog/schema/http/event-stream-queries';
import { runChannel } from '@runlog/schema/stream/channels';
import { STREAM_EVENTS_PATH } from '@runlog/schema/stream/subprotocol';
import { parseSubscription, type SubscriptionRequest } from '@runlog/schema/stream/subscriptions';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  HttpFault,
} from '@runlog/service-kit/http-server';
import { type Access, mustSee, type Viewer } from '../access.ts';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Hub } from '../fan-out/hub.ts';
import { readQuery, takeToken } from '../http/read-query.ts';
import { type RunRoute, runKeyOf } from '../http/run-route.ts';
import type { Connections } from './connections.ts';
import { type EventIds, idsOfOneRun, idsOfRuns } from './event-ids.ts';
import { SseSink } from './sse-sink.ts';

/** A HEAD request would stay open for ever. */
const ROUTE = { exposeHeadRoute: false };

/**
 * Adds `GET …/stream`, the frames of a run's channel as server-sent events, and `GET /v1/stream/events`, those of several
 * channels. The id of an event is the position after it; `Last-Event-ID` resumes as `since` does on the WebSocket.
 */
export function addEventStreamRoutes(
  server: FastifyInstance,
  options: { hub: () => Hub | null; access: Access; connections: Connections },
): void {
  const { access, connections } = options;
  /** The sockets that have a stream. */
  const taken = new WeakSet<Socket>();

  const hubNow = (): Hub => {
    const refusal = connections.refusal();
    if (refusal !== null) throw refusal;
    const hub = options.hub();
    if (hub === null) throw new HttpFault('not_ready', 'this gateway is still reading the log');
    return hub;
  };

  const open = (
    reply: FastifyReply,
    of: { hub: Hub; viewer: Viewer; ids: EventIds; items: readonly { ch: string }[] },
  ) => {
    const { hub, viewer, ids, items } = of;
    const { socket } = reply.request.raw;
    // The stream is the last answer of its socket, so a pipelined request for another one would never be answered.
    if (taken.has(socket)) throw new HttpFault('bad_request', 'this connection already has a stream');
    taken.add(socket);
    const idAfter = (frame: EncodedFrame) => ids.idAfter(frame);
    const sink = new SseSink(startResponse(reply), { socket, idAfter });
    const connection = connections.open({ sink, hub, viewer });
    // A response that waits behind an earlier answer is not told that its socket has closed.
    socket.once('close', () => connections.ended(connection));
    connection.subscribe({ id: 0, sub: items.map((item) => ({ ...item, ...sinceIn(ids, item.ch) })) });
    // Whoever ends its side may be gone, which shows only much later. One that did so with its request gets the state of now,
    // and the patience of a slow client to read it.
    const onEnd = () => connection.close('slow_client');
    if (socket.readableEnded) onEnd();
    else socket.once('end', onEnd);
  };

  server.get<RunRoute>('/v1/runs/:cluster/:run/:group/stream', ROUTE, (request, reply) => {
    const { token, rest } = takeToken(request.query);
    const viewer = access.viewerOfRequest(request, token);
    const key = runKeyOf(request.params);
    mustSee(viewer, key);
    const { last_event_id, ...filter } = readQuery(runStreamQuerySchema, rest);
    const hub = hubNow();
    const ids = idsOfOneRun({ epoch: () => hub.epoch, lastEventId: lastEventIdOf(request, last_event_id) });
    open(reply, { hub, viewer, ids, items: [{ ch: runChannel(key), ...filter }] });
  });

  server.get(STREAM_EVENTS_PATH, ROUTE, (request, reply) => {
    const { token, rest } = takeToken(request.query);
    const viewer = access.viewerOfRequest(request, token);
    const query = readQuery(eventStreamQuerySchema, rest);
    const requests = subscriptionsOf(query);
    for (const each of requests) if (each.kind !== 'runs') mustSee(viewer, each.key);
    const hub = hubNow();
    const ids = idsOfRuns({
      epoch: () => hub.epoch,
      runs: requests.filter(({ kind }) => kind === 'run').map(({ asked }) => asked.ch),
      lastEventId: lastEventIdOf(request, query.last_event_id),
    });
    open(reply, { hub, viewer, ids, items: requests.map(({ asked }) => asked) });
  });
}

/** Returns what a query asks for. Throws 400 that names the channel or the option that cannot be served. */
function subscriptionsOf(query: EventStreamQuery): SubscriptionRequest[] {
  const { ch: channels, last_event_id: _, q, ...others } = query;
  const { type, not_type, env, slot, severity, min_interval_ms, ...ofIndex } = others;
  if (new Set(channels).size < channels.length)
    throw new HttpFault('invalid_query', 'ch names a channel twice');
  const kinds = channels.map((ch) => {
    const request = parseSubscription({ ch });
    if (request.kind === 'fault') throw new HttpFault('invalid_query', `ch ${ch}: ${request.message}`);
    return request.kind;
  });
  const has = (kind: SubscriptionRequest['kind']) => kinds.includes(kind);
  if (kinds.filter((kind) => kind === 'runs').length > 1) {
    throw new HttpFault('invalid_query', 'ch names more than one index');
  }
  const ofRun = { type, not_type, env, slot, severity, min_interval_ms };
  if (!has('run')) refuseOptions(ofRun, 'is an option of a run, and ch names none');
  if (!has('runs')) refuseOptions(ofIndex, 'is an option of the index, and ch names none');
  if (has('run') === has('runs'))
    refuseOptions(
      { q },
      'is an option of runs or of an index, so ch must name runs or an index, and not both',
    );
  return channels.map((ch, at) => {
    const options = { run: { ...ofRun, q }, figures: {}, runs: { ...ofIndex, q } }[kinds[at]!];
    const request = parseSubscription({ ch, ...options });
    if (request.kind === 'fault') throw new HttpFault('invalid_query', `ch ${ch}: ${request.message}`);
    return request;
  });
}

function refuseOptions(options: Readonly<Record<string, unknown>>, because: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) throw new HttpFault('invalid_query', `${name} ${because}`);
  }
}

function sinceIn(ids: EventIds, ch: string): object {
  const since = ids.sinceOf(ch);
  return since === null ? {} : { since };
}

/** A browser that connects again sends the header, beside the address that it began with. */
function lastEventIdOf(request: FastifyRequest, inQuery: string | undefined): string | undefined {
  const header = request.headers['last-event-id'];
  return typeof header === 'string' ? header : inQuery;
}

function startResponse(reply: FastifyReply): FastifyReply['raw'] {
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    // The connection ends with the stream, so that closing the server need not wait for an idle one.
    connection: 'close',
  });
  // Only the close that follows matters.
  response.on('error', () => undefined);
  return response;
}
