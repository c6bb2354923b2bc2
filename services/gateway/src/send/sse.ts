import { STREAM_HEARTBEAT_MS, STREAM_QUEUE_BYTES_HIGH, STREAM_STUCK_MS_MAX } from '@runlog/schema/limits';
import { formatPosition, parsePosition } from '@runlog/schema/run/position-text';
import { runChannel } from '@runlog/schema/stream/channels';
import type { ClientFrame } from '@runlog/schema/stream/client-frames';
import type { Clock } from '@runlog/service-kit/clock';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { type Access, mustSee, type Viewer } from '../access.ts';
import type { EncodedFrame, Hub } from '../fan-out/hub.ts';
import type { Outlet } from '../fan-out/outlet.ts';
import { Session } from '../fan-out/session.ts';
import { type RunRoute, runKeyOf } from '../http/run-route.ts';

/** The open streams. They are ended when the gateway drains. */
export interface OpenStreams {
  endAll(): void;
  readonly open: () => number;
}

/**
 * Adds `GET …/stream`: the frames of the run's channel as server-sent events. If a client has a position after a frame,
 * the event's id is that position, `epoch.seq`. `Last-Event-ID` resumes as `since` does on the WebSocket.
 */
export function addStreamRoute(
  server: FastifyInstance,
  options: { hub: () => Hub | null; access: Access; clock: Clock },
): OpenStreams {
  const { access, clock } = options;
  const open = new Map<() => void, Viewer>();

  // A HEAD request would stay open for ever.
  const route = { exposeHeadRoute: false };
  server.get<RunRoute>('/v1/runs/:cluster/:run/:group/stream', route, (request, reply) => {
    const viewer = access.viewerOfRequest(request);
    const key = runKeyOf(request.params);
    mustSee(viewer, key);
    const hub = options.hub();
    if (hub === null) throw new HttpFault('not_ready', 'this gateway is still reading the log');
    const ch = runChannel(key);
    const lastEventId = request.headers['last-event-id'];
    // An id that is not ours means a fresh start.
    const since = typeof lastEventId === 'string' ? parsePosition(lastEventId) : null;
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      // The connection ends with the stream, so that closing the server need not wait for an idle one.
      connection: 'close',
    });

    let cancelStuck: (() => void) | null = null;
    const outlet: Outlet = {
      get hasRoom() {
        return cancelStuck === null;
      },
      push(frame: EncodedFrame) {
        const id =
          typeof frame.seq === 'number'
            ? `id: ${formatPosition({ epoch: hub.epoch, seq: frame.seq })}\n`
            : '';
        response.write(`${id}data: ${frame.text}\n\n`);
        if (response.writableLength <= STREAM_QUEUE_BYTES_HIGH) return;
        cancelStuck ??= clock.after(STREAM_STUCK_MS_MAX, () => response.destroy());
      },
    };
    const session = new Session({ hub, outlet, clock, auth: { ...access, viewer, onRefused: () => end() } });
    const heartbeat = setInterval(() => {
      if (outlet.hasRoom) response.write(': alive\n\n');
    }, STREAM_HEARTBEAT_MS);
    const end = () => {
      session.dispose();
      clearInterval(heartbeat);
      response.end();
    };
    open.set(end, viewer);
    // Only the close that follows matters.
    response.on('error', () => undefined);
    response.on('drain', () => {
      cancelStuck?.();
      cancelStuck = null;
      session.drained();
    });
    response.on('close', () => {
      open.delete(end);
      clearInterval(heartbeat);
      cancelStuck?.();
      session.dispose();
    });
    const frame: ClientFrame = { id: 0, sub: [{ ch, since }] };
    session.receive(JSON.stringify(frame));
  });

  // Their clients come back, and are told the reason then.
  access.onChange(() => {
    for (const [end, viewer] of open) if (viewer.standing() !== 'current') end();
  });
  return {
    open: () => open.size,
    endAll() {
      for (const end of open.keys()) end();
    },
  };
}
