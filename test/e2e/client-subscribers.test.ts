import type { RunUpdate } from '@runlog/client/run-update';
import { createStreamClient, type StreamClientOptions } from '@runlog/client/stream-client';
import { ChannelRefusedError, StreamStoppedError } from '@runlog/client/stream-errors';
import { type MadeUpGateway, startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpHistory } from '@runlog/gateway/made-up/made-up-history';
import { MadeUpKeys } from '@runlog/gateway/made-up/made-up-keys';
import { MadeUpRuns } from '@runlog/gateway/made-up/made-up-runs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';

const KEY = 'c1/r1/default';
const open: { close(): void }[] = [];

afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

function connect(gateway: { url: string }, options: Partial<StreamClientOptions> = {}) {
  const client = createStreamClient({
    url: gateway.url,
    webSocket: WebSocket,
    random: () => 0.1,
    ...options,
  });
  open.push(client);
  return client;
}

/** A gateway whose history has every entry that was appended through it. */
async function startWithHistory(): Promise<{
  gateway: MadeUpGateway;
  append: (events: number) => void;
  reads: readonly (number | null)[];
}> {
  const history = new MadeUpHistory();
  const gateway = await startMadeUpGateway({ runs: new MadeUpRuns({ history }) });
  const append = (events: number) =>
    gateway.append(
      KEY,
      Array.from({ length: events }, () => ({})),
    );
  return { gateway, append, reads: history.reads };
}

const seqsOf = (update: RunUpdate) =>
  update.kind === 'snapshot' || update.kind === 'step' ? update.entries.map(({ seq }) => seq) : [];
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

describe('listeners', () => {
  it('that throw keep nothing from the others, nor from themselves', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const errors: unknown[] = [];
    const client = connect(gateway, { onError: (error) => errors.push(error) });
    const seqs: number[] = [];
    let calls = 0;
    client.subscribeRun(KEY, () => {
      calls += 1;
      throw new Error(`call ${calls}`);
    });
    client.subscribeRun(KEY, (update) => {
      if (update.kind !== 'refused') seqs.push(...seqsOf(update));
    });
    client.subscribeIndex('*', () => {
      throw new Error('of the index');
    });
    await expect.poll(() => seqs).toEqual([1]);
    gateway.append(KEY, [{}]);
    await expect.poll(() => seqs).toEqual([1, 2]);
    expect(calls).toBe(2);
    await expect
      .poll(() => errors.map(String))
      .toEqual(expect.arrayContaining(['Error: call 1', 'Error: call 2', 'Error: of the index']));
  });

  it('that throw are reported as uncaught if nobody takes the error', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    try {
      const client = connect(gateway);
      client.subscribeRun(KEY, () => {
        throw new Error('of a listener');
      });
      await expect.poll(() => reported.mock.calls.map(String)).toEqual(['Error: of a listener']);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('share one subscription, which has one filter', async () => {
    await using gateway = await startMadeUpGateway();
    const client = connect(gateway);
    client.subscribeRun(KEY, () => undefined, { filter: { env: [1] } });
    client.subscribeRun(KEY, () => undefined, { filter: { env: [1] } });
    expect(() => client.subscribeRun(KEY, () => undefined)).toThrow('another filter');
    client.subscribeIndex('*', () => undefined, { limit: 5 });
    expect(() => client.subscribeIndex('*', () => undefined)).toThrow('another view');
    await expect.poll(() => gateway.hub.load.subscriptions).toBe(1);
  });

  it('of a channel that the server has refused to another one are told so too', async () => {
    await using gateway = await startMadeUpGateway();
    const client = connect(gateway);
    const told: string[] = [];
    const subscribe = (who: string) => {
      const listener = ({ kind }: { kind: string }) => told.push(`${kind} ${who}`);
      client.subscribeRun('no key', listener);
      client.subscribeFigures('no key', listener);
      client.subscribeIndex('no glob', listener);
    };
    subscribe('first');
    await expect.poll(() => told).toEqual(Array(3).fill('refused first'));
    subscribe('second');
    await expect
      .poll(() => told.filter((each) => each.endsWith('second')))
      .toEqual(Array(3).fill('refused second'));
  });

  it('begin after the position that they stored, with what the event log no longer holds', async () => {
    const { gateway, append } = await startWithHistory();
    await using _gateway = gateway;
    append(400);
    const seqs: number[] = [];
    let position: unknown = null;
    connect(gateway).subscribeRun(
      KEY,
      (update) => {
        if (update.kind === 'refused') return;
        seqs.push(...seqsOf(update));
        if (update.kind !== 'end') position = update.position;
        if (update.kind === 'snapshot') expect(update.startsOver).toBe(false);
      },
      { from: { epoch: 'e1', seq: 50 } },
    );
    await expect.poll(() => seqs.length).toBe(350);
    append(1);
    await expect.poll(() => seqs).toEqual(upTo(401, 51));
    expect(position).toEqual({ epoch: 'e1', seq: 401 });
  });
});

describe('a loop over a run', () => {
  it('that is slow holds a bounded part of it, and has every entry once', async () => {
    const { gateway, append, reads } = await startWithHistory();
    await using _gateway = gateway;
    append(1);
    const client = connect(gateway);
    const seqs: number[] = [];
    let go: () => void = () => undefined;
    const pause = new Promise<void>((resolve) => {
      go = resolve;
    });
    const loop = (async () => {
      for await (const update of client.run(KEY)) {
        seqs.push(...seqsOf(update));
        if (seqs.length === 1) await pause;
        if (seqs.at(-1) === 25_001) return;
      }
    })();
    await expect.poll(() => seqs).toEqual([1]);
    for (let at = 0; at < 250; at += 1) {
      append(100);
      gateway.hub.flush();
    }
    // Another subscriber shows that all of it has arrived.
    let arrived = 0;
    client.subscribeRun(KEY, (update) => {
      if (update.kind === 'snapshot' || update.kind === 'step') arrived = update.snapshot.position?.seq ?? 0;
    });
    await expect.poll(() => arrived).toBe(25_001);
    go();
    await loop;
    expect(seqs).toEqual(upTo(25_001));
    // More than the bound was waiting, so it was dropped and fetched.
    expect(reads.length).toBeGreaterThan(5);
  });

  it('at a pace of its own has in one update all that came until its turn', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const client = connect(gateway);
    let arrived = 0;
    client.subscribeRun(KEY, (update) => {
      if (update.kind !== 'snapshot' && update.kind !== 'step') return;
      arrived = update.snapshot.position?.seq ?? 0;
    });
    const turns: (() => void)[] = [];
    const pace = () => new Promise<void>((resolve) => turns.push(resolve));
    const handed: number[][] = [];
    const stop = new AbortController();
    const loop = (async () => {
      for await (const update of client.run(KEY, { pace, signal: stop.signal })) handed.push(seqsOf(update));
    })();
    const turn = async () => {
      await expect.poll(() => turns.length).toBe(1);
      turns.shift()!();
    };
    await expect.poll(() => arrived).toBe(1);
    await turn();
    await expect.poll(() => handed).toEqual([[1]]);
    for (const seq of [2, 3, 4]) {
      gateway.append(KEY, [{}]);
      gateway.hub.flush();
      await expect.poll(() => arrived).toBe(seq);
    }
    await turn();
    await expect.poll(() => handed).toEqual([[1], [2, 3, 4]]);
    stop.abort();
    await turn();
    await loop;
  });

  it('ends on its signal, and unsubscribes', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const client = connect(gateway);
    const stop = new AbortController();
    const seqs: number[] = [];
    for await (const update of client.run(KEY, { signal: stop.signal })) {
      seqs.push(...seqsOf(update));
      stop.abort();
    }
    expect(seqs).toEqual([1]);
    await expect.poll(() => gateway.hub.load.subscriptions).toBe(0);
    for await (const _ of client.run(KEY, { signal: stop.signal })) throw new Error('the signal is aborted');
  });

  it('that is busy when its signal aborts leaves the run at once to whoever wants it otherwise', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const client = connect(gateway);
    const stop = new AbortController();
    let finish = () => {};
    const busy = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let updates = 0;
    const loop = (async () => {
      for await (const _ of client.run(KEY, { signal: stop.signal })) {
        updates += 1;
        await busy;
      }
    })();
    await expect.poll(() => updates).toBe(1);
    stop.abort();
    const others: RunUpdate['kind'][] = [];
    client.subscribeRun(
      KEY,
      (update) => {
        if (update.kind !== 'refused') others.push(update.kind);
      },
      { minIntervalMs: 1_000 },
    );
    await expect.poll(() => others).toEqual(['snapshot']);
    finish();
    await loop;
    expect(updates).toBe(1);
  });

  it('ends when the client is closed, and rejects if the server refuses the run', async () => {
    await using gateway = await startMadeUpGateway();
    const client = connect(gateway);
    const refused = (async () => {
      for await (const _ of client.run('no key')) throw new Error('there is no such run');
    })();
    await expect(refused).rejects.toBeInstanceOf(ChannelRefusedError);
    const loop = (async () => {
      for await (const _ of client.run(KEY)) client.close();
    })();
    await loop;
  });

  it('rejects if the server refuses the connection for good', async () => {
    const keys = new MadeUpKeys({ ops: { role: 'view', runs: ['*'] } });
    await using gateway = await startMadeUpGateway({ keys });
    const loop = (async () => {
      for await (const _ of connect(gateway, { key: 'another' }).run(KEY)) throw new Error('it may not view');
    })();
    await expect(loop).rejects.toBeInstanceOf(StreamStoppedError);
  });

  it('over figures and the index has the newest value', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    const client = connect(gateway);
    for await (const { figures, position } of client.figures(KEY)) {
      expect(figures.map(({ name }) => name)).toContain('val_accuracy');
      if (position?.seq === 3) break;
      gateway.append(KEY, [{}, {}]);
    }
    for await (const { rows, total } of client.index('c1/*', { view: { limit: 1 } })) {
      expect(rows.map(({ run_id }) => run_id)).toEqual(['r1']);
      if (total === 2) break;
      gateway.append('c1/a/default', [{ receivedAtMs: 0 }]);
    }
  });
});
