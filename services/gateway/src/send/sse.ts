import { formatPosition, parsePosition } from '@runlog/schema/run/position-text';
import { runChannel } from '@runlog/schema/stream/channels';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { type Access, mustSee } from '../access.ts';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Hub } from '../fan-out/hub.ts';
import { type RunRoute, runKeyOf } from '../http/run-route.ts';
import type { Connections } from './connections.ts';
import { SseSink } from './sse-sink.ts';

/**
 * Adds `GET …/stream`: the frames of the run's channel as server-sent events. If a client has a position after a frame,
 * the event's id is that position, `epoch.seq`. `Last-Event-ID` resumes as `since` does on the WebSocket.
 */
export function addStreamRoute(
  server: FastifyInstance,
  options: { hub: () => Hub | null; access: Access; connections: Connections },
): void {
  const { access, connections } = options;

  // A HEAD request would stay open for ever.
  const route = { exposeHeadRoute: false };
  server.get<RunRoute>('/v1/runs/:cluster/:run/:group/stream', route, (request, reply) => {
    const viewer = access.viewerOfRequest(request);
    const key = runKeyOf(request.params);
    mustSee(viewer, key);
    const refusal = connections.refusal();
    if (refusal !== null) throw refusal;
    const hub = options.hub();
    if (hub === null) throw new HttpFault('not_ready', 'this gateway is still reading the log');
    const ch = runChannel(key);
    const lastEventId = request.headers['last-event-id'];
    // An id that is not ours means a fresh start.
    const since = typeof lastEventId === 'string' ? parsePosition(lastEventId) : null;
    const idAfter = ({ seq }: EncodedFrame) => {
      if (seq === undefined) return null;
      return seq === null ? '' : formatPosition({ epoch: hub.epoch, seq });
    };
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
    const connection = connections.open({ sink: new SseSink(response, idAfter), hub, viewer });
    response.on('close', () => connections.ended(connection));
    connection.subscribe({ id: 0, sub: [{ ch, since }] });
  });
}
