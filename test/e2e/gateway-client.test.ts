import type { IndexUpdate } from '@runlog/client/index-channel';
import type { ChannelRefusal, RunUpdate } from '@runlog/client/run-update';
import { createStreamClient, type StreamStatus } from '@runlog/client/stream-client';
import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpRuns } from '@runlog/gateway/made-up/made-up-runs';
import { deliverSnapshot } from '@runlog/run-state/delivery';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort } from '../support/free-ports.ts';

const KEY = 'c1/r1/default';

const open: { close(): void }[] = [];

afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

function connect(url: string) {
  const statuses: StreamStatus[] = [];
  const client = createStreamClient({
    url: `${url.replace('http', 'ws')}/v1/stream`,
    webSocket: WebSocket,
    random: () => 0.1,
    onStatus: (status) => statuses.push(status),
  });
  open.push(client);
  return { client, statuses };
}

/** Collects everything that one subscriber was told, and the entries that it saw. */
class Listener {
  readonly updates: (RunUpdate | ChannelRefusal)[] = [];
  readonly seqs: number[] = [];
  snapshot: DeliveredSnapshot | null = null;

  readonly listen = (update: RunUpdate | ChannelRefusal): void => {
    this.updates.push(update);
    if (update.kind !== 'snapshot' && update.kind !== 'step') return;
    for (const { seq } of update.entries) this.seqs.push(seq);
    this.snapshot = update.snapshot;
  };
}

const timeless = (snapshot: DeliveredSnapshot | null) =>
  JSON.parse(
    JSON.stringify(snapshot, (key, value) =>
      ['relative_time', 'freshness', 'state', 'activity'].includes(key) ? undefined : value,
    ),
  ) as unknown;

describe('the stream client', () => {
  it('follows a run from before it exists, and always holds what the gateway holds', async () => {
    await using gateway = await startMadeUpGateway();
    const { client } = connect(gateway.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.snapshot?.position).toBeNull();
    for (let at = 0; at < 30; at += 1) {
      gateway.append(
        KEY,
        Array.from({ length: 20 }, () => ({})),
      );
      await expect.poll(() => listener.snapshot?.position?.seq).toBe((at + 1) * 20);
    }
    expect(listener.seqs).toEqual(Array.from({ length: 600 }, (_, at) => at + 1));
    const held = deliverSnapshot(gateway.runs.states.get(KEY)!, Date.now());
    expect(timeless(listener.snapshot)).toEqual(timeless(held));
  });

  it('gives a second listener the held state, and unsubscribes with the last one', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const { client } = connect(gateway.url);
    const first = new Listener();
    const second = new Listener();
    const endFirst = client.subscribeRun(KEY, first.listen);
    await expect.poll(() => first.snapshot?.position?.seq).toBe(1);
    const endSecond = client.subscribeRun(KEY, second.listen);
    expect(second.snapshot?.position?.seq).toBe(1);
    endFirst();
    gateway.append(KEY, [{}]);
    await expect.poll(() => second.seqs).toEqual([1, 2]);
    expect(first.seqs).toEqual([1]);
    endSecond();
    await expect.poll(() => gateway.hub.load.subscriptions).toBe(0);
  });

  it('reconnects when the gateway is back, and neither loses nor repeats an entry', async () => {
    const runs = new MadeUpRuns();
    const port = await freePort();
    const first = await startMadeUpGateway({ runs, port });
    first.append(KEY, [{}, {}]);
    const { client, statuses } = connect(first.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.seqs).toEqual([1, 2]);
    await first[Symbol.asyncDispose]();
    runs.append(KEY, [{}, {}]);
    await using second = await startMadeUpGateway({ runs, port });
    await expect.poll(() => listener.seqs).toEqual([1, 2, 3, 4]);
    second.append(KEY, [{}]);
    await expect.poll(() => listener.seqs).toEqual([1, 2, 3, 4, 5]);
    // It resumed, because the snapshot came only once.
    expect(listener.updates.filter((update) => update.kind === 'snapshot')).toHaveLength(1);
    expect(statuses.map((status) => status.state)).toContain('waiting');
  });

  it('survives the loss of the feed: the streams end and resume', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const { client } = connect(gateway.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.seqs).toEqual([1]);
    gateway.endStreams();
    gateway.append(KEY, [{}]);
    await expect.poll(() => listener.seqs).toEqual([1, 2]);
  });

  it('starts over when the epoch has changed', async () => {
    const port = await freePort();
    const first = await startMadeUpGateway({ port });
    first.append(KEY, [{}, {}]);
    const { client } = connect(first.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.snapshot?.position?.epoch).toBe('e1');
    await first[Symbol.asyncDispose]();
    const runs = new MadeUpRuns({ epoch: 'e2' });
    runs.append(KEY, [{}, {}]);
    await using _second = await startMadeUpGateway({ runs, port });
    await expect.poll(() => listener.snapshot?.position).toEqual({ epoch: 'e2', seq: 2 });
  });

  it('hands on how many entries the filter left out', async () => {
    await using gateway = await startMadeUpGateway();
    const failure = { eventType: 'RUN_FAILED', data: { severity: 'critical' } };
    gateway.append(KEY, [{}, {}, failure]);
    const { client } = connect(gateway.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen, { filter: { type: ['RUN_FAILED'] } });
    await expect.poll(() => listener.seqs).toEqual([3]);
    expect(listener.updates[0]).toMatchObject({ kind: 'snapshot', filtered: 2 });
    gateway.append(KEY, [{}, failure, {}]);
    await expect.poll(() => listener.snapshot?.position?.seq).toBe(6);
    const steps = listener.updates.filter((update) => update.kind === 'step');
    expect(steps.reduce((sum, { filtered }) => sum + (filtered ?? Number.NaN), 0)).toBe(2);
    expect(listener.seqs).toEqual([3, 5]);
  });

  it('says nothing of filtered entries without a filter', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const { client } = connect(gateway.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.seqs).toEqual([1]);
    gateway.append(KEY, [{}]);
    await expect.poll(() => listener.seqs).toEqual([1, 2]);
    for (const update of listener.updates) expect(update).toMatchObject({ filtered: null });
  });

  it('follows the index', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const { client } = connect(gateway.url);
    const updates: (IndexUpdate | ChannelRefusal)[] = [];
    client.subscribeIndex('c1/*', (update) => updates.push(update));
    await expect.poll(() => updates).toMatchObject([{ kind: 'rows', total: 1, rows: [{ run_id: 'r1' }] }]);
    gateway.retire(KEY);
    await expect.poll(() => updates.at(-1)).toMatchObject({ kind: 'rows', rows: [] });
  });

  it('is told that a channel is refused', async () => {
    await using gateway = await startMadeUpGateway();
    const { client } = connect(gateway.url);
    const listener = new Listener();
    client.subscribeRun('no key', listener.listen);
    await expect.poll(() => listener.updates).toMatchObject([{ kind: 'refused', code: 'bad_channel' }]);
  });
});

/** Starts a server that sends what the test tells it to, to see how the client reacts. */
async function startScripted(
  script: (frame: { id: number; sub?: { ch: string; since?: unknown }[] }) => object[],
  reconnect = { min_ms: 1, max_ms: 2 },
) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const received: object[] = [];
  server.on('connection', (socket) => {
    socket.send(JSON.stringify({ hello: { server: 'x', heartbeat_ms: 25_000, reconnect } }));
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as { id: number };
      received.push(frame);
      for (const reply of script(frame)) socket.send(JSON.stringify(reply));
    });
  });
  await new Promise<void>((resolve) => server.once('listening', () => resolve()));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    closeAll: (code: number) => {
      for (const socket of server.clients) socket.close(code);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

describe('reconnectNow', () => {
  it('ends the wait at once, goes on from what is held, and does nothing at any other time', async () => {
    const hours = { min_ms: 36_000_000, max_ms: 36_000_000 };
    await using server = await startScripted(
      ({ id, sub }) => (sub === undefined ? [] : [{ id, ok: true }]),
      hours,
    );
    const { client, statuses } = connect(server.url);
    const states = () => statuses.map(({ state }) => state);
    client.subscribeRun(KEY, () => undefined);
    client.reconnectNow();
    await expect.poll(states).toEqual(['connecting', 'open']);
    client.reconnectNow();
    server.closeAll(1012);
    await expect.poll(states).toEqual(['connecting', 'open', 'waiting']);
    client.reconnectNow();
    client.reconnectNow();
    await expect.poll(states).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open']);
    await expect.poll(() => server.received).toHaveLength(2);
    server.closeAll(1012);
    await expect.poll(() => states().at(-1)).toBe('waiting');
    client.close();
    client.reconnectNow();
    expect(states().slice(5)).toEqual(['waiting', 'closed']);
  });
});

describe('the stream client and a server that errs', () => {
  const ch = `run:${KEY}`;
  const snapshotAt = (seq: number) => {
    const runs = new MadeUpRuns();
    runs.append(
      KEY,
      Array.from({ length: seq }, () => ({})),
    );
    return deliverSnapshot(runs.states.get(KEY)!, 0);
  };

  it('subscribes to one channel again when a delta does not follow, and ignores frames before the answer', async () => {
    let asked = 0;
    await using server = await startScripted(({ id, sub }) => {
      if (sub === undefined) return [];
      asked += 1;
      if (asked === 1) {
        return [
          { id, ch, snapshot: snapshotAt(2) },
          { ch, prev: 4, seq: 5, entries: [], set: {} },
          { ch, prev: 5, seq: 6, entries: [], set: {} },
        ];
      }
      return [
        { ch, prev: 6, seq: 7, entries: [], set: {} },
        { id, ch, resume: { prev: 2, seq: 7, entries: [], set: { duplicates: 5 } } },
      ];
    });
    const { client } = connect(server.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.snapshot?.position?.seq).toBe(7);
    expect(listener.snapshot?.duplicates).toBe(5);
    expect(server.received).toMatchObject([
      { sub: [{ ch }] },
      { sub: [{ ch, since: { epoch: 'e1', seq: 2 } }] },
    ]);
  });

  it('asks for a snapshot when a resume does not follow either', async () => {
    await using server = await startScripted(({ id, sub }) => {
      if (sub === undefined) return [];
      if (sub[0]?.since === undefined) {
        return [
          { id, ch, snapshot: snapshotAt(2) },
          ...(server.received.length === 1 ? [{ ch, prev: 4, seq: 5, entries: [], set: {} }] : []),
        ];
      }
      return [{ id, ch, resume: { prev: 99, seq: 100, entries: [], set: {} } }];
    });
    const { client } = connect(server.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.updates.length).toBe(2);
    expect(server.received).toHaveLength(3);
    expect(listener.updates.every((update) => update.kind === 'snapshot')).toBe(true);
  });

  it('notices by a heartbeat that the newest delta was lost', async () => {
    let asked = 0;
    await using server = await startScripted(({ id, sub }) => {
      if (sub === undefined) return [];
      asked += 1;
      if (asked === 1)
        return [{ id, ch, snapshot: snapshotAt(2) }, { tips: { [ch]: 2 } }, { tips: { [ch]: 3 } }];
      return [{ id, ch, resume: { prev: 2, seq: 3, entries: [], set: {} } }];
    });
    const { client } = connect(server.url);
    const listener = new Listener();
    client.subscribeRun(KEY, listener.listen);
    await expect.poll(() => listener.snapshot?.position?.seq).toBe(3);
    expect(asked).toBe(2);
  });

  it('reconnects after a close code below 4500, and does not after one above', async () => {
    await using server = await startScripted(() => []);
    const { statuses } = connect(server.url);
    await expect.poll(() => statuses.at(-1)?.state).toBe('open');
    server.closeAll(4001);
    await expect.poll(() => statuses.filter((status) => status.state === 'open').length).toBe(2);
    server.closeAll(4500);
    await expect.poll(() => statuses.at(-1)).toEqual({ state: 'stopped', code: 4500, reason: '' });
  });
});
