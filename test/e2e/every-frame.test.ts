import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FrameFaultCode, frameFaults } from '@runlog/schema/faults';
import { EMITTERS_MAX, STREAM_FRAME_BYTES_MAX } from '@runlog/schema/limits';
import { type CloseReason, closeCodes } from '@runlog/schema/stream/close-codes';
import { type ServerFrame, serverFrameSchemas } from '@runlog/schema/stream/server-frames';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../chaos/until.ts';
import { startCluster } from '../support/broker.ts';
import { runCli } from '../support/cli-process.ts';
import { noteText } from '../support/embedded-ingest.ts';
import { makeKeyFile, type TestKeyFile } from '../support/key-file.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { type AnyFrame, StreamSocket } from '../support/stream-socket.ts';

type FrameName = keyof typeof serverFrameSchemas;
const frameNames = Object.keys(serverFrameSchemas) as FrameName[];

const STEP_MS_MAX = 150_000;
const PROVOKE_MS_MAX = 3 * STEP_MS_MAX + 60_000;
/** Far more than the buffers of the operating system hold. */
const FLOOD_BODIES_MAX = 40;
/** In so many looks in all, two clients must lag. */
const TIMES_LAGGING = 8;
const MANY_RUNS = 100;
const RUN = 'r1';
const CH = `run:local/${RUN}/default`;
const FIGURES = `figures:local/${RUN}/default`;
const INDEX = 'runs:local/*';

/** Everything that real sockets saw and sent while `provoke` did what the protocol describes. */
const seen = {
  frames: new Map<FrameName, ServerFrame>(),
  nameless: [] as ServerFrame[],
  faults: new Set<FrameFaultCode>(),
  closes: new Map<number, string>(),
  /** The names of the fields of all frames, at any depth, of both sides. */
  fields: new Set<string>(),
};

let cluster: Awaited<ReturnType<typeof startCluster>>;
let keys: TestKeyFile;
let up: ServiceProcess;
let env: Record<string, string>;
const secrets = { publish: '', all: '', some: '' };

beforeAll(async () => {
  cluster = await startCluster({ count: 1 });
  keys = await makeKeyFile();
  secrets.publish = await keys.add('publish', { role: 'publish', cluster: 'local' });
  secrets.all = await keys.add('all', { role: 'view', runs: ['local/*'] });
  secrets.some = await keys.add('some', { role: 'view', runs: ['local/some-*'] });
  env = { KAFKA_BROKERS: cluster.brokers.join(','), RUNLOG_PARTITIONS: '1', RUNLOG_KEYS_FILE: keys.path };
  up = await ServiceProcess.start('up', env);
  await provoke();
}, PROVOKE_MS_MAX);

afterAll(async () => {
  await up?.[Symbol.asyncDispose]();
  await keys?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

describe('over a real socket comes', () => {
  it.each(frameNames)('the frame %s', (name) => {
    expect([...seen.frames.keys()]).toContain(name);
  });

  it.each(Object.keys(frameFaults) as FrameFaultCode[])('an error frame %s', (code) => {
    expect([...seen.faults]).toContain(code);
  });

  it.each(Object.entries(closeCodes))('the close code of %s', (reason, { close }) => {
    expect([...seen.closes.keys()]).toContain(close);
    // The code of the WebSocket server itself has no reason.
    if (close >= 4_000) expect(seen.closes.get(close)).toBe(reason satisfies string as CloseReason);
  });

  it('no frame that the schemas do not name, and no close code that they do not list', () => {
    expect(seen.nameless).toEqual([]);
    const listed = Object.values(closeCodes).map(({ close }): number => close);
    expect([...seen.closes.keys()].filter((code) => !listed.includes(code))).toEqual([]);
  });

  it('every field that docs/protocol.md shows in a frame', () => {
    const path = fileURLToPath(new URL('../../docs/protocol.md', import.meta.url));
    const [, after] = readFileSync(path, 'utf8').split('\n### Frames\n');
    const section = after!.split('\n### Close codes\n')[0]!;
    const named = [...section.matchAll(/"([a-z_]+)":/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(50);
    expect([...new Set(named)].filter((name) => !seen.fields.has(name))).toEqual([]);
  });
});

/** Does everything that the protocol describes, on as many connections as that takes. */
async function provoke(): Promise<void> {
  await post([{ event_id: 'first' }]);
  await Promise.all([
    inTime('follow', follow()),
    inTime('see too many emitters', seeTooManyEmitters()),
    inTime('be refused', beRefused()),
    inTime('be slow', beSlow()),
    inTime('fall silent', fallSilent()),
    inTime('show no key', showNoKey()),
    inTime('show a bad key', showBadKey()),
    inTime('see other runs', seeOtherRuns()),
    inTime('send too much', sendTooMuch(STREAM_FRAME_BYTES_MAX + 1)),
    inTime('send far too much', sendTooMuch(2 * STREAM_FRAME_BYTES_MAX + 1)),
  ]);
  await inTime('lose the log', loseTheLog());
  await inTime('stop the gateway', stopTheGateway());
}

/** Names what did not come about. */
async function inTime(what: string, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not in ${STEP_MS_MAX} ms: ${what}`)), STEP_MS_MAX);
  });
  await Promise.race([done, late]).finally(() => clearTimeout(timer));
}

async function follow(): Promise<void> {
  await using stream = await open({ key: secrets.all });
  send(stream, {
    id: 1,
    sub: [
      ...[{ ch: CH }, { ch: FIGURES }],
      {
        ...{ ch: INDEX, cluster: 'local', where: ['events>=1'], sort: 'state', group_by: 'state' },
        limit: 10,
      },
    ],
  });
  const { snapshot } = await stream.next((frame) => frame.snapshot !== undefined);
  await stream.next((frame) => frame.figures !== undefined);
  await stream.next((frame) => frame.rows !== undefined && frame.id === 1);
  await post([{ event_id: 'second', data: { loss: 1 } }]);
  const { seq } = await stream.next((frame) => frame.entries !== undefined);
  await stream.next((frame) => frame.figures !== undefined && frame.seq !== undefined);
  await stream.next((frame) => frame.rows !== undefined && frame.id === undefined);
  send(stream, { id: 2, ack: { [CH]: seq } });
  await stream.next((frame) => frame.id === 2);
  const { position } = snapshot as { position: { epoch: string; seq: number } };
  send(stream, {
    id: 3,
    sub: [
      {
        ...{ ch: CH, since: position, type: ['NOTE'], not_type: ['ODD'], env: [0], slot: ['r0'] },
        ...{ severity: ['info'], q: 'x', min_interval_ms: 100 },
      },
    ],
  });
  await stream.next((frame) => frame.resume !== undefined);
  await post(Array.from({ length: 300 }, (_, at) => ({ event_id: `more-${at}` })));
  await until(
    async () => {
      send(stream, { id: 4, sub: [{ ch: CH, since: position }] });
      const { resume } = await stream.next((frame) => frame.id === 4);
      return (resume as { skipped?: object }).skipped !== undefined;
    },
    { what: () => 'a resume leaves entries out', withinMs: 60_000 },
  );
  send(stream, { id: 5, ping: true });
  await stream.next((frame) => frame.pong === true);
  await post([{ event_id: 'last', event_type: 'RUN_FINISHED' }]);
  await stream.next((frame) => frame.end !== undefined);
  // A run that was deleted starts over.
  expect(await runCli(['delete', `local/${RUN}/default`], env)).toMatchObject({ code: 0 });
  await stream.next((frame) => frame.reset !== undefined && frame.ch === CH);
  await until(() => stream.frames.some((frame) => 'reset' in frame && frame.ch === FIGURES), {
    what: () => 'the figures start over',
    withinMs: 60_000,
  });
  send(stream, { id: 6, unsub: [CH] });
  await stream.next((frame) => frame.id === 6);
  await until(() => stream.frames.some((frame) => 'tips' in frame), {
    what: () => 'a heartbeat',
    withinMs: 60_000,
  });
  note(stream);
}

/** A run that has forgotten an emitter says so. */
async function seeTooManyEmitters(): Promise<void> {
  await using stream = await open({ key: secrets.all });
  send(stream, { id: 1, sub: [{ ch: 'run:local/crowd/default' }] });
  await stream.next((frame) => frame.id === 1);
  for (let body = 0; body < 2; body += 1) {
    await post(
      Array.from({ length: EMITTERS_MAX }, (_, at) => ({
        ...{ event_id: `crowd-${body}-${at}`, run_id: 'crowd' },
        ...{ emitter_id: `emitter-${body}-${at}`, emitter_seq: 2 },
      })),
    );
  }
  await stream.next((frame) => frame.replaces !== undefined);
  note(stream);
}

async function beRefused(): Promise<void> {
  await using stranger = await open({});
  send(stranger, { id: 1, ping: true });
  await stranger.next((frame) => frame.error !== undefined);
  note(stranger);
  await using stream = await open({ key: secrets.some });
  const many = (count: number, name: (at: number) => string) =>
    Array.from({ length: count }, (_, at) => ({ ch: name(at) }));
  const refused: object[] = [
    { id: 1, ping: 5 },
    { id: 1, sub: [{ ch: 'no channel' }] },
    { id: 1, sub: [{ ch: CH }] },
    { id: 1, sub: many(20, (at) => `runs:${at}*`) },
    { id: 1, sub: many(1_001, (at) => `run:local/some-${at}/default`) },
  ];
  for (const frame of refused) {
    send(stream, frame);
    await stream.next(({ error }) => error !== undefined);
  }
  await until(() => faultsOf(stream).includes('too_many_channels'), {
    what: () => 'all are refused',
    withinMs: 60_000,
  });
  note(stream);
}

async function beSlow(): Promise<void> {
  const ch = 'run:local/flood/default';
  await using slow = await open({ key: secrets.all });
  await using stuck = await open({ key: secrets.all });
  // So many that the number of all subscriptions shows when the gateway gives this client up.
  const many = Array.from({ length: MANY_RUNS }, (_, at) => ({ ch: `run:local/stuck-${at}/default` }));
  send(stuck, { id: 0, sub: many });
  for (const stream of [slow, stuck]) {
    send(stream, { id: 1, sub: [{ ch }] });
    await stream.next((frame) => frame.id === 1);
    stream.socket.pause();
  }
  // A client that reads may lag for a moment too, but not so often.
  let timesTwoLagged = 0;
  for (let body = 0; body < FLOOD_BODIES_MAX && timesTwoLagged < TIMES_LAGGING; body += 1) {
    if ((await metric('runlog_gateway_lagging_clients')) >= 2) timesTwoLagged += 1;
    const message = 'x'.repeat(1_000);
    await post(
      Array.from({ length: 900 }, (_, at) => ({ event_id: `flood-${body}-${at}`, run_id: 'flood', message })),
    );
  }
  await post(Array.from({ length: 300 }, (_, at) => ({ event_id: `then-${at}`, run_id: 'flood' })));
  slow.socket.resume();
  await slow.next((frame) => frame.lag !== undefined);
  await slow.next((frame) => frame.entries !== undefined);
  note(slow);
  await until(async () => (await metric('runlog_gateway_subscriptions')) < MANY_RUNS, {
    what: () => 'the client that reads nothing is given up',
    withinMs: 120_000,
  });
  stuck.socket.resume();
  await closed(stuck);
}

async function fallSilent(): Promise<void> {
  const url = `${up.addresses.gateway!.replace('http', 'ws')}/v1/stream`;
  const socket = new WebSocket(url, ['runlog.v1'], {
    autoPong: false,
    headers: { authorization: `Bearer ${secrets.all}` },
  });
  await closed(new StreamSocket(socket));
}

async function showNoKey(): Promise<void> {
  await closed(await open({}));
}

async function showBadKey(): Promise<void> {
  const stream = await open({});
  send(stream, { id: 0, auth: 'wrong' });
  await closed(stream);
}

async function seeOtherRuns(): Promise<void> {
  const secret = await keys.add('changing', { role: 'view', runs: ['local/a-*'] });
  await until(
    async () =>
      (await fetch(`${up.addresses.gateway}/v1/runs`, { headers: { authorization: `Bearer ${secret}` } })).ok,
    { what: () => 'the new key is known', withinMs: 60_000 },
  );
  const stream = await open({ key: secret });
  await keys.change('changing', { role: 'view', runs: ['local/b-*'] });
  await closed(stream);
}

async function sendTooMuch(bytes: number): Promise<void> {
  const stream = await open({ key: secrets.all });
  stream.send('x'.repeat(bytes));
  await closed(stream);
}

async function loseTheLog(): Promise<void> {
  await using stream = await open({ key: secrets.all });
  await cluster.kill(0, 'SIGSTOP');
  await stream.next(({ feed }) => (feed as { state?: string } | undefined)?.state === 'stalled');
  await cluster.kill(0, 'SIGCONT');
  await stream.next(({ feed }) => (feed as { state?: string } | undefined)?.state === 'live');
  note(stream);
}

async function stopTheGateway(): Promise<void> {
  const stream = await open({ key: secrets.all });
  await stream.next((frame) => frame.hello !== undefined);
  const ending = up.end('SIGTERM');
  await closed(stream);
  expect(await ending).toBe(0);
}

async function open({ key }: { key?: string }): Promise<StreamSocket> {
  const stream = await StreamSocket.open(up.addresses.gateway!);
  if (key !== undefined) send(stream, { id: 0, auth: key });
  return stream;
}

function send(stream: StreamSocket, frame: object): void {
  noteFields(frame);
  stream.send(frame);
}

async function closed(stream: StreamSocket): Promise<void> {
  const { code, reason } = await stream.closed;
  seen.closes.set(code, reason);
  note(stream);
}

/** Notes everything that the connection got. */
function note(stream: StreamSocket): void {
  for (const frame of stream.frames) {
    const name = nameOf(frame);
    if (name === null) seen.nameless.push(frame);
    else seen.frames.set(name, frame);
    noteFields(frame);
  }
  for (const code of faultsOf(stream)) seen.faults.add(code);
}

function faultsOf(stream: StreamSocket): FrameFaultCode[] {
  return stream.frames.flatMap((frame) => {
    const { error } = frame as AnyFrame;
    return error === undefined ? [] : [(error as { code: FrameFaultCode }).code];
  });
}

/** Returns the name of the one frame whose schema this matches without a field too many; null if there is none. */
function nameOf(frame: ServerFrame): FrameName | null {
  const fits = frameNames.filter((name) => {
    const schema = serverFrameSchemas[name];
    return (
      Object.keys(frame).every((field) => Object.hasOwn(schema.shape, field)) &&
      schema.safeParse(frame).success
    );
  });
  return fits.length === 1 ? fits[0]! : null;
}

function noteFields(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) for (const name of Object.keys(value)) seen.fields.add(name);
  for (const each of Object.values(value)) noteFields(each);
}

async function post(events: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${secrets.publish}` },
    body: events.map((event) => noteText({ run_id: RUN, ...event })).join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: events.length });
}

async function metric(name: string): Promise<number> {
  const response = await fetch(`${up.addresses.gateway}/metrics`, {
    headers: { authorization: `Bearer ${secrets.all}` },
  });
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(await response.text())?.[1]);
}
