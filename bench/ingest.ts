import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { topicNames } from '@runlog/schema/log/topics';
import { openBenchLog } from './bench-log.ts';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { runChild } from './child.ts';
import type { LoadOptions, LoadResult } from './http-load.ts';
import { producerPerformance, startBenchBroker } from './kafka.ts';
import { MeasuredProcess, type Usage } from './measured-process.ts';
import { median } from './rounds.ts';

const EVENTS_PER_BODY = 100;
const CONNECTIONS = 16;
const ROUNDS = 3;
const PARTITIONS = 4;
const RECORD_BYTES = 925;
const MIB = 2 ** 20;

interface Measured {
  readonly load: LoadResult;
  readonly usage: Usage;
}

/** The ways in that are measured, each through a service of its own. */
const ways = {
  'NDJSON, one process': { workers: 1, format: 'ndjson' },
  'NDJSON, two workers': { workers: 2, format: 'ndjson' },
  'OTLP protobuf, one process': { workers: 1, format: 'otlp' },
  'OTLP protobuf, two workers': { workers: 2, format: 'otlp' },
} as const satisfies Readonly<Record<string, { workers: number; format: LoadOptions['format'] }>>;
type Way = keyof typeof ways;
const wayNames = Object.keys(ways) as Way[];
const BEST: Way = 'NDJSON, two workers';

/** Measures events over HTTP into the log, through one process of ingest and through two on one port. */
export const ingest: Benchmark = {
  name: 'ingest',
  summary:
    "events/s over HTTP durably in Kafka through ingest, by JSON and by OTLP, beside Kafka's ProducerPerformance",
  async run({ seconds }): Promise<Result> {
    await using broker = await startBenchBroker();
    await using io = await openBenchLog(broker.brokers);
    const prefix = `bench-${randomUUID()}-`;
    const topics = topicNames(prefix);
    const start = (workers: number) =>
      MeasuredProcess.start('ingest', {
        KAFKA_BROKERS: broker.brokers.join(','),
        RUNLOG_TOPIC_PREFIX: prefix,
        RUNLOG_PARTITIONS: String(PARTITIONS),
        RUNLOG_WORKERS: String(workers),
      });
    await using alone = await start(1);
    await using several = await start(2);
    let firstRun = 0;
    const load = async (way: Way, forSeconds: number, eventsPerSecond: number): Promise<Measured> => {
      firstRun += CONNECTIONS;
      const { workers, format } = ways[way];
      const measured = workers === 1 ? alone : several;
      const url = measured.service.addresses.ingest!;
      const { value, usage } = await measured.during(() =>
        runLoad({ url, seconds: forSeconds, eventsPerSecond, firstRun, format }),
      );
      return { load: value, usage };
    };
    const roundSeconds = seconds / ROUNDS / (wayNames.length + 1);
    const full = new Map<Way, Measured[]>(wayNames.map((way) => [way, []]));
    const limits: number[] = [];
    for (const way of wayNames) await load(way, roundSeconds, 0);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const way of wayNames) full.get(way)!.push(await load(way, roundSeconds, 0));
      const records = Math.round(roundSeconds * 60_000);
      limits.push(
        await producerPerformance({ ...broker, topic: topics.events, recordBytes: RECORD_BYTES, records }),
      );
    }
    const limit = median(limits);
    const rates = new Map(wayNames.map((way) => [way, rateOf(full.get(way)!)]));
    const half = await load(
      'NDJSON, one process',
      Math.max(roundSeconds, 3),
      rates.get('NDJSON, one process')! / 2,
    );
    for (const topic of Object.values(topics))
      if ((await io.describeTopic(topic)) !== null) await io.deleteTopic(topic);
    const figure = rates.get(BEST)!;
    return {
      figure: rounded(figure),
      unit: 'events/s',
      limit: rounded(limit),
      limit_is: "Kafka's ProducerPerformance, acks=all, 256 KiB batches, linger 5 ms, the same record size",
      ratio: rounded(figure / limit),
      how: `bodies of ${EVENTS_PER_BODY} over ${CONNECTIONS} keep-alive connections from another process; the figure is ${BEST}; ${ROUNDS} rounds in turn, medians; broker on the same machine (${broker.way})`,
      details: {
        ...Object.fromEntries(wayNames.map((way) => [way, detailsOf(full.get(way)!, limit)])),
        half_load_of_one_process: {
          events_per_second: rounded(half.load.accepted / half.load.seconds),
          loop_delay_p99_ms: rounded(half.usage.loopDelayP99Ms),
          request_p50_ms: rounded(half.load.p50Ms),
          request_p99_ms: rounded(half.load.p99Ms),
        },
      },
    };
  },
};

function rateOf(rounds: readonly Measured[]): number {
  return median(rounds.map(({ load: { accepted, seconds: took } }) => accepted / took));
}

function detailsOf(rounds: readonly Measured[], limit: number): Record<string, unknown> {
  const each = (figure: (measured: Measured) => number) => rounded(median(rounds.map(figure)));
  return {
    events_per_second: rounded(rateOf(rounds)),
    share_of_limit: rounded(rateOf(rounds) / limit),
    body_bytes_per_event: each(({ load: { bodyBytes, accepted } }) => bodyBytes / accepted),
    cpu_us_per_event: each(({ load: { accepted }, usage }) => usage.cpuMicros / accepted),
    load_cpu_us_per_event: each(({ load: { accepted, cpuMicros } }) => cpuMicros / accepted),
    request_p99_ms: each(({ load: { p99Ms } }) => p99Ms),
    loop_delay_p99_ms: each(({ usage }) => usage.loopDelayP99Ms),
    rss_mib: rounds.map(({ usage }) => Math.round(usage.rssBytesLast / MIB)),
    refused_requests: rounds.reduce((sum, { load: { refused } }) => sum + refused, 0),
  };
}

/** Measures the same through `runlog up`: all three services in one process over the embedded log. */
export const ingestEmbedded: Benchmark = {
  name: 'ingest-up',
  summary: 'events/s over HTTP durably in the embedded log of `runlog up` and live in its gateway',
  async run({ seconds }): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-bench-'));
    try {
      await using measured = await MeasuredProcess.start('up', { RUNLOG_DATA_DIR: folder });
      const { ingest: url, gateway } = measured.service.addresses;
      await runLoad({ url: url!, seconds: 2, eventsPerSecond: 0, firstRun: 0, format: 'ndjson' });
      const from = performance.now();
      const { value: load, usage } = await measured.during(() =>
        runLoad({ url: url!, seconds, eventsPerSecond: 0, firstRun: CONNECTIONS, format: 'ndjson' }),
      );
      await live(gateway!, { firstRun: CONNECTIONS, events: load.accepted });
      const liveSeconds = (performance.now() - from) / 1_000;
      const figure = load.accepted / load.seconds;
      const goal = 30_000;
      return {
        figure: rounded(figure),
        unit: 'events/s',
        limit: goal,
        limit_is: 'the goal, because no other program does the same',
        ratio: rounded(figure / goal),
        how: `NDJSON bodies of ${EVENTS_PER_BODY} over ${CONNECTIONS} keep-alive connections from another process; every event is in the gateway's states before the figure counts`,
        details: {
          cpu_us_per_event: rounded(usage.cpuMicros / load.accepted),
          load_cpu_us_per_event: rounded(load.cpuMicros / load.accepted),
          live_events_per_second: rounded(load.accepted / Math.max(liveSeconds - 1, load.seconds)),
          request_p50_ms: rounded(load.p50Ms),
          request_p99_ms: rounded(load.p99Ms),
          loop_delay_p99_ms: rounded(usage.loopDelayP99Ms),
          rss_mib: Math.round(usage.rssBytesLast / MIB),
          refused_requests: load.refused,
        },
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function runLoad(
  load: Pick<LoadOptions, 'url' | 'seconds' | 'eventsPerSecond' | 'firstRun' | 'format'>,
): Promise<LoadResult> {
  return runChild<LoadOptions, LoadResult>('./http-load.ts', {
    ...load,
    connections: CONNECTIONS,
    eventsPerBody: EVENTS_PER_BODY,
  });
}

/** Resolves when the gateway has folded every event of the load's runs. */
async function live(gateway: string, load: { firstRun: number; events: number }): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    let events = 0;
    for (let run = load.firstRun; run < load.firstRun + CONNECTIONS; run += 1) {
      const answer = await fetch(`${gateway}/v1/runs/local/run-${run}/default`);
      if (answer.status !== 200) continue;
      events += ((await answer.json()) as { total_events_received: number }).total_events_received;
    }
    if (events >= load.events) return;
    await delay(100);
  }
  throw new Error('the gateway did not catch up within 30 s');
}
