import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  STREAM_AHEAD_MS_MAX,
  STREAM_HEARTBEAT_MS,
  STREAM_PONG_MS_MAX,
  STREAM_STUCK_MS_MAX,
} from '@runlog/schema/limits';
import { createLogger } from '@runlog/service-kit/logger';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SeededRandom } from '../../../../test/simulation/seeded-random.ts';
import { EventStream } from '../../../../test/support/event-stream.ts';
import { silentLogger } from '../../../../test/support/silent-logger.ts';
import { StreamSocket } from '../../../../test/support/stream-socket.ts';
import { accessBy, everyone } from '../access.ts';
import { encode } from '../fan-out/encoded-frame.ts';
import { Hub } from '../fan-out/hub.ts';
import { type MadeUpGateway, startMadeUpGateway } from '../made-up/made-up-gateway.ts';
import { MadeUpRuns } from '../made-up/made-up-runs.ts';
import { ManualClock } from '../made-up/manual-clock.ts';
import { startManualGateway } from '../made-up/manual-gateway.ts';
import type { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import type { Sink } from './sink.ts';

const KEY = 'c1/r1/default';
const CH = `run:${KEY}`;
const sseOf = (url: string, key = KEY) => `${url}/v1/runs/${key}/stream`;

/** A connection that sends bytes and never ends its side. */
async function rawClient(url: string, request: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(request);
  return socket;
}

const upgradeTo = (path: string) =>
  `GET ${path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
  'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

/** Runs a part of the hub as it is, except that it throws for one run. */
function breakFor(hub: Hub, key: string): void {
  const attach = hub.attach.bind(hub);
  hub.attach = (...args) => {
    if (JSON.stringify(args[0]).includes(key)) throw new Error('made up');
    return attach(...args);
  };
}

function recordingLogger() {
  const logger = createLogger({ service: 'gateway', level: 'silent' });
  const errors: unknown[] = [];
  logger.error = ((...of: unknown[]) => errors.push(of)) as typeof logger.error;
  return { logger, errors };
}

function takingTurns(...chances: number[]): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return chances[drawn % chances.length]!;
  };
}

/** Moves the time until each client has got its next heartbeat. */
async function untilHeartbeat(clock: ManualClock, streams: readonly StreamSocket[]): Promise<void> {
  let waiting = streams.length;
  for (const stream of streams) {
    void stream
      .next((frame) => frame.tips !== undefined)
      .then(() => {
        waiting -= 1;
      });
  }
  while (waiting > 0) {
    clock.advance(100);
    await new Promise(setImmediate);
  }
}

async function answer(stream: StreamSocket): Promise<void> {
  stream.send({ id: 1, ping: true });
  await stream.next((frame) => frame.pong === true);
}

/** A sink that takes everything and forgets it. */
function silentSink(ping: () => void): Sink {
  return {
    ...{ transport: 'websocket', peer: '', bytesWritten: 0, bufferedBytes: 0 },
    pack: () => 0,
    send: (_packed, written) => written(),
    pause: () => undefined,
    resume: () => undefined,
    ping() {
      ping();
      return true;
    },
    comeBackAfter: () => undefined,
    close: () => undefined,
    cut: () => undefined,
  };
}

function countsOf(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

async function metricsOf({ url }: MadeUpGateway): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = [...text.matchAll(/^(runlog_gateway_\w+) (\S+)$/gm)];
  return new Map(lines.map(([, name, value]) => [name!, Number(value)]));
}

/** Fills the queue of a client that does not read, until the gateway queues no more. */
async function fill(gateway: MadeUpGateway, lagging: number): Promise<void> {
  const message = 'x'.repeat(900);
  await expect
    .poll(async () => {
      for (let batch = 0; batch < 20; batch += 1) {
        gateway.append(
          KEY,
          Array.from({ length: 50 }, () => ({ message })),
        );
        gateway.hub.flush();
        await new Promise(setImmediate);
      }
      return (await metricsOf(gateway)).get('runlog_gateway_lagging_clients');
    })
    .toBe(lagging);
}

describe('a fault while a connection is served', () => {
  it('closes that connection, is logged once with its address, and touches no other', async () => {
    const { logger, errors } = recordingLogger();
    await using gateway = await startMadeUpGateway({ logger });
    breakFor(gateway.hub, 'c1/broken/default');
    await using broken = await StreamSocket.open(gateway.url);
    await using other = await StreamSocket.open(gateway.url);
    other.send({ id: 1, sub: [{ ch: CH }] });
    await other.next((frame) => frame.id === 1);
    broken.send('{"id":1,"sub":[{"ch":"run:c1/broken/default"}]}\n{"id":2,"ping":true}');
    expect((await broken.closed).code).toBe(4002);
    other.send({ id: 2, ping: true });
    expect(await other.next()).toEqual({ id: 2, pong: true });
    expect(errors).toHaveLength(1);
    const { err, peer, transport } = (errors[0] as [Record<string, unknown>])[0];
    expect(err).toMatchObject({ message: 'made up' });
    expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(transport).toBe('websocket');
  });

  it('closes it also if the fault comes later, because of what the client asked for', async () => {
    const { logger, errors } = recordingLogger();
    await using gateway = await startManualGateway({ logger });
    gateway.append(KEY, [{}]);
    gateway.hub.stopWaiting = () => {
      throw new Error('made up');
    };
    await using stream = await StreamSocket.open(gateway.url);
    stream.send({ id: 1, sub: [{ ch: CH, since: { epoch: 'e1', seq: 1_000 } }] });
    await answer(stream);
    gateway.clock.advance(STREAM_AHEAD_MS_MAX);
    expect((await stream.closed).code).toBe(4002);
    expect(errors).toHaveLength(1);
  });

  it('ends an event stream in the same way', async () => {
    const { logger, errors } = recordingLogger();
    await using gateway = await startMadeUpGateway({ logger });
    breakFor(gateway.hub, 'c1/broken/default');
    await using broken = await EventStream.open(sseOf(gateway.url, 'c1/broken/default'));
    await broken.ended;
    expect(errors).toHaveLength(1);
    await expect.poll(async () => (await metricsOf(gateway)).get('runlog_gateway_event_streams')).toBe(0);
  });
});

describe('a gateway that stops', () => {
  it('waits for nobody who never ends', async () => {
    const gateway = await startMadeUpGateway();
    const silent = await rawClient(gateway.url, '');
    const refused = await rawClient(gateway.url, upgradeTo('/v1/other'));
    const deaf = await rawClient(gateway.url, upgradeTo('/v1/stream'));
    const stalled = await rawClient(
      gateway.url,
      `GET /v1/runs/${KEY}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n`,
    );
    await Promise.all([once(refused, 'data'), once(deaf, 'data'), once(stalled, 'data')]);
    for (const socket of [silent, deaf, stalled]) socket.pause();
    await gateway[Symbol.asyncDispose]();
    await expect(fetch(`${gateway.url}/livez`)).rejects.toThrow();
    for (const socket of [silent, refused, deaf, stalled]) socket.destroy();
  });

  it('says so first, and closes the streams one after the other within the window', async () => {
    const clock = new ManualClock(0);
    // Half of the connections are closed at once, the others late.
    const gateway = await startMadeUpGateway({
      clock,
      drainMs: 40,
      random: takingTurns(0.2, 0.5, 0.9, 0.5),
    });
    const streams: StreamSocket[] = [];
    for (let at = 0; at < 5; at += 1) streams.push(await StreamSocket.open(gateway.url));
    await using events = await EventStream.open(sseOf(gateway.url));
    await events.next(/"snapshot"/);
    const stopped = gateway[Symbol.asyncDispose]();
    for (const stream of streams) {
      expect(await stream.next((frame) => frame.drain !== undefined)).toEqual({ drain: { within_ms: 40 } });
    }
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
    await expect(StreamSocket.open(gateway.url)).rejects.toThrow('503');
    const refused = await fetch(sseOf(gateway.url));
    expect(await refused.json()).toMatchObject({ error: { code: 'closing' } });
    clock.advance(20);
    for (const at of [1, 3]) expect((await streams[at]!.closed).code).toBe(4001);
    for (const at of [0, 2, 4]) await answer(streams[at]!);
    clock.advance(20);
    for (const at of [0, 2, 4]) expect((await streams[at]!.closed).code).toBe(4001);
    const told = await events.ended;
    expect(told).toContain('data: {"drain":{"within_ms":40}}');
    const retries = [...told.matchAll(/^retry: (\d+)$/gm)].map(([, ms]) => Number(ms));
    expect(retries).toHaveLength(2);
    expect(retries[1]! >= 500 && retries[1]! <= 540).toBe(true);
    await stopped;
  });
});

describe('a client that does not read', () => {
  it('sees that it was too slow if it reads again within half a minute', async () => {
    await using gateway = await startManualGateway();
    await using slow = await StreamSocket.open(gateway.url);
    slow.send({ id: 1, sub: [{ ch: CH }] });
    await slow.next((frame) => frame.id === 1);
    slow.socket.pause();
    await fill(gateway, 1);
    gateway.clock.advance(STREAM_STUCK_MS_MAX);
    // It does not read yet, so the code has not reached it.
    gateway.clock.advance(29_000);
    slow.socket.resume();
    expect(await slow.closed).toEqual({ code: 4008, reason: 'slow_client' });
    await expect.poll(() => gateway.hub.load.subscriptions).toBe(0);
  });

  it('is not taken for dead because of a pong that it owed before, as nothing of it is read', async () => {
    await using gateway = await startManualGateway();
    const url = `${gateway.url.replace('http', 'ws')}/v1/stream`;
    await using slow = new StreamSocket(new WebSocket(url, ['runlog.v1'], { autoPong: false }));
    await slow.next();
    slow.send({ id: 1, sub: [{ ch: CH }] });
    await slow.next((frame) => frame.id === 1);
    await untilHeartbeat(gateway.clock, [slow]);
    slow.socket.pause();
    await fill(gateway, 1);
    for (let second = 0; second < STREAM_PONG_MS_MAX / 1_000 + 5; second += 1) gateway.clock.advance(1_000);
    slow.socket.resume();
    await slow.next((frame) => frame.lag !== undefined);
    await answer(slow);
  });

  it('is cut after that', async () => {
    await using gateway = await startManualGateway();
    await using slow = await StreamSocket.open(gateway.url);
    await using events = await EventStream.open(sseOf(gateway.url));
    await events.next(/"snapshot"/);
    slow.send({ id: 1, sub: [{ ch: CH }] });
    await slow.next((frame) => frame.id === 1);
    slow.socket.pause();
    events.pause();
    await fill(gateway, 2);
    gateway.clock.advance(STREAM_STUCK_MS_MAX);
    expect(gateway.hub.load.subscriptions).toBe(0);
    gateway.clock.advance(30_000);
    await expect.poll(async () => (await metricsOf(gateway)).get('runlog_gateway_connections')).toBe(0);
    expect((await metricsOf(gateway)).get('runlog_gateway_event_streams')).toBe(0);
    slow.socket.resume();
    expect((await slow.closed).code).toBe(1006);
  });
});

describe('heartbeats', () => {
  it('ask for a pong, and end a client that owes one for ten seconds', async () => {
    await using gateway = await startManualGateway();
    const url = `${gateway.url.replace('http', 'ws')}/v1/stream`;
    await using silent = new StreamSocket(new WebSocket(url, ['runlog.v1'], { autoPong: false }));
    await using talking = await StreamSocket.open(gateway.url);
    await silent.next();
    await talking.next();
    await untilHeartbeat(gateway.clock, [silent, talking]);
    // Any message counts as an answer.
    await answer(silent);
    await answer(talking);
    gateway.clock.advance(STREAM_PONG_MS_MAX + 200);
    await untilHeartbeat(gateway.clock, [silent, talking]);
    await answer(talking);
    gateway.clock.advance(STREAM_PONG_MS_MAX - 200);
    expect(silent.socket.readyState).toBe(WebSocket.OPEN);
    gateway.clock.advance(400);
    expect((await silent.closed).code).toBe(4012);
    await answer(talking);
  });

  it('come at moments of their own, spread over the whole interval and within each second', async () => {
    const clock = new ManualClock(0);
    const connections = new Connections({
      access: accessBy(null, () => clock.now()),
      ...{ clock, random: new SeededRandom(4).next, logger: silentLogger },
      ...{ connectionsMax: 1_000, drainMs: 0, onSent: () => undefined },
    });
    const runs = new MadeUpRuns();
    const hub = new Hub({ epoch: runs.epoch, states: runs.states, figures: runs.figures, clock });
    const pingedAtMs: number[] = [];
    for (let at = 0; at < 1_000; at += 1) {
      const connection: Connection = connections.open({
        sink: silentSink(() => {
          pingedAtMs.push(clock.now());
          clock.after(1_000, () => connection.answered());
        }),
        ...{ hub, viewer: everyone },
      });
    }
    // With the connections, only the timer that serves all of them.
    expect(clock.pending).toBe(1);
    clock.advance(STREAM_HEARTBEAT_MS);
    expect(pingedAtMs).toHaveLength(1_000);
    const byMoment = countsOf(pingedAtMs);
    expect(byMoment.size).toBeGreaterThan(200);
    expect(Math.max(...byMoment.values())).toBeLessThan(20);
    expect(countsOf(pingedAtMs.map((ms) => Math.floor(ms / 1_000))).size).toBeGreaterThanOrEqual(25);
    const firstRound = pingedAtMs.splice(0);
    clock.advance(STREAM_HEARTBEAT_MS);
    expect(pingedAtMs).toEqual(firstRound.map((ms) => ms + STREAM_HEARTBEAT_MS));
    expect(connections.load.websocket).toBe(1_000);
    hub.dispose();
  });

  it('reach event streams too, which owe no answer', async () => {
    await using gateway = await startManualGateway();
    await using events = await EventStream.open(sseOf(gateway.url));
    await events.next(/"snapshot"/);
    for (let times = 0; times < 3; times += 1) {
      gateway.clock.advance(STREAM_HEARTBEAT_MS);
      await events.next(/"tips"/);
    }
  });
});

describe('the number of connections', () => {
  it('is bounded over both transports, and says when to come back', async () => {
    const random = takingTurns(0, 0.3, 0.6, 0.99);
    await using gateway = await startMadeUpGateway({ connectionsMax: 2, random });
    const first = await StreamSocket.open(gateway.url);
    await using events = await EventStream.open(sseOf(gateway.url));
    await events.next(/"snapshot"/);
    const waits = new Set<number>();
    for (let times = 0; times < 8; times += 1) {
      await expect(StreamSocket.open(gateway.url)).rejects.toThrow('503');
      const refused = await fetch(sseOf(gateway.url));
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ error: { code: 'overloaded' } });
      waits.add(Number(refused.headers.get('retry-after')));
    }
    expect(waits.size).toBeGreaterThan(1);
    for (const seconds of waits) expect(seconds >= 1 && seconds <= 5).toBe(true);
    expect((await fetch(`${gateway.url}/v1/runs`)).status).toBe(200);
    await first[Symbol.asyncDispose]();
    await expect.poll(async () => (await metricsOf(gateway)).get('runlog_gateway_connections')).toBe(0);
    await using _next = await StreamSocket.open(gateway.url);
  });

  it('and every other gauge is zero again after clients came and went', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}, {}]);
    for (let round = 0; round < 5; round += 1) {
      const streams = await Promise.all(Array.from({ length: 10 }, () => StreamSocket.open(gateway.url)));
      const events = await Promise.all(Array.from({ length: 5 }, () => EventStream.open(sseOf(gateway.url))));
      for (const stream of streams)
        stream.send({ id: 1, sub: [{ ch: CH }, { ch: 'runs:*' }, { ch: `figures:${KEY}` }] });
      for (const stream of streams) await stream.next((frame) => frame.ch === `figures:${KEY}`);
      for (const stream of events) await stream.next(/"snapshot"/);
      const open = await metricsOf(gateway);
      expect(open.get('runlog_gateway_connections')).toBe(10);
      expect(open.get('runlog_gateway_event_streams')).toBe(5);
      expect(open.get('runlog_gateway_subscriptions')).toBeGreaterThanOrEqual(15);
      await Promise.all([...streams, ...events].map((stream) => stream[Symbol.asyncDispose]()));
    }
    const gauges = ['connections', 'event_streams', 'subscriptions', 'channels', 'lagging_clients'];
    for (const name of gauges) {
      await expect.poll(async () => (await metricsOf(gateway)).get(`runlog_gateway_${name}`)).toBe(0);
    }
    const counted = await metricsOf(gateway);
    expect(counted.get('runlog_gateway_frames_total')).toBeGreaterThanOrEqual(5 * (10 * 4 + 5));
    expect(counted.get('runlog_gateway_sent_bytes_total')).toBeGreaterThan(10_000);
  });
});

describe('a frame that is far too large', () => {
  it('closes the connection with 1009, before it was received', async () => {
    await using gateway = await startMadeUpGateway();
    await using stream = await StreamSocket.open(gateway.url);
    stream.send('x'.repeat(129 * 1024));
    expect((await stream.closed).code).toBe(1009);
  });
});

describe('a frame for everybody', () => {
  it('reaches both transports, and those that open later if somebody listens for them', async () => {
    await using gateway = await startMadeUpGateway();
    const stalled = encode({ drain: { within_ms: 7 } });
    gateway.connections.onOpen((connection) => connection.push(stalled));
    await using stream = await StreamSocket.open(gateway.url);
    await using events = await EventStream.open(sseOf(gateway.url));
    expect(Object.keys(await stream.next())).toEqual(['hello']);
    expect(await stream.next()).toEqual({ drain: { within_ms: 7 } });
    await events.next(/"within_ms":7/);
    gateway.connections.broadcast(encode({ drain: { within_ms: 8 } }));
    expect(await stream.next()).toEqual({ drain: { within_ms: 8 } });
    await events.next(/"within_ms":8/);
  });
});
