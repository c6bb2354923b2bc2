import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyFiguresStep } from '@runlog/client/apply-figures-step';
import type { GatewayConfig } from '@runlog/gateway/config';
import { startGateway } from '@runlog/gateway/start-gateway';
import { encodeEvent } from '@runlog/records/event-record';
import { RunTable } from '@runlog/run-feed/run-table';
import { deliverDocument } from '@runlog/run-state/delivery';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { noTopicConfig, topicNames } from '@runlog/schema/log/topics';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot, RunDocument } from '@runlog/schema/run/snapshot';
import type { FiguresStep } from '@runlog/schema/stream/server-frames';
import { systemClock } from '@runlog/service-kit/clock';
import type { Running } from '@runlog/service-kit/lifecycle';
import { createLogger } from '@runlog/service-kit/logger';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { StreamSocket } from '../support/stream-socket.ts';

const PARTITIONS = 3;
const KEY = 'c1/short/default';
const logger = createLogger({ service: 'gateway', level: 'silent' });
const fixture = new URL('../fixtures/one-env.events.jsonl', import.meta.url);

function configOf(overrides: Partial<GatewayConfig['log']> = {}): GatewayConfig {
  return {
    host: '127.0.0.1',
    port: 0,
    allowedOrigins: [],
    answeredHosts: [],
    embedOrigins: [],
    connectionsMax: 10_000,
    drainMs: 3_000,
    log: {
      engine: 'embedded',
      brokers: [],
      ssl: false,
      encoder: 'own',
      dataFolder: '',
      topics: topicNames(''),
      partitions: PARTITIONS,
      replicationFactor: undefined,
      eventRetentionHours: 24,
      runRetentionHours: 24,
      topicConfig: noTopicConfig,
      logLevel: 'silent',
      ...overrides,
    },
  };
}

const faults: unknown[] = [];

function listening(io: TopicIo): Promise<Running> {
  return startGateway({
    config: configOf(),
    io,
    logger,
    clock: systemClock,
    random: () => 0.5,
    newEpoch: () => 'epoch-1',
    fail: (error) => faults.push(error),
  });
}

async function start(io: TopicIo): Promise<Running> {
  const running = await listening(io);
  await running.ready;
  return running;
}

async function openLogFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-gateway-'));
  const io = await openEmbedded({ folder, logger });
  return {
    io,
    async [Symbol.asyncDispose]() {
      await io[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Returns the records of the recorded run, under any name. */
async function recorded(key: string): Promise<RecordToAppend[]> {
  const [clusterId, run_id, group_id] = key.split('/');
  const lines = (await readFile(fixture, 'utf8')).trim().split('\n');
  return lines.map((line) => {
    // Quotes NaN and infinities as ingest does, which Python's encoder writes bare.
    const json = line.replaceAll(/([[:,] ?)(NaN|-?Infinity)\b/g, '$1"$2"');
    const event = { ...(JSON.parse(json) as TelemetryEvent), run_id: run_id!, group_id: group_id! };
    const receivedAtMs = Date.now();
    return encodeEvent(event, {
      clusterId: clusterId!,
      value: Buffer.from(JSON.stringify(event)),
      receivedAt: new Date(receivedAtMs).toISOString(),
      receivedAtMs,
    });
  });
}

/** Appends records and returns them as they are in the log. */
async function append(io: TopicIo, records: readonly RecordToAppend[]): Promise<LogRecord[]> {
  await using writer = await io.writer();
  const partition = partitionOf(records[0]!.key, PARTITIONS);
  const result = await writer.append({ topic: 'run-events', partition, records });
  expect(result.acknowledged).toBe(records.length);
  return records.map((record, at) => ({ ...record, offset: result.baseOffset + at }));
}

function folded(records: readonly LogRecord[]): RunDocument {
  const table = new RunTable({
    epoch: 'epoch-1',
    fold: 1,
    partitions: PARTITIONS,
    snapshots: 'run-snapshots',
  });
  const key = records[0]!.key;
  table.fold(records, partitionOf(key, PARTITIONS));
  return deliverDocument(table.states.get(key)!, Date.now());
}

const timeless = (snapshot: unknown) =>
  JSON.parse(
    JSON.stringify(snapshot, (name, value) =>
      ['relative_time', 'freshness', 'state'].includes(name) ? undefined : value,
    ),
  ) as unknown;

async function get<Body>(url: string): Promise<Body> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return (await response.json()) as Body;
}

describe('the gateway over a real log', () => {
  it('shows events from before its start and later ones, like an offline fold', async () => {
    await using opened = await openLogFolder();
    const { io } = opened;
    const records = await recorded(KEY);
    {
      // The process that starts first creates the topics.
      await using _first = await start(io);
    }
    const before = await append(io, records.slice(0, 60));
    await using gateway = await start(io);
    const url = gateway.addresses.gateway!;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(timeless(await get(`${url}/v1/runs/${KEY}`))).toEqual(timeless(folded(before)));

    await using stream = await StreamSocket.open(url);
    stream.send({ id: 1, sub: [{ ch: `run:${KEY}` }] });
    const reply = await stream.next((frame) => frame.id === 1);
    const { landmarks: _, ...streamed } = folded(before);
    expect(timeless(reply.snapshot)).toEqual(timeless(streamed));
    const after = await append(io, records.slice(60));
    const all = [...before, ...after];
    await stream.next((frame) => frame.seq === all.at(-1)?.offset);
    const seqs = stream.frames
      .flatMap((frame) => ('entries' in frame ? frame.entries : []))
      .map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(timeless(await get(`${url}/v1/runs/${KEY}`))).toEqual(timeless(folded(all)));
    expect(faults).toEqual([]);
  });

  it('reads history from the topic, in both directions, page by page', async () => {
    await using opened = await openLogFolder();
    const { io } = opened;
    await using gateway = await start(io);
    const url = `${gateway.addresses.gateway}/v1/runs/${KEY}`;
    // Another run of the same partition has records in between.
    const other = Array.from({ length: 50 }, (_, at) => `c1/other-${at}/default`).find(
      (key) => partitionOf(key, PARTITIONS) === partitionOf(KEY, PARTITIONS),
    )!;
    const records = await recorded(KEY);
    const first = await append(io, records.slice(0, 50));
    await append(io, await recorded(other));
    const second = await append(io, records.slice(50));
    const written = [...first, ...second].map((record) => record.offset);
    await expect.poll(async () => (await fetch(url)).status).toBe(200);
    await expect.poll(async () => (await get<DeliveredSnapshot>(url)).position?.seq).toBe(written.at(-1));

    const back: number[] = [];
    let next: number | null = null;
    do {
      const page: EventsPage = await get<EventsPage>(
        `${url}/events?limit=30${next === null ? '' : `&before=${next}`}`,
      );
      back.unshift(...page.events.map((event) => event.seq));
      next = page.next;
    } while (next !== null);
    expect(back).toEqual(written);

    const forth: number[] = [];
    next = -1;
    while (next !== null) {
      const page: EventsPage = await get<EventsPage>(`${url}/events?limit=30&after=${next}`);
      forth.push(...page.events.map((event) => event.seq));
      next = page.next;
    }
    expect(forth).toEqual(written);

    const one = await get<EventsPage>(`${url}/events?limit=1`);
    expect(one.position).toEqual((await get<DeliveredSnapshot>(url)).position);
    expect(one.oldest).toBe(written[0]);
    expect(one.events[0]?.event).toEqual(JSON.parse(second.at(-1)!.value!.toString()));
    expect((await fetch(`${url}/events?before=1&after=1`)).status).toBe(400);
    expect((await fetch(`${url}/events?limit=0`)).status).toBe(400);
    expect(await (await fetch(`${url}/events?limits=5`)).text()).toContain('limits');
    expect((await fetch(`${gateway.addresses.gateway}/v1/runs/c1/none/default/events`)).status).toBe(404);
  });

  it('shows a run as of an earlier event, and its whole life', async () => {
    await using opened = await openLogFolder();
    const { io } = opened;
    await using gateway = await start(io);
    const url = `${gateway.addresses.gateway}/v1/runs/${KEY}`;
    await append(io, await recorded('c1/short/other'));
    const written = await append(io, await recorded(KEY));
    const positionOf = async () => (await fetch(url)).json() as Promise<Partial<DeliveredSnapshot>>;
    await expect.poll(async () => (await positionOf()).position?.seq).toBe(written.at(-1)!.offset);
    for (const count of [1, 50, 51, written.length]) {
      const { offset } = written[count - 1]!;
      expect(timeless(await get(`${url}?at=${offset}`))).toEqual(timeless(folded(written.slice(0, count))));
    }
    expect(timeless(await get(`${url}?at=99999`))).toEqual(timeless(await get(url)));
    const whole = folded(written);
    expect(await get(`${url}/timeline`)).toMatchObject({
      position: whole.position,
      landmarks: whole.landmarks,
      gaps: [],
      attempts: whole.attempts,
      activity: whole.activity,
    });
    const verified = await fetch(`${url}/proof`, { method: 'POST' });
    expect(await verified.json()).toMatchObject({
      position: whole.position,
      received: written.length,
      verified: { seq: written.at(-1)!.offset, is_equal: true },
    });
    expect(await get(`${url}/proof`)).toMatchObject({ verified: { is_equal: true } });
    const refusals = [
      [`${url}?at=-1`, 400, 'invalid_query'],
      [`${url}?as=1`, 400, 'invalid_query'],
      [`${gateway.addresses.gateway}/v1/runs/c1/none/default?at=1`, 404, 'no_such_run'],
    ] as const;
    for (const [address, status, code] of refusals) {
      const response = await fetch(address);
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ error: { code } });
    }
  });

  it('streams the figures of a run from before it begins, equal to those of REST', async () => {
    await using opened = await openLogFolder();
    const { io } = opened;
    await using gateway = await start(io);
    const url = gateway.addresses.gateway!;
    await using stream = await StreamSocket.open(url);
    stream.send({ id: 4, sub: [{ ch: `figures:${KEY}` }] });
    const answer = await stream.next((frame) => frame.id === 4);
    let held = answer.figures as RunFigures;
    expect(held).toMatchObject({ run_id: 'short', position: null, figures: [] });
    const records = await recorded(KEY);
    for (const part of [records.slice(0, 50), records.slice(50)]) {
      const written = await append(io, part);
      await expect
        .poll(async () => (await get<DeliveredSnapshot>(`${url}/v1/runs/${KEY}`)).position?.seq)
        .toBe(written.at(-1)!.offset);
      const { position: _, ...whole } = await get<RunFigures>(`${url}/v1/runs/${KEY}/figures`);
      const pointsOf = ({ figures }: Pick<RunFigures, 'figures'>) => figures.map(({ points }) => points);
      while (pointsOf(held).join() !== pointsOf(whole).join()) {
        const step = await stream.next();
        held = applyFiguresStep(held, step as FiguresStep)!;
      }
      expect(held).toMatchObject(whole);
    }
    expect(held.figures.map(({ name }) => name)).toContain('val_accuracy');
  });

  it('listens while the broker is down: alive, not ready, and nothing is shown', async () => {
    const io = await openKafka({ brokers: ['127.0.0.1:1'], ssl: false, clientId: 'test', logger });
    try {
      await using gateway = await listening(io);
      const url = gateway.addresses.gateway!;
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      const ready = await fetch(`${url}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({ error: { code: 'not_ready' } });
      expect((await fetch(`${url}/v1/runs/${KEY}`)).status).toBe(503);
      expect((await fetch(`${url}/v1/runs/${KEY}/stream`)).status).toBe(503);
      await expect(StreamSocket.open(url)).rejects.toThrow('503');
    } finally {
      await io[Symbol.asyncDispose]();
    }
  });
});
