import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { CommandError } from '../command.ts';
import { identityOf } from './event-identity.ts';
import { RunsHeld } from './runs-held.ts';

const run = { cluster_id: 'local', run_id: 'r', group_id: 'default' };
const KEY = 'local/r/default';
const eventOf = (id: string) => ({ event_id: id, event_type: 'X', timestamp: '2026-01-03T23:59:47Z' });
const stored = (seq: number, id: string) => ({ seq, event: eventOf(id), duplicate: false });
const atEnd = { status: 'ready', feed: { state: 'live', behind_records: 0 } };

/** A gateway that answers each path with the next of its answers, and with the last one from then on. */
async function gatewayOf(
  answers: Record<string, readonly (readonly [status: number, body: unknown])[]>,
  { stepMs = 1_000 }: { stepMs?: number } = {},
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url!.replace(`/v1/runs/${KEY}`, '').split('&limit')[0]!;
    const scripted = answers[path]!;
    const [status, body] =
      scripted[Math.min(asked.filter((one) => one === path).length, scripted.length - 1)]!;
    asked.push(path);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  let nowMs = 0;
  const runs = new RunsHeld({
    target: {
      gatewayUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ...{ key: undefined, keyVariable: 'RUNLOG_VIEW_KEY' },
    },
    now: () => {
      nowMs += stepMs;
      return nowMs;
    },
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onTrouble: () => undefined,
  });
  return { runs, asked };
}

const document = { ...run, first_seq: 10, total_events_received: 4, duplicates: 1 };

test('a run is read page by page, when the gateway has read the log, and only once', async () => {
  const behind = { status: 'ready', feed: { state: 'live', behind_records: 70_000 } };
  const { runs, asked } = await gatewayOf({
    '/readyz': [
      [503, { error: { code: 'not_ready', message: 'this gateway is still reading the log' } }],
      [200, behind],
      [200, atEnd],
    ],
    '': [[200, document]],
    '/events?after=-1': [[200, { events: [stored(10, 'a'), stored(12, 'b')], next: 12, oldest: 10 }]],
    '/events?after=12': [
      [503, { error: { code: 'log_unavailable', message: 'not now' } }],
      [200, { events: [stored(20, 'a')], next: null, oldest: 10 }],
    ],
  });
  expect(await runs.ask(run)).toEqual({ kind: 'held', distinct: 3 });
  expect(await runs.ask(run)).toEqual({ kind: 'held', distinct: 3 });
  expect(asked).toEqual([
    '/readyz',
    '/readyz',
    '/readyz',
    '/readyz',
    '',
    '/events?after=-1',
    '/events?after=12',
    '/events?after=12',
  ]);
  const counts = ['a', 'b', 'c'].map((id) => runs.held.count(identityOf(KEY, eventOf(id))));
  expect(counts).toEqual([2, 1, 0]);
});

test('a run that does not exist holds nothing', async () => {
  const none = { error: { code: 'no_such_run', message: 'there is no such run' } };
  const { runs } = await gatewayOf({ '/readyz': [[200, atEnd]], '': [[404, none]] });
  expect(await runs.ask(run)).toEqual({ kind: 'held', distinct: 0 });
});

test('of a run whose first events are gone nothing is known', async () => {
  const { runs } = await gatewayOf({
    '/readyz': [[200, atEnd]],
    '': [[200, document]],
    '/events?after=-1': [[200, { events: [stored(12, 'b')], next: null, oldest: 12 }]],
  });
  expect(await runs.ask(run)).toMatchObject({
    kind: 'unknown',
    message: expect.stringContaining('no longer keeps the beginning of local/r/default'),
  });
});

test.each([
  [
    'stalled',
    { state: 'stalled', since: '2026-01-03T23:59:47Z', behind_records: 0 },
    'does not read the log now',
  ],
  ['far behind', { state: 'live', behind_records: 70_000 }, 'is 70,000 records behind'],
  [
    'held back',
    { state: 'live', behind_records: 5, held_back: { since: '2026-01-03T23:59:47Z', records: 5 } },
    'does not read the log now',
  ],
])('a gateway that is %s is waited for, and then not asked', async (_, feed, says) => {
  const { runs } = await gatewayOf({ '/readyz': [[200, { status: 'ready', feed }]] }, { stepMs: 20_000 });
  await expect(runs.ask(run)).rejects.toThrow(says);
});

test('a key that does not show the run is named by its variable', async () => {
  const { runs } = await gatewayOf({
    '/readyz': [[200, atEnd]],
    '': [[403, { error: { code: 'forbidden', message: 'this key does not show local/r/default' } }]],
  });
  const error = await runs.ask(run).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CommandError);
  expect(error).toMatchObject({ exitCode: 1, message: expect.stringContaining('set RUNLOG_VIEW_KEY') });
});
