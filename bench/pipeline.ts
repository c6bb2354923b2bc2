import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { topicNames } from '@runlog/schema/log/topics';
import { ServiceProcess } from '../test/support/service-process.ts';
import { StreamSocket } from '../test/support/stream-socket.ts';
import { openBenchLog } from './bench-log.ts';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { startBenchBroker } from './kafka.ts';
import { post } from './post.ts';
import { percentile } from './rounds.ts';
import { eventsOf } from './sample-events.ts';

const EVENTS_PER_SECOND = 1_000;
const EVENTS_PER_BODY = 10;
const RUNS = 10;
const WARM_SECONDS = 3;

interface Latencies {
  readonly seenP50Ms: number;
  readonly seenP99Ms: number;
  readonly acknowledgedP50Ms: number;
  readonly acknowledgedP99Ms: number;
  readonly events: number;
}

/**
 * Measures the time from the moment when an event was due to be posted to the moment when a subscriber held its entry.
 */
export const pipeline: Benchmark = {
  name: 'pipeline',
  summary: 'ms from POST to WebSocket subscriber at 1,000 events/s, on both engines',
  async run({ seconds }): Promise<Result> {
    const embedded = await onEmbedded(seconds / 2);
    const kafka = await onKafka(seconds / 2);
    const told = (latencies: Latencies) =>
      Object.fromEntries(Object.entries(latencies).map(([name, value]) => [name, rounded(value)]));
    return {
      figure: rounded(kafka.seenP99Ms),
      unit: 'ms, p99, Kafka',
      limit: rounded(kafka.acknowledgedP99Ms),
      limit_is: "p99 of ingest's own answer (acks=all) in the same run: what publishing alone takes",
      ratio: rounded(kafka.seenP99Ms / kafka.acknowledgedP99Ms),
      how: `bodies of ${EVENTS_PER_BODY} events at fixed times, ${RUNS} runs, one subscriber of all; latencies count from the time a body was due, so a stall is not left out`,
      details: { embedded: told(embedded), kafka: told(kafka) },
    };
  },
};

async function onEmbedded(seconds: number): Promise<Latencies> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-bench-'));
  try {
    await using up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
    return await measure({ ingest: up.addresses.ingest!, gateway: up.addresses.gateway!, seconds });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function onKafka(seconds: number): Promise<Latencies> {
  await using broker = await startBenchBroker();
  const prefix = `bench-${randomUUID()}-`;
  const env = {
    KAFKA_BROKERS: broker.brokers.join(','),
    RUNLOG_TOPIC_PREFIX: prefix,
    RUNLOG_SNAPSHOT_INTERVAL_MS: '2000',
  };
  await using ingest = await ServiceProcess.start('ingest', env);
  await using aggregator = await ServiceProcess.start('aggregator', env);
  await using gateway = await ServiceProcess.start('gateway', env);
  const latencies = await measure({
    ingest: ingest.addresses.ingest!,
    gateway: gateway.addresses.gateway!,
    seconds,
  });
  await aggregator.end('SIGTERM');
  await using io = await openBenchLog(broker.brokers);
  for (const topic of Object.values(topicNames(prefix))) {
    if ((await io.describeTopic(topic)) !== null) await io.deleteTopic(topic);
  }
  return latencies;
}

async function measure(at: { ingest: string; gateway: string; seconds: number }): Promise<Latencies> {
  const runs = Array.from({ length: RUNS }, (_, run) => eventsOf(run));
  /** The time at which an event was due, by its id. */
  const due = new Map<string, number>();
  const seen: number[] = [];
  const acknowledged: number[] = [];
  const beginMs = performance.now() + 200;
  const countsFromMs = beginMs + WARM_SECONDS * 1_000;
  await using socket = await StreamSocket.open(at.gateway);
  socket.socket.on('message', (data: Buffer) => {
    const nowMs = performance.now();
    for (const line of data.toString('utf8').split('\n')) {
      const frame = JSON.parse(line) as { entries?: { metadata: { event_id: string } }[] };
      for (const { metadata } of frame.entries ?? []) {
        const dueMs = due.get(metadata.event_id);
        if (dueMs === undefined) continue;
        due.delete(metadata.event_id);
        if (dueMs >= countsFromMs) seen.push(nowMs - dueMs);
      }
    }
    // The socket keeps frames for tests that look back, so they are dropped here.
    socket.frames.length = 0;
  });
  socket.send({ id: 1, sub: runs.map((_, run) => ({ ch: `run:local/run-${run}/default` })) });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const postBody = async (run: number, dueMs: number) => {
    const lines: string[] = [];
    for (let made = 0; made < EVENTS_PER_BODY; made += 1) {
      const { json, id } = runs[run]!.next().value;
      due.set(id, dueMs);
      lines.push(json);
    }
    await post({ agent, url: at.ingest, body: lines.join('\n') });
    if (dueMs >= countsFromMs) acknowledged.push(performance.now() - dueMs);
  };
  const intervalMs = (1_000 * EVENTS_PER_BODY) / EVENTS_PER_SECOND;
  const bodies = Math.round(((WARM_SECONDS + at.seconds) * 1_000) / intervalMs);
  const posted: Promise<void>[] = [];
  let fault: unknown = null;
  for (let body = 0; body < bodies; body += 1) {
    const dueMs = beginMs + body * intervalMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    posted.push(
      postBody(body % RUNS, dueMs).catch((error: unknown) => {
        fault = error;
      }),
    );
  }
  await Promise.all(posted);
  agent.destroy();
  if (fault !== null) throw new Error('a body was not taken', { cause: fault });
  for (let tries = 0; due.size > 0 && tries < 200; tries += 1) await delay(50);
  if (due.size > 0) throw new Error(`${due.size} events were never seen by the subscriber`);
  seen.sort((a, b) => a - b);
  acknowledged.sort((a, b) => a - b);
  return {
    seenP50Ms: percentile(seen, 0.5),
    seenP99Ms: percentile(seen, 0.99),
    acknowledgedP50Ms: percentile(acknowledged, 0.5),
    acknowledgedP99Ms: percentile(acknowledged, 0.99),
    events: seen.length,
  };
}
