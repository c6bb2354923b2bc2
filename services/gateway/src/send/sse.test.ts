import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { EventStream } from '../../../../test/support/event-stream.ts';
import { getBytes, HalfClosed } from '../../../../test/support/half-closed.ts';
import { StreamSocket } from '../../../../test/support/stream-socket.ts';
import { startMadeUpGateway } from '../made-up/made-up-gateway.ts';
import { MadeUpKeys } from '../made-up/made-up-keys.ts';
import { startManualGateway } from '../made-up/manual-gateway.ts';

const A = 'c1/a/default';
const B = 'c1/b/default';
const eventsUrl = (url: string, query: string) => `${url}/v1/stream/events?${query}`;
const runUrl = (url: string, key: string, query = '') => `${url}/v1/runs/${key}/stream${query}`;
const idOf = (event: string) => /^id: ?(.*)$/m.exec(event)?.[1];
const dataOf = (event: string) => JSON.parse(/^data: (.*)$/m.exec(event)![1]!) as Record<string, unknown>;

describe('server-sent events of one run', () => {
  it('begin with the time after which to come back, which differs between clients', async () => {
    let drawn = 0;
    const random = () => {
      drawn += 1;
      return (drawn % 10) / 10;
    };
    await using gateway = await startMadeUpGateway({ random });
    const waits = new Set<string>();
    for (let times = 0; times < 4; times += 1) {
      await using events = await EventStream.open(runUrl(gateway.url, A));
      const [, ms] = /^retry: (\d+)$/.exec(await events.next(/^retry/))!;
      expect(Number(ms) >= 1_000 && Number(ms) <= 6_000).toBe(true);
      waits.add(ms!);
    }
    expect(waits.size).toBeGreaterThan(1);
  });

  it('are the state of now for a client that has ended its side with its request', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}, {}]);
    using client = await HalfClosed.send(gateway.url, getBytes(`/v1/runs/${A}/stream`));
    expect(await client.whole).toMatch(/^HTTP\/1.1 200 OK\r\n(?:.|\s)*"snapshot":.*\n\n/);
    expect(gateway.hub.load).toEqual({ channels: 0, subscriptions: 0 });
  });

  it('resume by a parameter, but by the header if there is one', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}, {}, {}]);
    const url = runUrl(gateway.url, A, '?last_event_id=e1.1');
    await using byParameter = await EventStream.open(url);
    expect(dataOf(await byParameter.next(/resume/))).toMatchObject({ resume: { prev: 1, seq: 3 } });
    await using byHeader = await EventStream.open(url, { 'last-event-id': 'e1.2' });
    expect(dataOf(await byHeader.next(/resume/))).toMatchObject({ resume: { prev: 2, seq: 3 } });
  });

  it('lose their id when the run is deleted, so that the client begins anew', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}]);
    await using events = await EventStream.open(runUrl(gateway.url, A));
    expect(idOf(await events.next(/snapshot/))).toBe('e1.1');
    gateway.retire(A);
    expect(idOf(await events.next(/reset/))).toBe('');
  });

  it('hold only what passes the filter', async () => {
    await using gateway = await startMadeUpGateway();
    await using events = await EventStream.open(
      runUrl(gateway.url, A, '?type=METRICS,LOG_RECORD&env=1&env=0'),
    );
    await events.next(/snapshot/);
    gateway.append(A, [{}, { eventType: 'METRICS', data: { loss: 1 } }]);
    const { entries } = dataOf(await events.next(/entries/)) as { entries: { event_type: string }[] };
    expect(entries.map(({ event_type }) => event_type)).toEqual([]);
    gateway.append(A, [{ eventType: 'METRICS', data: { loss: 1, env_id: 1 } }]);
    const next = dataOf(await events.next(/METRICS/)) as { entries: { event_type: string }[] };
    expect(next.entries.map(({ event_type }) => event_type)).toEqual(['METRICS']);
  });

  it('leave out the types that are not wanted, and other slots', async () => {
    await using gateway = await startMadeUpGateway();
    await using events = await EventStream.open(runUrl(gateway.url, A, '?not_type=METRICS&slot=r1,r2'));
    await events.next(/snapshot/);
    const data = { slot_id: 'r2' };
    gateway.append(A, [{ eventType: 'METRICS', data }, { eventType: 'NOTE', data }, { eventType: 'NOTE' }]);
    expect(dataOf(await events.next(/entries/))).toMatchObject({ filtered: 2, entries: [{ seq: 2 }] });
  });

  it.each([
    'colour=red',
    'limit=5',
    'type=lower',
    'not_type=lower',
    'slot=',
    'env=x',
    'min_interval_ms=60001',
    'token=a&token=b',
  ])('are refused with %s, which is named', async (query) => {
    await using gateway = await startMadeUpGateway();
    const response = await fetch(runUrl(gateway.url, A, `?${query}`));
    expect(response.status).toBe(400);
    const message: unknown = expect.stringContaining(query.split('=')[0]!);
    expect(await response.json()).toEqual({ error: { code: 'invalid_query', message } });
  });
});

describe('server-sent events of several channels', () => {
  it('hold the frames of each, and go on from the id where each run was', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}, {}]);
    gateway.append(B, [{}]);
    const url = eventsUrl(gateway.url, `ch=run:${A}&ch=runs:*&ch=figures:${A}&ch=run:${B}`);
    let last: string | undefined;
    {
      await using events = await EventStream.open(url);
      expect(idOf(await events.next(/"ch":"run:c1\/a\/default","snapshot"/))).toMatch(/^e1\.[\w-]{8}\.2,$/);
      expect(idOf(await events.next(/"ch":"runs:\*"/))).toBeUndefined();
      expect(idOf(await events.next(/"ch":"figures:c1\/a\/default"/))).toBeUndefined();
      expect(idOf(await events.next(/"ch":"run:c1\/b\/default","snapshot"/))).toMatch(/\.2,3$/);
      gateway.append(A, [{}]);
      last = idOf(await events.next(/"entries"/));
      expect(last).toMatch(/\.4,3$/);
    }
    gateway.append(B, [{}]);
    gateway.append(A, [{}]);
    await using again = await EventStream.open(url, { 'last-event-id': last! });
    expect(dataOf(await again.next(/"ch":"run:c1\/a/))).toMatchObject({ resume: { prev: 4, seq: 6 } });
    expect(dataOf(await again.next(/"ch":"runs:/))).toHaveProperty('rows');
    expect(dataOf(await again.next(/"ch":"run:c1\/b/))).toMatchObject({ resume: { prev: 3, seq: 5 } });
  });

  it('begin anew with an id of other channels, of the same in another order, or of no stream at all', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}, {}]);
    gateway.append(B, [{}]);
    const [ab, ba] = [`ch=run:${A}&ch=run:${B}`, `ch=run:${B},run:${A}`];
    await using first = await EventStream.open(eventsUrl(gateway.url, ab));
    await first.next(/snapshot/);
    const id = idOf(await first.next(/snapshot/))!;
    for (const [query, shown] of [
      [ba, id],
      [`ch=run:${A}`, id],
      [ab, 'e1.2'],
      [ab, `${id},7`],
      [ab, id.replace(/\.\d+,/, `.${'9'.repeat(16)},`)],
    ] as const) {
      await using events = await EventStream.open(eventsUrl(gateway.url, query), { 'last-event-id': shown });
      expect(dataOf(await events.next(/"id":0/))).toHaveProperty('snapshot');
    }
  });

  it('forget the positions of an epoch that is over', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}]);
    gateway.append(B, [{}]);
    await using events = await EventStream.open(eventsUrl(gateway.url, `ch=run:${A}&ch=run:${B}`));
    await events.next(/snapshot/);
    expect(idOf(await events.next(/snapshot/))).toMatch(/^e1\..*\.1,2$/);
    gateway.hub.switchTo({ epoch: 'e2', states: gateway.runs.states, figures: gateway.runs.figures });
    expect(idOf(await events.next(/reset/))).toMatch(/^e2\..*\.1,$/);
    expect(idOf(await events.next(/reset/))).toMatch(/^e2\..*\.1,2$/);
  });

  it('give the index its window, and each run its filter', async () => {
    await using gateway = await startMadeUpGateway();
    for (const run of ['x', 'y', 'z']) gateway.append(`c1/${run}/default`, [{}]);
    await using events = await EventStream.open(
      eventsUrl(gateway.url, `ch=runs:c1/*&sort=run_id&limit=1&offset=1&ch=run:${A}&type=METRICS`),
    );
    const { rows, total } = dataOf(await events.next(/"ch":"runs:/)) as {
      rows: { run_id: string }[];
      total: number;
    };
    expect([rows.map((row) => row.run_id), total]).toEqual([['y'], 3]);
    await events.next(/snapshot/);
    gateway.append(A, [{}]);
    expect(dataOf(await events.next(/"ch":"run:.*"entries"/))).toMatchObject({ entries: [] });
  });

  it('give a grouped index with its conditions', async () => {
    await using gateway = await startMadeUpGateway();
    for (const run of ['x', 'y']) gateway.append(`c1/${run}/default`, [{}, {}]);
    gateway.append('c1/z/default', [{}]);
    gateway.append('c2/x/default', [{}, {}]);
    const query = 'ch=runs:*&cluster=c1&where=events>1,missing=0&group_by=cluster_id&sort=-run_id';
    await using events = await EventStream.open(eventsUrl(gateway.url, query));
    const frame = dataOf(await events.next(/"ch":"runs:/)) as { rows: { run_id: string }[] };
    expect(frame).toMatchObject({ total: 2, groups: [['c1', 2]] });
    expect(frame.rows.map((row) => row.run_id)).toEqual(['y', 'x']);
  });

  it.each([
    ['', 'ch'],
    ['ch=', 'ch'],
    ['ch=logs:x', 'ch logs:x'],
    ['ch=run:c1/a', 'ch run:c1/a'],
    [`ch=run:${A}&ch=run:${A}`, 'twice'],
    ['ch=runs:a*&ch=runs:b*', 'more than one index'],
    [`ch=run:${A}&limit=5`, 'limit is an option of the index'],
    ['ch=runs:*&type=METRICS', 'type is an option of a run'],
    ['ch=runs:*&not_type=METRICS', 'not_type is an option of a run'],
    ['ch=runs:*&slot=r1', 'slot is an option of a run'],
    [`ch=runs:*&ch=run:${A}&q=x`, 'q is an option'],
    [`ch=figures:${A}&q=x`, 'q is an option'],
    ['ch=runs:*&sort=colour', 'sort'],
    ['ch=runs:*&where=acc>80', 'there is no field "acc"'],
    ['ch=runs:*&group_by=run_id', 'group_by'],
    [`ch=run:${A}&task=x`, 'task is an option of the index'],
    [`ch=run:${A}&cluster=c1`, 'cluster is an option of the index'],
    ['ch=runs:*&colour=red', 'colour'],
    [`ch=${Array.from({ length: 33 }, (_, at) => `run:c/r${at}/g`).join(',')}`, 'ch'],
  ])('are refused with "%s"', async (query, named) => {
    await using gateway = await startMadeUpGateway();
    const response = await fetch(eventsUrl(gateway.url, query));
    expect(response.status).toBe(400);
    const message: unknown = expect.stringContaining(named);
    expect(await response.json()).toEqual({ error: { code: 'invalid_query', message } });
  });
});

describe('streams that one connection asks for without awaiting an answer', () => {
  const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

  it('are one, which ends with the connection', async () => {
    await using gateway = await startMadeUpGateway();
    const { hostname, port } = new URL(gateway.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    await once(socket, 'connect');
    socket.write(requestOf('/livez') + requestOf(`/v1/runs/${A}/stream`).repeat(20));
    await expect.poll(() => received).toContain('snapshot');
    expect(gateway.connections.load.sse).toBe(1);
    socket.destroy();
    await expect.poll(() => gateway.connections.load.sse).toBe(0);
  });

  it('are closed although an earlier answer holds them back', async () => {
    const history = { page: () => new Promise<never>(() => undefined) };
    await using gateway = await startMadeUpGateway({ history, drainMs: 0 });
    gateway.append(A, [{}]);
    const { hostname, port } = new URL(gateway.url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    socket.write(requestOf(`/v1/runs/${A}/events`) + requestOf(`/v1/runs/${A}/stream`));
    await expect.poll(() => gateway.connections.load.sse).toBe(1);
    gateway.endStreams();
    await expect.poll(() => gateway.connections.load.sse, { timeout: 10_000 }).toBe(0);
    socket.destroy();
  });
});

describe('tokens', () => {
  const view = (...runs: string[]) => ({ role: 'view', runs });
  const start = async () => {
    const keys = new MadeUpKeys({ ops: view('c1/*'), pub: { role: 'publish', cluster: 'c1' } });
    const gateway = await startManualGateway({ keys });
    gateway.append(A, [{}]);
    gateway.append('c2/x/default', [{}]);
    const ask = (body: unknown, key?: string) =>
      fetch(`${gateway.url}/v1/tokens`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    const tokenFor = async (body: object) =>
      ((await (await ask(body, 'ops')).json()) as { token: string; expires_at: string }).token;
    return Object.assign(gateway, { keys, ask, tokenFor });
  };

  it('are given to a view key, for runs that it shows and five minutes at most', async () => {
    await using gateway = await start();
    const response = await gateway.ask({ runs: 'c1/a/*' }, 'ops');
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const expires_at = new Date(gateway.clock.now() + 300_000).toISOString();
    expect(await response.json()).toEqual({ token: expect.stringMatching(/^rlt1\./), expires_at });
    for (const [body, key, status, code] of [
      [{ runs: 'c1/*' }, undefined, 401, 'unauthorized'],
      [{ runs: 'c1/*' }, 'nonsense', 401, 'unauthorized'],
      [{ runs: 'c1/*' }, 'pub', 403, 'forbidden'],
      [{ runs: '*' }, 'ops', 403, 'forbidden'],
      [{ runs: 'c1/*' }, await gateway.tokenFor({ runs: 'c1/*' }), 401, 'unauthorized'],
      [{}, 'ops', 400, 'invalid_body'],
      [{ runs: 'c1/*', ttl_ms: 300_001 }, 'ops', 400, 'invalid_body'],
      [{ runs: 'c1/*', colour: 'red' }, 'ops', 400, 'invalid_body'],
      [{ runs: 'a b' }, 'ops', 400, 'invalid_body'],
      ['{', 'ops', 400, 'bad_request'],
    ] as const) {
      const refused = await gateway.ask(body, key);
      expect([body, refused.status]).toEqual([body, status]);
      expect(await refused.json()).toMatchObject({ error: { code } });
    }
  });

  it('stand for a key in the address of a run and of its streams, and show nothing else', async () => {
    await using gateway = await start();
    const token = await gateway.tokenFor({ runs: 'c1/a/*' });
    const status = async (path: string) => {
      const response = await fetch(`${gateway.url}${path}`);
      await response.body?.cancel();
      return response.status;
    };
    for (const of of ['?', '/timeline?', '/figures?', '/stream?']) {
      expect(await status(`/v1/runs/${A}${of}token=${token}`)).toBe(200);
      expect(await status(`/v1/runs/${B}${of}token=${token}`)).toBe(403);
      expect(await status(`/v1/runs/${A}${of}token=${token}x`)).toBe(401);
      // A key must not stand in an address.
      expect(await status(`/v1/runs/${A}${of}token=ops`)).toBe(401);
    }
    expect(await status(`/v1/stream/events?ch=run:${A}&token=${token}`)).toBe(200);
    expect(await status(`/v1/stream/events?ch=run:${A}&ch=run:${B}&token=${token}`)).toBe(403);
    expect(await status(`/v1/runs?token=${token}`)).toBe(401);
    await using events = await EventStream.open(`${gateway.url}/v1/stream/events?ch=runs:*&token=${token}`);
    expect(dataOf(await events.next(/rows/))).toMatchObject({ total: 1, rows: [{ run_id: 'a' }] });
  });

  it('end a stream with them, and with their key', async () => {
    await using gateway = await start();
    const token = await gateway.tokenFor({ runs: 'c1/a/*', ttl_ms: 5_000 });
    await using byAddress = await EventStream.open(runUrl(gateway.url, A, `?token=${token}`));
    await using bySocket = await StreamSocket.open(gateway.url);
    bySocket.send({ id: 0, auth: token });
    await bySocket.next((frame) => frame.ok === true);
    gateway.clock.advance(4_900);
    bySocket.send({ id: 1, ping: true });
    await bySocket.next((frame) => frame.pong === true);
    gateway.clock.advance(100);
    await byAddress.ended;
    expect((await bySocket.closed).code).toBe(4500);
    expect((await fetch(runUrl(gateway.url, A, `?token=${token}`))).status).toBe(401);
    const second = await gateway.tokenFor({ runs: 'c1/a/*' });
    await using revoked = await EventStream.open(runUrl(gateway.url, A, `?token=${second}`));
    gateway.keys.set({});
    await revoked.ended;
  });

  it('are taken, and given, by a gateway that asks for no keys', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(A, [{}]);
    const response = await fetch(`${gateway.url}/v1/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ runs: 'c1/*' }),
    });
    const { token } = (await response.json()) as { token: string };
    expect((await fetch(`${gateway.url}/v1/runs/${A}?token=${token}`)).status).toBe(200);
  });
});
