import { once } from 'node:events';
import { connect } from 'node:net';
import { deliverFigures } from '@runlog/run-state/figures/deliver-figures';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot, RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Skipped } from '@runlog/schema/stream/server-frames';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { getBytes, HalfClosed } from '../../../../test/support/half-closed.ts';
import { StreamSocket } from '../../../../test/support/stream-socket.ts';
import { startMadeUpGateway } from '../made-up/made-up-gateway.ts';
import type { PastState } from '../read/past-states.ts';

const KEY = 'c1/r1/default';
const CH = `run:${KEY}`;

const many = (count: number) => Array.from({ length: count }, () => ({}));

describe('the stream over real sockets', () => {
  it('greets, answers a subscription with a snapshot and streams deltas', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, many(2));
    await using stream = await StreamSocket.open(gateway.url);
    expect(stream.socket.protocol).toBe('runlog.v1');
    expect(await stream.next()).toEqual({
      hello: {
        server: 'runlog/0.1.0',
        heartbeat_ms: 25_000,
        reconnect: { min_ms: 500, max_ms: 20_000 },
      },
    });
    stream.send({ id: 1, sub: [{ ch: CH }, { ch: 'run:c1/r2/default' }] });
    expect(await stream.next()).toMatchObject({
      id: 1,
      ch: CH,
      snapshot: { position: { epoch: 'e1', seq: 2 } },
    });
    expect(await stream.next()).toMatchObject({
      id: 1,
      ch: 'run:c1/r2/default',
      snapshot: { position: null },
    });
    gateway.append(KEY, [{}]);
    expect(await stream.next()).toMatchObject({ ch: CH, prev: 2, seq: 3, entries: [{ seq: 3 }] });
    gateway.append('c1/r2/default', [{}]);
    expect(await stream.next()).toMatchObject({ ch: 'run:c1/r2/default', prev: null, seq: 4, epoch: 'e1' });
  });

  it('resumes from a position of an earlier connection', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, many(5));
    await using stream = await StreamSocket.open(gateway.url);
    stream.send({ id: 7, sub: [{ ch: CH, since: { epoch: 'e1', seq: 3 } }] });
    const reply = await stream.next((frame) => frame.id === 7);
    expect(reply).toMatchObject({ ch: CH, resume: { prev: 3, seq: 5, entries: [{ seq: 4 }, { seq: 5 }] } });
  });

  it('answers ping, auth and unsub, and sends nothing of a channel after unsub', async () => {
    await using gateway = await startMadeUpGateway();
    await using stream = await StreamSocket.open(gateway.url);
    await stream.next();
    stream.send({ id: 0, auth: 'any key' });
    expect(await stream.next()).toEqual({ id: 0, ok: true });
    stream.send({ id: 3, ping: true });
    expect(await stream.next()).toEqual({ id: 3, pong: true });
    stream.send({ id: 4, sub: [{ ch: CH }] });
    await stream.next();
    stream.send({ id: 5, unsub: [CH] });
    expect(await stream.next()).toEqual({ id: 5, ok: true });
    gateway.append(KEY, [{}]);
    stream.send({ id: 6, ping: true });
    expect(await stream.next()).toEqual({ id: 6, pong: true });
    expect(gateway.hub.load).toEqual({ channels: 0, subscriptions: 0 });
  });

  it.each([
    ['broken JSON', '{"id":1,', { id: null, error: { code: 'bad_frame', retry: false } }],
    ['no object', '42', { id: null, error: { code: 'bad_frame' } }],
    ['an unknown frame', '{"id":9,"dance":true}', { id: 9, error: { code: 'bad_frame' } }],
    [
      'two verbs of which one is well formed',
      '{"id":9,"ping":true,"sub":5}',
      { id: 9, error: { code: 'bad_frame', message: expect.stringContaining('exactly one') } },
    ],
    ['two well-formed verbs', '{"id":9,"ping":true,"unsub":[]}', { id: 9, error: { code: 'bad_frame' } }],
    [
      'a verb beside a key that is not text',
      '{"id":9,"unsub":[],"auth":{}}',
      { id: 9, error: { code: 'bad_frame' } },
    ],
    ['a ping that is not true', '{"id":9,"ping":1}', { id: 9, error: { code: 'bad_frame' } }],
    ['a subscription that is not a list', '{"id":9,"sub":"run:x"}', { id: 9, error: { code: 'bad_frame' } }],
    [
      'a bad channel',
      '{"id":9,"sub":[{"ch":"run:c1/r1"}]}',
      { id: 9, ch: 'run:c1/r1', error: { code: 'bad_channel' } },
    ],
    [
      'figures of no run',
      '{"id":9,"sub":[{"ch":"figures:c1/*"}]}',
      { id: 9, ch: 'figures:c1/*', error: { code: 'bad_channel' } },
    ],
    [
      'a channel of an unknown kind',
      '{"id":9,"sub":[{"ch":"logs"}]}',
      { id: 9, ch: 'logs', error: { code: 'bad_channel' } },
    ],
    [
      'too many channels at once',
      JSON.stringify({ id: 9, sub: Array.from({ length: 1_001 }, (_, at) => ({ ch: `run:c/r${at}/d` })) }),
      { id: 9, error: { code: 'too_many_channels' } },
    ],
  ])('answers %s with an error and continues', async (_name, sent, expected) => {
    await using gateway = await startMadeUpGateway();
    await using stream = await StreamSocket.open(gateway.url);
    await stream.next();
    stream.send(sent);
    expect(await stream.next()).toMatchObject(expected);
    stream.send({ id: 10, ping: true });
    expect(await stream.next()).toEqual({ id: 10, pong: true });
  });

  it('refuses the channel after the thousandth and keeps the others', async () => {
    await using gateway = await startMadeUpGateway();
    await using stream = await StreamSocket.open(gateway.url);
    for (const part of [0, 1]) {
      const sub = Array.from({ length: 500 }, (_, at) => ({ ch: `run:c/r${part * 500 + at}/d` }));
      stream.send({ id: part, sub });
    }
    stream.send({ id: 2, sub: [{ ch: 'run:c/r0/d' }, { ch: 'run:c/other/d' }] });
    expect(await stream.next((frame) => frame.error !== undefined)).toMatchObject({
      id: 2,
      ch: 'run:c/other/d',
      error: { code: 'too_many_channels' },
    });
    await stream.next((frame) => frame.id === 2 && frame.ch === 'run:c/r0/d');
    expect(gateway.hub.load.subscriptions).toBe(1_000);
  });

  it('answers a binary message with an error and closes on a frame over 64 KiB', async () => {
    await using gateway = await startMadeUpGateway();
    await using stream = await StreamSocket.open(gateway.url);
    await stream.next();
    stream.socket.send(Buffer.from('{"id":1,"ping":true}'));
    expect(await stream.next()).toMatchObject({ id: null, error: { code: 'bad_frame' } });
    stream.send(`{"id":1,"ping":true,"padding":"${'x'.repeat(64 * 1024)}"}`);
    expect((await stream.closed).code).toBe(4504);
  });

  it('does not accept another path, another origin, or anyone before it has caught up', async () => {
    await using gateway = await startMadeUpGateway({ allowedOrigins: ['https://board.example'] });
    await expect(StreamSocket.open(gateway.url, { path: '/v1/other' })).rejects.toThrow('404');
    await expect(StreamSocket.open(gateway.url, { origin: 'https://evil.example' })).rejects.toThrow('403');
    await using same = await StreamSocket.open(gateway.url, { origin: gateway.url });
    await using allowed = await StreamSocket.open(gateway.url, { origin: 'https://board.example' });
    expect(await same.next()).toHaveProperty('hello');
    expect(await allowed.next()).toHaveProperty('hello');
    gateway.isCaughtUp = false;
    await expect(StreamSocket.open(gateway.url)).rejects.toThrow('503');
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
    const early = await fetch(`${gateway.url}/v1/runs`);
    expect(early.status).toBe(503);
    expect(early.headers.get('retry-after')).not.toBeNull();
  });

  it('streams the index: rows, then those of the window that changed, and what left it', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    gateway.append('c2/r1/default', [{}]);
    await using stream = await StreamSocket.open(gateway.url);
    stream.send({ id: 1, sub: [{ ch: 'runs:*' }, { ch: 'runs:c1/*', limit: 1 }] });
    const all = await stream.next((frame) => frame.ch === 'runs:*');
    expect(all).toMatchObject({ id: 1, total: 2, rows: [{ cluster_id: 'c2' }, { cluster_id: 'c1' }] });
    const counts = { running: 0, quiet: 1, lost_contact: 0, finished: 0, failed: 0 };
    expect(await stream.next()).toMatchObject({ ch: 'runs:c1/*', total: 1, counts });
    gateway.append('c1/r9/default', [{}]);
    const changed = await stream.next((frame) => frame.ch === 'runs:c1/*');
    expect(changed).toMatchObject({
      rows: [{ run_id: 'r9', total_events_received: 1 }],
      gone: [KEY],
      total: 2,
    });
    gateway.retire('c1/r9/default');
    const gone = await stream.next((frame) => frame.ch === 'runs:c1/*');
    expect(gone).toMatchObject({ rows: [{ run_id: 'r1' }], gone: ['c1/r9/default'], total: 1, counts });
  });

  it('answers a view of the index with its window, and refuses an option that it does not have', async () => {
    await using gateway = await startMadeUpGateway();
    for (const run of ['net-1', 'net-2', 'net-3', 'other']) {
      gateway.append(`c1/${run}/default`, [{ eventType: 'RUN_FAILED' }]);
    }
    await using stream = await StreamSocket.open(gateway.url);
    const view = { q: 'NET', status: ['failed', 'quiet'], sort: 'run_id', limit: 1, offset: 1 };
    stream.send({ id: 1, sub: [{ ch: 'runs:c1/*', ...view }] });
    const answer = await stream.next((frame) => frame.id === 1);
    const rows = [{ run_id: 'net-2', state: 'failed' }];
    expect(answer).toMatchObject({ rows, total: 3, counts: { failed: 3, running: 0 } });
    stream.send({ id: 2, sub: [{ ch: 'runs:*', sort: 'colour' }] });
    const refused = await stream.next((frame) => frame.id === 2);
    expect(refused).toMatchObject({ ch: 'runs:*', error: { code: 'bad_frame' } });
  });

  it('bounds the queue of a client that never reads, and keeps serving the others', async () => {
    await using gateway = await startMadeUpGateway();
    await using stuck = await StreamSocket.open(gateway.url);
    await using swift = await StreamSocket.open(gateway.url);
    stuck.send({ id: 1, sub: [{ ch: CH }] });
    swift.send({ id: 1, sub: [{ ch: CH }] });
    await stuck.next((frame) => frame.id === 1);
    await swift.next((frame) => frame.id === 1);
    stuck.socket.pause();
    const filler = 'x'.repeat(200);
    const batches = 400;
    for (let at = 1; at <= batches; at += 1) {
      gateway.append(
        KEY,
        Array.from({ length: 100 }, () => ({ message: filler })),
      );
      gateway.hub.flush();
      await swift.next((frame) => frame.seq === at * 100);
    }
    stuck.socket.resume();
    const lag = await stuck.next((frame) => frame.lag !== undefined);
    expect((lag.lag as { skipped: Skipped }).skipped.count).toBeGreaterThan(0);
    const merged = await stuck.next();
    expect(merged.seq).toBe(batches * 100);
    gateway.append(KEY, [{}]);
    expect(await stuck.next()).toMatchObject({ prev: batches * 100, seq: batches * 100 + 1 });
  });

  it('says to every client when the log stops answering and when it is back, also to one that comes in between', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, many(2));
    const isFeed = ({ feed }: { feed?: unknown }) => feed !== undefined;
    await using early = await StreamSocket.open(gateway.url);
    await early.next();
    const sse = await fetch(`${gateway.url}/v1/runs/${KEY}/stream`);
    const sinceMs = Date.UTC(2026, 0, 3);
    const stalled = { feed: { state: 'stalled', since: '2026-01-03T00:00:00.000Z' } };
    gateway.setStalled(sinceMs);
    expect(await early.next()).toEqual(stalled);
    await using late = await StreamSocket.open(gateway.url);
    expect(await late.next()).toMatchObject({ hello: {} });
    expect(await late.next()).toEqual(stalled);
    const ready = await fetch(`${gateway.url}/readyz`);
    expect({ status: ready.status, body: await ready.json() }).toEqual({
      status: 200,
      body: { status: 'ready', feed: { ...stalled.feed, behind_records: null } },
    });
    // What is held is served on.
    late.send({ id: 1, sub: [{ ch: CH }] });
    expect(await late.next()).toMatchObject({ id: 1, snapshot: { position: { seq: 2 } } });
    gateway.setStalled(null);
    for (const stream of [early, late])
      expect(await stream.next(isFeed)).toEqual({ feed: { state: 'live' } });
    await using after = await StreamSocket.open(gateway.url);
    after.send({ id: 1, ping: true });
    await after.next(({ pong }) => pong === true);
    expect(after.frames.filter((frame) => 'feed' in frame)).toEqual([]);
    gateway.endStreams();
    const events = (await sse.text()).split('\n').filter((line) => line.includes('"feed"'));
    expect(events).toEqual(
      [stalled, { feed: { state: 'live' } }].map((one) => `data: ${JSON.stringify(one)}`),
    );
  });

  it('says that it drains, and closes with a code that means reconnect', async () => {
    const gateway = await startMadeUpGateway();
    await using stream = await StreamSocket.open(gateway.url);
    await stream.next();
    const disposed = gateway[Symbol.asyncDispose]();
    expect(await stream.next()).toMatchObject({ drain: { within_ms: expect.any(Number) } });
    expect((await stream.closed).code).toBe(4001);
    await disposed;
  });
});

describe('REST', () => {
  it('answers 503 while the log does not give the history, and continues to serve what is held', async () => {
    const page = () => Promise.reject(new TopicIoError('unavailable', 'no broker answers'));
    await using gateway = await startMadeUpGateway({ history: { page } });
    gateway.append(KEY, many(1));
    const history = await fetch(`${gateway.url}/v1/runs/${KEY}/events`);
    expect(history.status).toBe(503);
    expect(history.headers.get('retry-after')).toMatch(/^\d+$/);
    const message = 'the log does not answer: no broker answers';
    expect(await history.json()).toEqual({ error: { code: 'log_unavailable', message } });
    expect((await fetch(`${gateway.url}/v1/runs/${KEY}`)).status).toBe(200);
  });

  it('says why a place in the past cannot be shown', async () => {
    const kinds: PastState[] = [{ kind: 'too_far', seq: 2 }, { kind: 'gone' }];
    const at = () => Promise.resolve(kinds.shift()!);
    await using gateway = await startMadeUpGateway({ pastStates: { at, whole: at } });
    gateway.append('c1/r0/default', many(1));
    gateway.append(KEY, many(3));
    for (const [seq, status, code, message] of [
      [3, 503, 'too_far', 'up to 2 of 3'],
      [3, 410, 'history_gone', 'no longer'],
      [1, 404, 'no_such_event', 'begins at 2'],
    ] as const) {
      const response = await fetch(`${gateway.url}/v1/runs/${KEY}?at=${seq}`);
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ error: { code, message: expect.stringContaining(message) } });
    }
  });

  it('gives the newest page as of now, although an earlier one is still being read', async () => {
    const begun: number[] = [];
    const page = ({ state }: { state: RunSnapshot }) => {
      begun.push(state.position.seq);
      const answer = { events: [`{"seq":${state.position.seq}}`], next: 1, oldest: 1 };
      return begun.length === 1 ? new Promise<never>(() => undefined) : Promise.resolve(answer);
    };
    await using gateway = await startMadeUpGateway({ history: { page } });
    gateway.append(KEY, [{}]);
    const url = `${gateway.url}/v1/runs/${KEY}/events`;
    const gone = new AbortController();
    const first = fetch(url, { signal: gone.signal }).catch(() => null);
    await expect.poll(() => begun).toEqual([1]);
    gateway.append(KEY, [{}]);
    expect(await (await fetch(url)).json()).toMatchObject({ events: [{ seq: 2 }], position: { seq: 2 } });
    gone.abort();
    await first;
  });

  it.each([
    ['events', '"next":null'],
    ['?at=1', '"position"'],
  ])('gives a client that has ended its side the whole answer, however long %s takes', async (path, part) => {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const page = () => finished.then(() => ({ events: ['{"seq":1}'], next: null, oldest: 1 }));
    const at = ({ run }: { run: RunSnapshot }): Promise<PastState> =>
      finished.then(() => ({ kind: 'reached', state: run }));
    await using gateway = await startMadeUpGateway({ history: { page }, pastStates: { at, whole: at } });
    gateway.append(KEY, many(2));
    using client = await HalfClosed.send(gateway.url, getBytes(`/v1/runs/${KEY}/${path}`.replace('/?', '?')));
    // Reading takes longer than the gateway waits before it asks whether the client is still there.
    const asked = 'HTTP/1.1 100 Continue\r\n\r\n';
    await expect.poll(() => client.text).toContain(asked);
    finish();
    const [head, body] = (await client.whole).replaceAll(asked, '').split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(body).toContain(part);
  });

  it('reads the log for so many clients at once, and for nobody who has gone', async () => {
    const signals: AbortSignal[] = [];
    const page = ({ signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return once(signal, 'abort').then(() => ({ events: [], next: null, oldest: 0 }));
    };
    await using gateway = await startMadeUpGateway({ history: { page } });
    gateway.append(KEY, many(1));
    const gone = new AbortController();
    const url = `${gateway.url}/v1/runs/${KEY}/events`;
    const ask = (limit: number) => fetch(`${url}?limit=${limit}`, { signal: gone.signal }).catch(() => null);
    // Those who ask for the same page share one read of it.
    const waiting = [1, 2, 3, 4, 4, 4, 4].map(ask);
    await expect.poll(() => signals.length).toBe(4);
    const fifth = await fetch(url);
    expect(fifth.status).toBe(503);
    expect(await fifth.json()).toMatchObject({ error: { code: 'overloaded' } });
    gone.abort();
    await Promise.all(waiting);
    await expect.poll(() => signals.every(({ aborted }) => aborted)).toBe(true);
    const patience = new AbortController();
    const sixth = fetch(url, { signal: patience.signal }).catch(() => null);
    await expect.poll(() => signals.length).toBe(5);
    patience.abort();
    await sixth;
  });

  it('returns a run with its position as ETag, and 304 while it has not moved', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, many(3));
    const response = await fetch(`${gateway.url}/v1/runs/${KEY}`);
    const snapshot = (await response.json()) as DeliveredSnapshot;
    expect(snapshot).toMatchObject({ position: { epoch: 'e1', seq: 3 }, total_events_received: 3 });
    expect(snapshot.event_log.every((entry) => /^\(\d+[smh] ago\)$/.test(entry.relative_time))).toBe(true);
    const etag = response.headers.get('etag') ?? '';
    const again = await fetch(`${gateway.url}/v1/runs/${KEY}`, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });

  describe('figures', () => {
    const losses = (...values: (number | string)[]) =>
      values.map((loss, at) => ({ eventType: 'METRICS', data: { step: at * 10, loss } }));
    const figuresUrl = (url: string, query = '') => `${url}/v1/runs/${KEY}/figures${query}`;
    const figuresOf = async (url: string, query = '') =>
      (await (await fetch(figuresUrl(url, query))).json()) as RunFigures;

    it('are those of the fold: all of them, or those with the names that were asked for', async () => {
      await using gateway = await startMadeUpGateway();
      gateway.append(KEY, [...losses(4, 'NaN', 2), {}]);
      const whole = await figuresOf(gateway.url);
      expect(whole).toEqual(deliverFigures(gateway.runs.figures.get(KEY)!));
      expect(whole).toMatchObject({ run_id: 'r1', position: { epoch: 'e1', seq: 4 } });
      const [loss] = whole.figures.filter(({ name }) => name === 'loss');
      expect(loss).toMatchObject({ points: 3, without_value: 1, x: [0, 10, 20], last: [4, null, 2] });
      const namesOf = async (query: string) =>
        (await figuresOf(gateway.url, query)).figures.map(({ name }) => name);
      expect(await namesOf('?name=val_loss,loss')).toEqual(['val_loss', 'loss']);
      expect(await namesOf('?name=loss&name=val_loss&name=loss')).toEqual(['loss', 'val_loss']);
      expect(await namesOf('?name=lost,loss')).toEqual(['loss']);
      expect(await namesOf('?name=lost')).toEqual([]);
      const short = await figuresOf(gateway.url, '?points=2&name=loss');
      expect(short.figures).toMatchObject([{ stride: 2, x: [0, 20], first: [4, 2], count: [2, 1] }]);
    });

    it('are found by the name that the events have, also if only its short form is kept', async () => {
      await using gateway = await startMadeUpGateway();
      const long = `${'layer.'.repeat(12)}weight_norm`;
      gateway.append(KEY, [{ eventType: 'METRICS', data: { [long]: 3 } }]);
      const [kept] = (await figuresOf(gateway.url)).figures;
      expect(kept?.name).not.toBe(long);
      for (const name of [long, kept!.name, `${long},${kept!.name}`]) {
        const { figures } = await figuresOf(gateway.url, `?name=${encodeURIComponent(name)}`);
        expect(figures).toEqual([kept]);
      }
    });

    it('have the position as ETag, and are not sent to a client that holds it', async () => {
      await using gateway = await startMadeUpGateway();
      gateway.append(KEY, losses(1));
      const { headers } = await fetch(figuresUrl(gateway.url));
      const again = () =>
        fetch(figuresUrl(gateway.url), { headers: { 'if-none-match': headers.get('etag')! } });
      expect((await again()).status).toBe(304);
      gateway.append(KEY, losses(2));
      expect((await again()).status).toBe(200);
    });

    it.each(['points=0', 'points=193', 'points=many', 'name=', 'names=loss'])(
      'refuse %s by its name',
      async (query) => {
        await using gateway = await startMadeUpGateway();
        gateway.append(KEY, losses(1));
        const response = await fetch(figuresUrl(gateway.url, `?${query}`));
        expect(response.status).toBe(400);
        const message: unknown = expect.stringContaining(query.split('=')[0]!);
        expect(await response.json()).toEqual({ error: { code: 'invalid_query', message } });
      },
    );

    it('are those of nobody if there is no such run', async () => {
      await using gateway = await startMadeUpGateway();
      const response = await fetch(figuresUrl(gateway.url));
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'no_such_run' } });
    });
  });

  it('answers a run that does not exist, and an impossible key, with 404 in exactly this form', async () => {
    await using gateway = await startMadeUpGateway();
    for (const key of ['c1/none/default', 'c1/-bad/default', 'c1/a%20b/default']) {
      const response = await fetch(`${gateway.url}/v1/runs/${key}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: { code: 'no_such_run', message: expect.any(String) } });
    }
  });

  it('pages through all runs exactly once, in order', async () => {
    await using gateway = await startMadeUpGateway();
    for (let at = 0; at < 25; at += 1) gateway.append(`c1/r${at}/default`, many((at % 5) + 1));
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const response: Response = await fetch(`${gateway.url}/v1/runs?sort=-events&limit=7${query}`);
      const page = (await response.json()) as {
        runs: { run_id: string }[];
        total: number;
        next: string | null;
      };
      expect(page.total).toBe(25);
      seen.push(...page.runs.map((row) => row.run_id));
      cursor = page.next;
    }
    expect(seen).toHaveLength(25);
    expect(new Set(seen).size).toBe(25);
    expect(seen.slice(0, 5)).toEqual(['r14', 'r19', 'r24', 'r4', 'r9']);
  });

  it('filters by cluster, glob, status and text', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append('c1/resnet-1/default', [{ eventType: 'TRAINING_STARTED' }]);
    gateway.append('c1/resnet-2/b', [{ eventType: 'RUN_FINISHED' }]);
    gateway.append('c2/vit/default', [{}]);
    const idsOf = async (query: string) => {
      const response = await fetch(`${gateway.url}/v1/runs?sort=run_id&${query}`);
      return ((await response.json()) as { runs: { run_id: string }[] }).runs.map((row) => row.run_id);
    };
    expect(await idsOf('cluster=c1')).toEqual(['resnet-1', 'resnet-2']);
    expect(await idsOf('run=resnet-*')).toEqual(['resnet-1', 'resnet-2']);
    expect(await idsOf('run=c1/*/b')).toEqual(['resnet-2']);
    expect(await idsOf('status=finished')).toEqual(['resnet-2']);
    expect(await idsOf('q=VIT')).toEqual(['vit']);
    expect(await idsOf('q=CIFAR')).toEqual(['resnet-1']);
  });

  it.each(['sort=colour', 'limit=0', 'limit=many', 'cursor=%%%', 'cursor=YWJj', 'status=odd', 'unknown=1'])(
    'refuses %s with 400 and says why',
    async (query) => {
      await using gateway = await startMadeUpGateway();
      const response = await fetch(`${gateway.url}/v1/runs?${query}`);
      expect(response.status).toBe(400);
      const body = (await response.json()) as { error: { code: string; message: string } };
      expect(body.error.message).not.toBe('');
    },
  );
});

describe('server-sent events', () => {
  it('streams a run and resumes by Last-Event-ID', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, many(3));
    const read = async (headers: Record<string, string>, until: string) => {
      const abort = new AbortController();
      const response = await fetch(`${gateway.url}/v1/runs/${KEY}/stream`, { headers, signal: abort.signal });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      const decoder = new TextDecoder();
      let text = '';
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        text += decoder.decode(chunk, { stream: true });
        if (text.includes(until) && text.endsWith('\n\n')) break;
      }
      abort.abort();
      return text;
    };
    const first = await read({}, 'id: e1.3');
    expect(first).toContain('"snapshot"');
    gateway.append(KEY, many(2));
    const second = await read({ 'last-event-id': 'e1.3' }, 'id: e1.5');
    expect(second).toContain('"resume":{"prev":3,"seq":5');
    await expect.poll(() => gateway.hub.load.subscriptions).toBe(0);
    const fresh = await read({ 'last-event-id': 'nonsense' }, 'id: e1.5');
    expect(fresh).toContain('"snapshot"');
  });
});

describe('the page', () => {
  it('is served with its script and style, and loads nothing from elsewhere', async () => {
    await using gateway = await startMadeUpGateway();
    const page = await fetch(gateway.url);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    const paths = [...html.matchAll(/(?:src|href)="(?!data:)([^"]*)"/g)].map(([, path]) => path!);
    expect(paths.length).toBeGreaterThanOrEqual(2);
    for (const path of paths) {
      const asset = await fetch(new URL(path, `${gateway.url}/`));
      expect(asset.status).toBe(200);
      expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
    }
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });

  it('refuses an upgrade with a parameter, by its name', async () => {
    await using gateway = await startMadeUpGateway();
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.write(
      'GET /v1/stream?at=100 HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    );
    const answer = String(await once(socket, 'data'));
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('"code":"invalid_query"');
    expect(answer).toContain('no parameter \\"at\\"');
  });

  it('survives a client that disconnects in the middle of an upgrade', async () => {
    await using gateway = await startMadeUpGateway();
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    );
    await once(socket, 'data');
    socket.destroy();
    expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
  });
});
