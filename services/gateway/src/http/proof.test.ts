import type { RunProof } from '@runlog/schema/http/proof-api';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { StreamSocket } from '../../../../test/support/stream-socket.ts';
import { startMadeUpGateway } from '../made-up/made-up-gateway.ts';
import { MadeUpKeys } from '../made-up/made-up-keys.ts';
import { ManualClock } from '../made-up/manual-clock.ts';
import type { PastState } from '../read/past-states.ts';

const KEY = 'c1/r1/default';
const PATH = `/v1/runs/${KEY}/proof`;
const NOW = '2026-01-04T00:00:00.000Z';
const POST = { method: 'POST' };

/** Starts a gateway with one run, whose history folds as it is told. */
async function start(whole: (run: RunSnapshot) => PastState = (state) => ({ kind: 'reached', state })) {
  const clock = new ManualClock(Date.parse(NOW));
  const gateway = await startMadeUpGateway({
    clock,
    pastStates: {
      at: () => Promise.reject(new Error('nobody asks for this')),
      whole: async ({ run }) => {
        clock.advance(40);
        return whole(run);
      },
    },
  });
  gateway.append(KEY, [{}, {}, { isDuplicate: true }]);
  const ask = async (options: RequestInit = {}) => {
    const response = await fetch(gateway.url + PATH, options);
    return { status: response.status, body: (await response.json()) as RunProof };
  };
  return Object.assign(gateway, { ask, clock });
}

describe('the proof of a run', () => {
  it('says what was emitted, and that nobody has verified it yet', async () => {
    await using gateway = await start();
    const { status, body } = await gateway.ask();
    expect([status, body]).toEqual([
      200,
      {
        position: { epoch: 'e1', seq: 3 },
        ...{ emitted: 2, received: 3, duplicates: 1, missing: 0, missing_is_exact: true },
        ...{ conflicts: 0, unsure: 0, emitters: [] },
        watching: { connections: 0, keys: [] },
        ...{ verified: null, unverified_because: 'not_asked' },
      },
    ]);
  });

  it('is verified at the position of the run, and keeps that while the run goes on', async () => {
    await using gateway = await start();
    const verified = { seq: 3, at: '2026-01-04T00:00:00.040Z', is_equal: true, took_ms: 40 };
    expect(await gateway.ask(POST)).toMatchObject({ body: { verified, unverified_because: null } });
    gateway.append(KEY, [{}]);
    expect(await gateway.ask()).toMatchObject({ body: { position: { seq: 4 }, verified } });
  });

  it('says so if the fold is another one in a single field', async () => {
    await using gateway = await start((run) => ({ kind: 'reached', state: { ...run, missing: 1 } }));
    expect(await gateway.ask(POST)).toMatchObject({ body: { verified: { is_equal: false } } });
  });

  it('is compared with the run as it was when the fold began', async () => {
    await using gateway = await start((state) => {
      gateway.append(KEY, [{}]);
      return { kind: 'reached', state };
    });
    const { body } = await gateway.ask(POST);
    expect(body).toMatchObject({ position: { seq: 3 }, verified: { seq: 3, is_equal: true } });
  });

  it('never is equal once the log has lost the beginning', async () => {
    const outcomes: PastState['kind'][] = ['reached', 'gone'];
    await using gateway = await start((state) =>
      outcomes.shift() === 'gone' ? { kind: 'gone' } : { kind: 'reached', state },
    );
    expect(await gateway.ask(POST)).toMatchObject({ body: { verified: { is_equal: true } } });
    const gone = { status: 200, body: { verified: null, unverified_because: 'history_gone' } };
    expect(await gateway.ask(POST)).toMatchObject(gone);
    expect(await gateway.ask()).toMatchObject(gone);
  });

  it('is asked for again if the fold did not get so far', async () => {
    await using gateway = await start(() => ({ kind: 'too_far', seq: 2 }));
    const { status, body } = await gateway.ask(POST);
    const message = expect.stringContaining('up to 2 of 3');
    expect([status, body]).toEqual([503, { error: { code: 'too_far', message } }]);
    expect(await gateway.ask()).toMatchObject({ body: { unverified_because: 'not_asked' } });
  });

  it('is not of a run that began anew under the same key', async () => {
    await using gateway = await start();
    await gateway.ask(POST);
    gateway.retire(KEY);
    expect(await gateway.ask()).toMatchObject({ status: 404, body: { error: { code: 'no_such_run' } } });
    gateway.append(KEY, [{}]);
    expect(await gateway.ask()).toMatchObject({ body: { verified: null, unverified_because: 'not_asked' } });
  });

  it('takes no parameters and no body', async () => {
    await using gateway = await start();
    const json = { ...POST, headers: { 'content-type': 'application/json' }, body: '{}' };
    expect(await gateway.ask(json)).toMatchObject({ status: 400, body: { error: { code: 'invalid_body' } } });
    const response = await fetch(`${gateway.url}${PATH}?deep=1`, POST);
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { error: { code: 'invalid_query' } },
    ]);
  });

  it('cannot be made where the log cannot be read', async () => {
    await using gateway = await startMadeUpGateway();
    gateway.append(KEY, [{}]);
    expect((await fetch(gateway.url + PATH)).status).toBe(200);
    const response = await fetch(gateway.url + PATH, POST);
    expect(await response.json()).toMatchObject({ error: { code: 'log_unavailable' } });
  });
});

describe('who watches a run', () => {
  const streamed = async (gateway: { url: string }, of: { key?: string; ch: string }) => {
    const headers = of.key === undefined ? {} : { authorization: `Bearer ${of.key}` };
    const stream = await StreamSocket.open(gateway.url, { headers });
    stream.send({ id: 1, sub: [{ ch: of.ch }] });
    await stream.next((frame) => frame.id === 1);
    return stream;
  };

  it('is a number of connections, and nothing more, if no keys are asked for', async () => {
    await using gateway = await start();
    await using first = await streamed(gateway, { ch: `run:${KEY}` });
    const second = await streamed(gateway, { ch: `figures:${KEY}` });
    await using _other = await streamed(gateway, { ch: 'run:c1/other/default' });
    await using _index = await streamed(gateway, { ch: 'runs:*' });
    first.send({ id: 2, sub: [{ ch: `figures:${KEY}` }] });
    await first.next((frame) => frame.id === 2);
    expect(await gateway.ask()).toMatchObject({ body: { watching: { connections: 2, keys: [] } } });
    await second[Symbol.asyncDispose]();
    await expect.poll(async () => (await gateway.ask()).body.watching.connections).toBe(1);
  });

  it('are the keys by their ids, also those that tokens were made with', async () => {
    const view = { role: 'view', runs: ['c1/*'] };
    await using gateway = await startMadeUpGateway({
      keys: new MadeUpKeys({ ops: view, ada: view, lea: view }),
    });
    gateway.append(KEY, [{}]);
    const headers = { authorization: 'Bearer ada', 'content-type': 'application/json' };
    const body = JSON.stringify({ runs: 'c1/r1/*', ttl_ms: 60_000 });
    const made = await fetch(`${gateway.url}/v1/tokens`, { method: 'POST', headers, body });
    const { token } = (await made.json()) as { token: string };
    await using _first = await streamed(gateway, { ch: `run:${KEY}`, key: 'ops' });
    await using _second = await streamed(gateway, { ch: `run:${KEY}`, key: 'ops' });
    await using _third = await streamed(gateway, { ch: `run:${KEY}`, key: token });
    const response = await fetch(gateway.url + PATH, { headers: { authorization: 'Bearer lea' } });
    expect(await response.json()).toMatchObject({ watching: { connections: 3, keys: ['ada', 'ops'] } });
  });
});
