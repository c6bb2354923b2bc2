import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readStoredPartition } from '@runlog/run-feed/stored-snapshots';
import { snapshotWriterId, topicNames } from '@runlog/schema/log/topics';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { StreamSocket } from '../support/stream-socket.ts';
import { uniqueName } from '../support/unique-name.ts';

const WAIT = { timeout: 60_000, interval: 100 };
const PARTITIONS = 2;

/** A running system on one engine, with the environment by which commands find its log. */
interface System extends AsyncDisposable {
  readonly env: Record<string, string>;
  readonly prefix: string;
  address(name: 'ingest' | 'gateway'): string;
  /** Stops the process that writes snapshots, changes the log by hand, and starts the process again. */
  withoutAggregator(work: (io: TopicIo) => Promise<void>): Promise<void>;
}

async function onKafka(): Promise<System> {
  const prefix = `${uniqueName('rebuild')}-`;
  const brokers = inject('kafkaBrokers');
  const env = {
    KAFKA_BROKERS: brokers.join(','),
    RUNLOG_TOPIC_PREFIX: prefix,
    RUNLOG_PARTITIONS: String(PARTITIONS),
  };
  let up = await ServiceProcess.start('up', env);
  return {
    env,
    prefix,
    address: (name) => up.addresses[name]!,
    async withoutAggregator(work) {
      await up.end('SIGTERM');
      await using io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
      await work(io);
      up = await ServiceProcess.start('up', env);
    },
    [Symbol.asyncDispose]: () => up[Symbol.asyncDispose](),
  };
}

async function onEmbedded(): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-rebuild-'));
  const env = { RUNLOG_DATA_DIR: folder, RUNLOG_PARTITIONS: String(PARTITIONS) };
  let up = await ServiceProcess.start('up', env);
  return {
    env,
    prefix: '',
    address: (name) => up.addresses[name]!,
    async withoutAggregator(work) {
      await up.end('SIGTERM');
      {
        await using io = await openEmbedded({ folder, logger: silentLogger });
        await work(io);
      }
      up = await ServiceProcess.start('up', env);
    },
    async [Symbol.asyncDispose]() {
      await up[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function post(system: System, lines: readonly string[]): Promise<void> {
  const response = await fetch(`${system.address('ingest')}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: lines.length, rejected: 0, retry: 0 });
}

/** Runs `verify` until the aggregator has written everything, and resolves when it finds no difference. */
async function verified(system: System, expected: { compared: number }): Promise<void> {
  await vi.waitFor(async () => {
    const { code, stdout } = await runCli(['verify', '--json'], system.env);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, differing: 0, ...expected });
    expect(code).toBe(0);
  }, WAIT);
}

const KEY = 'local/one-env/default';

/** Changes the stored snapshot of a run so that it contradicts the topic. */
async function tamper(io: TopicIo, at: { prefix: string; key: string }): Promise<void> {
  const topics = topicNames(at.prefix);
  const meta = (await readMeta(io, topics))!;
  const partition = partitionOf(at.key, meta.partitions);
  const stored = await readStoredPartition(io, { topic: meta.snapshots, partition });
  const state = JSON.parse(stored.snapshots.get(at.key)!.toString()) as RunSnapshot;
  const wrong = { ...state, cumulative_pruned: state.cumulative_pruned + 1 };
  await using writer = await io.fencedWriter(snapshotWriterId(meta.snapshots, partition));
  const record = {
    key: at.key,
    value: Buffer.from(JSON.stringify(wrong)),
    headers: {},
    timestampMs: Date.now(),
  };
  await writer.commit({ records: [{ topic: meta.snapshots, partition, records: [record] }] });
}

describe.each([
  ['embedded', onEmbedded],
  ['kafka', onKafka],
] as const)('verify, rebuild and delete on %s', (_engine, start) => {
  let system: System;
  beforeEach(async () => {
    system = await start();
  });
  afterEach(async () => {
    await system?.[Symbol.asyncDispose]();
  });

  it('finds nothing to compare in an empty log, and calls that a failure', async () => {
    const { code, stdout } = await runCli(['verify'], system.env);
    expect(stdout).toContain('nothing to compare');
    expect(code).toBe(1);
  });

  it('names the run, the position and the field of a wrong snapshot, and rebuild repairs it while it is viewed', async () => {
    await post(system, recording('one-env').lines);
    await post(system, recording('short').lines);
    await verified(system, { compared: 2 });
    await system.withoutAggregator((io) => tamper(io, { prefix: system.prefix, key: KEY }));
    const found = await runCli(['verify', '--json'], system.env);
    expect(found.code).toBe(1);
    expect(JSON.parse(found.stdout)).toMatchObject({
      ok: false,
      compared: 2,
      differences: [{ key: KEY, field: 'cumulative_pruned', stored: 28, folded: 27 }],
    });

    await using socket = await StreamSocket.open(system.address('gateway'));
    socket.send({ id: 1, sub: [{ ch: `run:${KEY}` }, { ch: `figures:${KEY}` }] });
    const reply = await socket.next((frame) => frame.ch === `run:${KEY}`);
    const { figures } = await socket.next((frame) => frame.ch === `figures:${KEY}`);
    const held = reply.snapshot as { cumulative_pruned: number; position: { epoch: string } };
    expect(held.cumulative_pruned).toBe(28);
    const rebuilt = await runCli(['rebuild'], system.env);
    expect(rebuilt.stdout).toContain('2 runs written');
    expect(rebuilt.stdout).toContain('1 were different before');
    expect(rebuilt.code).toBe(0);
    const { reset } = (await socket.next((frame) => frame.reset !== undefined)) as {
      reset: { snapshot: { cumulative_pruned: number; position: { epoch: string } } };
    };
    expect(reset.snapshot.cumulative_pruned).toBe(27);
    expect(reset.snapshot.position.epoch).not.toBe(held.position.epoch);
    const again = await socket.next((frame) => frame.ch === `figures:${KEY}`);
    const { position: _, ...same } = figures as RunFigures;
    expect(again.reset).toMatchObject({ figures: { ...same, position: reset.snapshot.position } });
    await verified(system, { compared: 2 });
    // Changes after the switch go into the new topic.
    await post(system, [
      recording('one-env').lines[0]!.replace(/"event_id": "[^"]+"/, '"event_id": "after"'),
    ]);
    const delta = await socket.next((frame) => frame.entries !== undefined);
    expect(delta.entries).toMatchObject([{ metadata: { event_id: 'after' } }]);
    await verified(system, { compared: 2 });
  });

  it('keeps the epoch and its viewers if every byte was right', async () => {
    await post(system, recording('short').lines);
    await verified(system, { compared: 1 });
    await using socket = await StreamSocket.open(system.address('gateway'));
    socket.send({ id: 1, sub: [{ ch: 'run:local/short/default' }] });
    await socket.next((frame) => frame.id === 1);
    const { code, stdout } = await runCli(['rebuild', '--drop-old'], system.env);
    expect(stdout).toContain('the same epoch');
    expect(code).toBe(0);
    await verified(system, { compared: 1 });
    socket.send({ id: 2, ping: true });
    await socket.next((frame) => frame.id === 2);
    expect(socket.frames.filter((frame) => 'reset' in frame)).toEqual([]);
  });

  it('deletes a run for every reader, and begins it anew with a late event', async () => {
    await post(system, recording('one-env').lines);
    await verified(system, { compared: 1 });
    await using socket = await StreamSocket.open(system.address('gateway'));
    socket.send({ id: 1, sub: [{ ch: `run:${KEY}` }, { ch: `figures:${KEY}` }] });
    await socket.next((frame) => frame.ch === `figures:${KEY}`);
    const deleted = await runCli(['delete', KEY], system.env);
    expect(deleted.stdout).toContain(`${KEY}: deleted`);
    const frame = await socket.next((next) => next.reset !== undefined && next.ch === `run:${KEY}`);
    expect(frame.reset).toMatchObject({ snapshot: { position: null, event_log: [] } });
    expect((await fetch(`${system.address('gateway')}/v1/runs/${KEY}`)).status).toBe(404);
    expect((await runCli(['delete', 'local/never/default'], system.env)).code).toBe(1);
    const late = recording('one-env').lines.find((line) => line.includes('"EPOCH_COMPLETED"'))!;
    const ended = await socket.next((next) => next.ch === `figures:${KEY}`);
    expect(ended.reset).toMatchObject({ figures: { position: null, figures: [] } });
    await post(system, [late.replace(/"event_id": "[^"]+"/, '"event_id": "late"')]);
    const begun = await socket.next((next) => next.ch === `figures:${KEY}`);
    expect(begun).toMatchObject({
      prev: null,
      figures: expect.arrayContaining([expect.objectContaining({ points: 1 })]),
    });
    await vi.waitFor(async () => {
      const response = await fetch(`${system.address('gateway')}/v1/runs/${KEY}`);
      expect(await response.json()).toMatchObject({ partial: null, total_events_received: 1 });
    }, WAIT);
    await verified(system, { compared: 1 });
    await system.withoutAggregator(async () => undefined);
    await verified(system, { compared: 1 });
  });
});

describe('rebuild on kafka', () => {
  it('copies runs from their former snapshots if the topic no longer holds their beginning', async () => {
    await using system = await onKafka();
    await post(system, recording('one-env').lines);
    await post(system, recording('short').lines);
    await verified(system, { compared: 2 });
    const partition = partitionOf(KEY, PARTITIONS);
    const kafka = new Kafka({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const topic = `${system.prefix}run-events`;
    // kafkajs deletes records only of topics that it has looked at before.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition, offset: '100' }],
    });
    await admin.disconnect();
    const report = await runCli(['verify', '--json'], system.env);
    expect(JSON.parse(report.stdout).truncated).toBeGreaterThanOrEqual(1);
    const before = await (await fetch(`${system.address('gateway')}/v1/runs/${KEY}`)).json();
    const rebuilt = await runCli(['rebuild', '--json'], system.env);
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({ runs: 2 });
    expect(JSON.parse(rebuilt.stdout).kept).toBeGreaterThanOrEqual(1);
    await system.withoutAggregator(async () => undefined);
    const after = await (await fetch(`${system.address('gateway')}/v1/runs/${KEY}`)).json();
    expect(after).toMatchObject({ total_events_received: before.total_events_received, first_seq: 0 });
  });
});
