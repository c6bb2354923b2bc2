import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKPOINT_KEY } from '@runlog/records/checkpoint-record';
import { decodeSnapshot } from '@runlog/records/snapshot-record';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import type { DeliveredEntry, DeliveredSnapshot, RunSnapshot } from '@runlog/schema/run/snapshot';
import { serverFrameSchemas } from '@runlog/schema/stream/server-frames';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import {
  countersOf,
  type ExpectedRun,
  plainEntries,
  type Recording,
  recording,
} from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { StreamSocket } from '../support/stream-socket.ts';
import { uniqueName } from '../support/unique-name.ts';

const WAIT = { timeout: 60_000, interval: 100 };

/** A complete runlog on one engine, whose parts can be killed and started again. */
interface Deployment extends AsyncDisposable {
  readonly ingest: string;
  readonly gateway: string;
  /** Kills the part with `kill -9` and starts it again. Its address may change. */
  restart(part: 'ingest' | 'aggregator' | 'gateway'): Promise<void>;
  /** Reads the newest value of every key of the compacted topic, as a plain reader sees it. */
  readSnapshots(): Promise<Map<string, RunSnapshot>>;
}

async function onKafka(): Promise<Deployment> {
  const brokers = inject('kafkaBrokers');
  const prefix = `${uniqueName('pipeline')}-`;
  const env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '4' };
  // The services start at the same moment on an empty broker, and must agree on run-meta.
  const names = ['ingest', 'aggregator', 'gateway'] as const;
  const started = await Promise.all(names.map((name) => ServiceProcess.start(name, env)));
  const parts = new Map(names.map((name, index) => [name, started[index]!]));
  return {
    get ingest() {
      return parts.get('ingest')!.addresses.ingest!;
    },
    get gateway() {
      return parts.get('gateway')!.addresses.gateway!;
    },
    async restart(part) {
      await parts.get(part)!.end('SIGKILL');
      parts.set(part, await ServiceProcess.start(part, env));
    },
    async readSnapshots() {
      const kafka = new Kafka({ brokers: [...brokers], clientId: 'plain', logLevel: logLevel.NOTHING });
      const consumer = kafka.consumer({ groupId: uniqueName('plain'), maxWaitTimeInMs: 200 });
      const admin = kafka.admin();
      const newest = new Map<string, RunSnapshot>();
      const topic = `${prefix}run-snapshots`;
      try {
        await Promise.all([consumer.connect(), admin.connect()]);
        const read = new Map<number, number>();
        await consumer.subscribe({ topic, fromBeginning: true });
        await consumer.run({
          eachMessage: async ({ partition, message }) => {
            read.set(partition, Number(message.offset) + 1);
            const key = message.key!.toString();
            if (key !== CHECKPOINT_KEY) newest.set(key, decodeSnapshot(message.value)!);
          },
        });
        const ends = await admin.fetchTopicOffsets(topic);
        // The last offset of a transaction is its marker, which no consumer ever gets.
        await vi.waitFor(() => {
          for (const { partition, high } of ends) {
            if (Number(high) > 0) expect(read.get(partition) ?? 0).toBeGreaterThanOrEqual(Number(high) - 1);
          }
        }, WAIT);
      } finally {
        await Promise.all([consumer.disconnect(), admin.disconnect()]);
      }
      return newest;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...parts.values()].map((part) => part[Symbol.asyncDispose]()));
    },
  };
}

async function onEmbedded(): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-e2e-'));
  const env = { RUNLOG_DATA_DIR: folder };
  let up = await ServiceProcess.start('up', env);
  return {
    get ingest() {
      return up.addresses.ingest!;
    },
    get gateway() {
      return up.addresses.gateway!;
    },
    async restart() {
      await up.end('SIGKILL');
      up = await ServiceProcess.start('up', env);
    },
    async readSnapshots() {
      const newest = new Map<string, RunSnapshot>();
      await using io = await openEmbedded({ folder, readOnly: true, logger: silentLogger });
      await readToEnd(io, {
        topic: 'run-snapshots',
        partitions: [0, 1, 2, 3],
        onRecords: (records) => {
          for (const { key, value } of records) {
            if (key !== CHECKPOINT_KEY) newest.set(key, decodeSnapshot(value)!);
          }
        },
      });
      return newest;
    },
    async [Symbol.asyncDispose]() {
      await up[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Posts lines until they are accepted. A broken connection or a 503 means "send again". */
async function post(deployment: Deployment, lines: readonly string[]): Promise<void> {
  await vi.waitFor(async () => {
    const response = await fetch(`${deployment.ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ accepted: lines.length, rejected: 0, retry: 0 });
  }, WAIT);
}

function chunksOf(lines: readonly string[], size: number): string[][] {
  const chunks: string[][] = [];
  for (let at = 0; at < lines.length; at += size) chunks.push(lines.slice(at, at + size));
  return chunks;
}

async function snapshotOf(deployment: Deployment, key: string): Promise<DeliveredSnapshot> {
  const response = await fetch(`${deployment.gateway}/v1/runs/${key}`);
  expect(response.status).toBe(200);
  return (await response.json()) as DeliveredSnapshot;
}

/** Returns the number of distinct events. The repeats of a chunk that had to be sent twice count as duplicates. */
function distinct(run: { total_events_received: number; duplicates: number }): number {
  return run.total_events_received - run.duplicates;
}

function expectRun(run: RunSnapshot | DeliveredSnapshot, expected: ExpectedRun): void {
  expect(plainEntries(run.event_log)).toEqual(expected.event_log);
  expect(
    countersOf({ ...run, task_name: run.task_name ?? '', total_events_received: distinct(run) }),
  ).toEqual(countersOf(expected));
}

async function expectEverywhere(deployment: Deployment, { name, expected }: Recording): Promise<void> {
  for (const [group, run] of Object.entries(expected)) {
    const key = `local/${name}/${group}`;
    await vi.waitFor(async () => expectRun(await snapshotOf(deployment, key), run), WAIT);
    await using socket = await StreamSocket.open(deployment.gateway);
    socket.send({ id: 1, sub: [{ ch: `run:${key}` }] });
    const { snapshot } = await socket.next((frame) => frame.id === 1);
    expectRun(snapshot as DeliveredSnapshot, run);
    await vi.waitFor(async () => {
      const stored = (await deployment.readSnapshots()).get(key);
      expectRun(stored!, run);
    }, WAIT);
  }
}

describe.each([
  ['embedded', onEmbedded],
  ['kafka', onKafka],
] as const)('the whole path on %s', (_engine, deploy) => {
  let deployment: Deployment;
  beforeEach(async () => {
    deployment = await deploy();
  });
  afterEach(async () => {
    await deployment?.[Symbol.asyncDispose]();
  });

  it('shows the recordings in REST, WebSocket and the compacted topic as the original did', async () => {
    for (const name of ['short', 'one-env'] as const) {
      const taken = recording(name);
      for (const chunk of chunksOf(taken.lines, 50)) await post(deployment, chunk);
      await expectEverywhere(deployment, taken);
    }
  });

  it('shows a subscriber from before the first event every entry once and in order', async () => {
    const { name, lines, expected } = recording('one-env');
    await using socket = await StreamSocket.open(deployment.gateway);
    socket.send({ id: 1, sub: [{ ch: `run:local/${name}/default` }] });
    const reply = await socket.next((frame) => frame.id === 1);
    expect(reply.snapshot).toMatchObject({ position: null, event_log: [] });
    for (const chunk of chunksOf(lines, 30)) await post(deployment, chunk);
    const seen = () => socket.frames.flatMap((frame) => ('entries' in frame ? [...frame.entries] : []));
    await vi.waitFor(() => expect(seen()).toHaveLength(lines.length), WAIT);
    const ids = lines.map((line) => /"event_id": ?"([^"]+)"/.exec(line)![1]);
    expect(seen().map((entry: DeliveredEntry) => entry.metadata.event_id)).toEqual(ids);
    expect(plainEntries(seen().slice(-100))).toEqual(expected.default!.event_log);
    for (const frame of socket.frames) {
      const known = Object.values(serverFrameSchemas).some(
        (schema) => schema.strict().safeParse(frame).success,
      );
      expect(known, JSON.stringify(frame).slice(0, 500)).toBe(true);
    }
    let prev: number | null = null;
    for (const frame of socket.frames) {
      if (!('prev' in frame)) continue;
      expect(frame.prev).toBe(prev);
      prev = frame.seq;
    }
  });

  it('ends the same when each part is killed in the middle', async () => {
    const taken = recording('one-env');
    const chunks = chunksOf(taken.lines, 20);
    const parts = ['ingest', 'aggregator', 'gateway'] as const;
    for (const [index, chunk] of chunks.entries()) {
      const part = parts[(index - 2) / 3];
      const restarted = part === undefined ? null : deployment.restart(part);
      await post(deployment, chunk);
      await restarted;
    }
    await expectEverywhere(deployment, taken);
  });
});
