import { describe, expect, it } from 'vitest';
import { StreamSocket } from '../../../test/support/stream-socket.ts';
import { accessBy } from './access.ts';
import { startMadeUpGateway } from './made-up/made-up-gateway.ts';
import { MadeUpKeys } from './made-up/made-up-keys.ts';

const view = (...runs: string[]) => ({ role: 'view', runs });
const publish = { role: 'publish', cluster: 'c1' };

async function start(keys: Readonly<Record<string, object>>) {
  const ring = new MadeUpKeys(keys);
  const gateway = await startMadeUpGateway({ keys: ring });
  for (const key of ['c1/a/default', 'c2/resnet-1/default', 'c2/vit/default']) gateway.append(key, [{}]);
  const get = (path: string, key?: string) =>
    fetch(`${gateway.url}${path}`, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  return Object.assign(gateway, { keys: ring, get });
}

async function signedIn(url: string, key: string): Promise<StreamSocket> {
  const stream = await StreamSocket.open(url);
  stream.send({ id: 0, auth: key });
  await stream.next((frame) => frame.ok === true);
  return stream;
}

describe('REST when keys are required', () => {
  it('answers 401 without a key, 403 to one that may not view, and leaves health and the page open', async () => {
    await using gateway = await start({ pub: publish, ops: view('*') });
    for (const path of [
      '/v1/runs',
      '/%76%31/runs',
      '/v1/runs/c1/a/default',
      '/v1/runs/c1/a/default/events',
      '/v1/runs/c1/a/default/stream',
    ]) {
      const response = await gateway.get(path);
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="runlog"');
      expect((await gateway.get(path, 'nonsense')).status).toBe(401);
      expect((await gateway.get(path, 'pub')).status).toBe(403);
    }
    for (const path of ['/', '/livez', '/readyz']) expect((await gateway.get(path)).status).toBe(200);
    expect((await gateway.get('/v1/runs', 'ops')).status).toBe(200);
  });

  it('lists and counts only what the key shows, and answers 403 for any other run, whether it exists or not', async () => {
    await using gateway = await start({ some: view('c1/*', 'c2/resnet-*') });
    const list = (await (await gateway.get('/v1/runs?sort=run_id', 'some')).json()) as {
      runs: { run_id: string }[];
      total: number;
    };
    expect([list.total, list.runs.map((row) => row.run_id)]).toEqual([2, ['a', 'resnet-1']]);
    expect((await gateway.get('/v1/runs/c1/a/default', 'some')).status).toBe(200);
    expect((await gateway.get('/v1/runs/c1/none/default', 'some')).status).toBe(404);
    for (const run of ['c2/vit/default', 'c2/none/default']) {
      for (const of of ['', '?at=0', '/events', '/timeline', '/figures', '/proof', '/stream']) {
        expect((await gateway.get(`/v1/runs/${run}${of}`, 'some')).status).toBe(403);
      }
    }
  });

  it('ends an event stream when its key is revoked', async () => {
    await using gateway = await start({ ops: view('*') });
    const response = await gateway.get('/v1/runs/c1/a/default/stream', 'ops');
    expect(response.status).toBe(200);
    const text = response.text();
    gateway.keys.set({});
    expect(await text).toContain('"snapshot"');
  });
});

describe('the WebSocket when keys are required', () => {
  it('takes the key as its first frame, and nothing before it', async () => {
    await using gateway = await start({ ops: view('*') });
    await using stream = await StreamSocket.open(gateway.url);
    const channels = ['run:c1/a/default', 'figures:c1/a/default', 'runs:*'];
    stream.send({ id: 1, sub: channels.map((ch) => ({ ch })) });
    for (const ch of channels) {
      expect(await stream.next((frame) => frame.id === 1)).toMatchObject({
        ch,
        error: { code: 'unauthorized' },
      });
    }
    stream.send('{"id":0,"auth":"ops"}\n{"id":2,"sub":[{"ch":"run:c1/a/default"}]}');
    expect(await stream.next()).toEqual({ id: 0, ok: true });
    expect(await stream.next()).toMatchObject({ id: 2, snapshot: { run_id: 'a' } });
  });

  it('takes the key as a header, and refuses a bad one with 401', async () => {
    await using gateway = await start({ ops: view('*'), pub: publish });
    await using stream = await StreamSocket.open(gateway.url, { headers: { authorization: 'Bearer ops' } });
    stream.send({ id: 1, sub: [{ ch: 'run:c1/a/default' }] });
    expect(await stream.next((frame) => frame.id === 1)).toMatchObject({ snapshot: { run_id: 'a' } });
    const open = (key: string) =>
      StreamSocket.open(gateway.url, { headers: { authorization: `Bearer ${key}` } });
    await expect(open('nonsense')).rejects.toThrow('401');
    await expect(open('pub')).rejects.toThrow('403');
  });

  it.each(['nonsense', 'pub', ''])('closes with 4500 on the key %j, whatever follows it', async (key) => {
    await using gateway = await start({ ops: view('*'), pub: publish });
    await using stream = await StreamSocket.open(gateway.url);
    stream.send(`{"id":0,"auth":"${key}"}\n{"id":0,"auth":"ops"}\n{"id":1,"sub":[{"ch":"runs:*"}]}`);
    expect((await stream.closed).code).toBe(4500);
    expect(stream.frames.filter((frame) => !('tips' in frame))).toHaveLength(1);
  });

  it('closes with 4502 when no key arrives in time', async () => {
    await using gateway = await start({ ops: view('*') });
    await using stream = await StreamSocket.open(gateway.url);
    await using other = await signedIn(gateway.url, 'ops');
    expect((await stream.closed).code).toBe(4502);
    other.send({ id: 3, ping: true });
    expect(await other.next((frame) => frame.id === 3)).toEqual({ id: 3, pong: true });
  });

  it('answers a run that the key does not show with forbidden, and continues', async () => {
    await using gateway = await start({ some: view('c1/*') });
    await using stream = await signedIn(gateway.url, 'some');
    const hidden = ['run:c2/vit/default', 'figures:c2/vit/default', 'figures:c2/none/default'];
    stream.send({
      id: 1,
      sub: [...hidden, 'run:c1/a/default', 'figures:c1/a/default'].map((ch) => ({ ch })),
    });
    for (const ch of hidden) {
      expect(await stream.next()).toMatchObject({ id: 1, ch, error: { code: 'forbidden', retry: false } });
    }
    expect(await stream.next()).toMatchObject({ id: 1, ch: 'run:c1/a/default', snapshot: { run_id: 'a' } });
    expect(await stream.next()).toMatchObject({ ch: 'figures:c1/a/default', figures: { run_id: 'a' } });
  });

  it('shows each key its own rows and total of one and the same index channel', async () => {
    await using gateway = await start({ some: view('c1/*'), all: view('*') });
    await using some = await signedIn(gateway.url, 'some');
    await using all = await signedIn(gateway.url, 'all');
    for (const stream of [some, all]) stream.send({ id: 1, sub: [{ ch: 'runs:*' }] });
    expect(await some.next()).toMatchObject({ ch: 'runs:*', total: 1, rows: [{ run_id: 'a' }] });
    expect(await all.next()).toMatchObject({ ch: 'runs:*', total: 3 });
    gateway.append('c2/secret/default', [{}]);
    expect(await all.next()).toMatchObject({ ch: 'runs:*', rows: [{ run_id: 'secret' }] });
    gateway.append('c1/b/default', [{}]);
    expect(await some.next()).toMatchObject({ rows: [{ run_id: 'b' }], gone: [] });
    gateway.retire('c2/vit/default');
    gateway.retire('c1/a/default');
    expect(await some.next()).toMatchObject({ rows: [], gone: ['c1/a/default'] });
  });

  it('closes with 4500 when the key is revoked, and asks for a reconnect when the key shows other runs', async () => {
    await using gateway = await start({ a: view('*'), b: view('*'), c: view('*') });
    await using revoked = await signedIn(gateway.url, 'a');
    await using narrowed = await signedIn(gateway.url, 'b');
    await using kept = await signedIn(gateway.url, 'c');
    gateway.keys.set({ b: view('c1/*'), c: view('*'), d: view('*') });
    expect((await revoked.closed).code).toBe(4500);
    expect((await narrowed.closed).code).toBe(4002);
    kept.send({ id: 3, ping: true });
    expect(await kept.next()).toEqual({ id: 3, pong: true });
  });

  it('does not change the viewer of a connection', async () => {
    await using gateway = await start({ some: view('c1/*'), all: view('*') });
    await using stream = await signedIn(gateway.url, 'some');
    stream.send({ id: 1, auth: 'some' });
    expect(await stream.next()).toEqual({ id: 1, ok: true });
    stream.send({ id: 2, auth: 'all' });
    expect(await stream.next()).toMatchObject({ id: 2, error: { code: 'forbidden' } });
  });
});

describe('an open gateway', () => {
  it('shows everything to everyone', () => {
    const access = accessBy(null, Date.now);
    expect(access.viewerOfRequest({ headers: {} }).maySee('c1/a/default')).toBe(true);
  });
});
