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

/** Measures events over HTTP into the log, through one ingest process. */
export const ingest: Benchmark = {
  name: 'ingest',
  summary:
    "events/s over HTTP durably in Kafka through one ingest process, beside Kafka's ProducerPerformance",
  async run({ seconds }): Promise<Result> {
    await using broker = await startBenchBroker();
    await using io = await openBenchLog(broker.brokers);
    const prefix = `bench-${randomUUID()}-`;
    const topics = topicNames(prefix);
    await using measured = await MeasuredProcess.start('ingest', {
      KAFKA_BROKERS: broker.brokers.join(','),
      RUNLOG_TOPIC_PREFIX: prefix,
      RUNLOG_PARTITIONS: String(PARTITIONS),
    });
    const url = measured.service.addresses.ingest!;
    let firstRun = 0;
    const load = async (forSeconds: number, eventsPerSecond: number): Promise<Measured> => {
      firstRun += CONNECTIONS;
      const { value, usage } = await measured.during(() =>
        runLoad({ url, seconds: forSeconds, eventsPerSecond, firstRun }),
      );
      return { load: value, usage };
    };
    const roundSeconds = seconds / ROUNDS / 2;
    const warm = await load(roundSeconds, 0);
    const full: Measured[] = [];
    const limits: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      full.push(await load(roundSeconds, 0));
      const records = Math.round(roundSeconds * 60_000);
      limits.push(
        await producerPerformance({ ...broker, topic: topics.events, recordBytes: RECORD_BYTES, records }),
      );
    }
    const figure = median(full.map(({ load: { accepted, seconds: took } }) => accepted / took));
    const limit = median(limits);
    const half = await load(Math.max(roundSeconds, 3), figure / 2);
    for (const topic of Object.values(topics))
      if ((await io.describeTopic(topic)) !== null) await io.deleteTopic(topic);
    return {
      figure: rounded(figure),
      unit: 'events/s',
      limit: rounded(limit),
      limit_is: "Kafka's ProducerPerformance, acks=all, 256 KiB batches, linger 5 ms, the same record size",
      ratio: rounded(figure / limit),
      how: `NDJSON bodies of ${EVENTS_PER_BODY} over ${CONNECTIONS} keep-alive connections from another process; ${ROUNDS} rounds in turn, medians; broker on the same machine (${broker.way})`,
      details: {
        cpu_us_per_event: rounded(
          median(full.map(({ load: { accepted }, usage }) => usage.cpuMicros / accepted)),
        ),
        load_cpu_us_per_event: rounded(
          median(full.map(({ load: { accepted, cpuMicros } }) => cpuMicros / accepted)),
        ),
        request_p99_ms: rounded(median(full.map(({ load: { p99Ms } }) => p99Ms))),
        loop_delay_p99_ms_at_full_load: rounded(median(full.map(({ usage }) => usage.loopDelayP99Ms))),
        half_load: {
          events_per_second: rounded(half.load.accepted / half.load.seconds),
          loop_delay_p99_ms: rounded(half.usage.loopDelayP99Ms),
          request_p50_ms: rounded(half.load.p50Ms),
          request_p99_ms: rounded(half.load.p99Ms),
        },
        rss_mib: [warm, ...full, half].map(({ usage }) => Math.round(usage.rssBytesLast / MIB)),
        refused_requests: full.reduce((sum, { load: { refused } }) => sum + refused, 0),
      },
    };
  },
};

/** Measures the same through `runlog up`: all three services in one process over the embedded log. */
export const ingestEmbedded: Benchmark = {
  name: 'ingest-up',
  summary: 'events/s over HTTP durably in the embedded log of `runlog up` and live in its gateway',
  async run({ seconds }): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-bench-'));
    try {
      await using measured = await MeasuredProcess.start('up', { RUNLOG_DATA_DIR: folder });
      const { ingest: url, gateway } = measured.service.addresses;
      await runLoad({ url: url!, seconds: 2, eventsPerSecond: 0, firstRun: 0 });
      const from = performance.now();
      const { value: load, usage } = await measured.during(() =>
        runLoad({ url: url!, seconds, eventsPerSecond: 0, firstRun: CONNECTIONS }),
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
  load: Pick<LoadOptions, 'url' | 'seconds' | 'eventsPerSecond' | 'firstRun'>,
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
