/**
 * The least that a server can do, in a process of its own: WebSocket connections that are only held, and frames that
 * are built once and written to each.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { textFrame } from '../services/gateway/src/send/text-frame.ts';
import { answerRequests, cpuMicros, settledRssBytes } from './talking-child.ts';

export interface BareDrive {
  readonly ticks: number;
  readonly intervalMs: number;
  /** The bytes of each connection's frame in one tick. */
  readonly bytes: number;
}

const streams = new Set<Socket>();
const server = createServer();
const sockets = new WebSocketServer({ server, clientTracking: false, perMessageDeflate: false });
sockets.on('connection', (_socket, request) => {
  streams.add(request.socket);
  request.socket.once('close', () => streams.delete(request.socket));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

const skills = {
  listen: () => `127.0.0.1:${(server.address() as AddressInfo).port}`,
  cpu: () => cpuMicros(),
  rss: () => settledRssBytes(),
  async drive({ ticks, intervalMs, bytes }: BareDrive) {
    const framing = bytes < 130 ? 2 : bytes < 65_540 ? 4 : 10;
    const text = JSON.stringify({ entries: [{ occurred_at: '2026-01-03T23:59:50.000Z' }] });
    const frame = textFrame(text.padEnd(bytes - framing));
    for (let tick = 0; tick < ticks; tick += 1) {
      await delay(intervalMs);
      for (const stream of streams) stream.write(frame);
    }
  },
};
export type BareSkills = typeof skills;

answerRequests(skills);
