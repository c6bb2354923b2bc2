import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeEvent } from '@runlog/records/event-record';
import { eventTopicSettings, topicNames } from '@runlog/schema/log/topics';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { silentLogger } from '../test/support/silent-logger.ts';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { MeasuredProcess } from './measured-process.ts';
import { percentile } from './rounds.ts';
import { CLUSTER, eventsOf } from './sample-events.ts';

const EVENTS = 1_000_000;
const RUNS = 50;
/** One run has its events among the first of the log. */
const EARLY = 20_000;
const LARGE_EVENTS = 19_000;
const LARGE_BYTES = 20_000;
const PARTITIONS = 4;
const PAGES = 200;
const READERS = 4;
const PROBE_MS = 10;
const RETENTION_HOURS = 720;
const CPU_MS_GOAL = 20;
const READY_MS_MAX = 900_000;
const APPENDED_BYTES = 4 * 1024 * 1024;

/** Measures pages of history in a long log, and what others notice of them. */
export const history: Benchmark = {
  name: 'history',
  summary: `CPU ms of a page of 100 events anywhere in ${EVENTS} of ${RUNS} runs, and /livez beside ${READERS} readers`,
  async run({ seconds }): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-bench-'));
    try {
      process.stderr.write('writing the log\n');
      await fill(folder);
      process.stderr.write('starting a gateway over it\n');
      await using up = await MeasuredProcess.start(
        'up',
        { RUNLOG_DATA_DIR: folder },
        { readyMsMax: READY_MS_MAX },
      );
      return await measure(up, seconds);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(up: MeasuredProcess, seconds: number): Promise<Result> {
  const url = up.service.addresses.gateway!;
  const last = new Map<number, number>();
  for (let run = 0; run < RUNS; run += 1) {
    const { position } = JSON.parse(await text(`${url}/v1/runs/${CLUSTER}/run-${run}/default`)) as {
      position: { seq: number };
    };
    last.set(run, position.seq);
  }
  const anywhere = (limit: number) => {
    const run = Math.floor(Math.random() * (RUNS - 1));
    const place = Math.floor(Math.random() * last.get(run)!);
    const which = Math.random() < 0.5 ? 'before' : 'after';
    return `${url}/v1/runs/${CLUSTER}/run-${run}/default/events?limit=${limit}&${which}=${place}`;
  };
  const early = `${url}/v1/runs/${CLUSTER}/run-${RUNS - 1}/default/events?limit=100`;
  const large = `${url}/v1/runs/${CLUSTER}/large/default/events?limit=1`;
  for (let page = 0; page < PAGES / 10; page += 1) await text(anywhere(100));
  const pages = await timed(up, PAGES, () => text(anywhere(100)));
  const newest = await timed(up, PAGES / 4, () => text(early));
  const anonymous = await growthOf(up.service.pid, () => text(large));
  const largePages = await timed(up, PAGES / 4, () => text(large));
  const alone = await livezWhile(url, () => delay((seconds * 1_000) / 2));
  const endMs = performance.now() + seconds * 1_000;
  const beside = await livezWhile(url, async () => {
    const read = async () => {
      while (performance.now() < endMs) await text(anywhere(1_000));
    };
    await Promise.all(Array.from({ length: READERS }, read));
  });
  return {
    figure: rounded(pages.cpuMs),
    unit: 'ms of CPU a page',
    limit: CPU_MS_GOAL,
    limit_is: 'a goal',
    ratio: rounded(pages.cpuMs / CPU_MS_GOAL),
    how: `runlog up over a log of ${EVENTS} events of ${RUNS} runs; ${PAGES} pages of 100 events at random places, forwards and backwards`,
    details: {
      page_ms: pages.ms,
      newest_page_of_a_run_that_ended_early: { cpu_ms: rounded(newest.cpuMs), ms: newest.ms },
      one_of_19000_events_of_20_kb: {
        cpu_ms: rounded(largePages.cpuMs),
        ms: largePages.ms,
        memory_mib: anonymous,
      },
      livez_ms: { alone, [`beside_${READERS}_readers_of_pages_of_1000`]: beside },
    },
  };
}

/** Returns the CPU time of each call and how long it took for the caller. */
async function timed(up: MeasuredProcess, calls: number, call: () => Promise<unknown>) {
  const took: number[] = [];
  const { usage } = await up.during(async () => {
    for (let number = 0; number < calls; number += 1) {
      const fromMs = performance.now();
      await call();
      took.push(performance.now() - fromMs);
    }
  });
  return { cpuMs: usage.cpuMicros / 1_000 / calls, ms: percentiles(took) };
}

async function livezWhile(url: string, work: () => Promise<unknown>) {
  const took: number[] = [];
  let isOver = false;
  const probing = (async () => {
    while (!isOver) {
      const fromMs = performance.now();
      await text(`${url}/livez`);
      took.push(performance.now() - fromMs);
      await delay(PROBE_MS);
    }
  })();
  await work();
  isOver = true;
  await probing;
  return percentiles(took);
}

function percentiles(took: number[]) {
  const sorted = took.sort((a, b) => a - b);
  return { p50: rounded(percentile(sorted, 0.5)), p99: rounded(percentile(sorted, 0.99)) };
}

/** Returns by how many MiB the process's own memory grew at most while it worked; null where the system does not say. */
async function growthOf(pid: number, work: () => Promise<unknown>): Promise<number | null> {
  const own = async () => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024;
  };
  const before = await own();
  let highest = before;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      highest = Math.max(highest, await own());
      await delay(5);
    }
  })();
  await work();
  isOver = true;
  await watching;
  return Number.isNaN(before) ? null : Math.round(highest - before);
}

const agent = new Agent({ keepAlive: true });

function text(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (data: Buffer) => parts.push(data));
      answer.on('error', reject);
      answer.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        if (answer.statusCode === 200) resolve(body);
        else reject(new Error(`${url} answered ${answer.statusCode}: ${body}`));
      });
    }).on('error', reject);
  });
}

async function fill(folder: string): Promise<void> {
  await using io = await openEmbedded({ folder, logger: silentLogger, now: Date.now });
  const { events } = topicNames('');
  await io.ensureTopics([{ name: events, partitions: PARTITIONS, ...eventTopicSettings(RETENTION_HOURS) }]);
  await using writer = await io.writer();
  const lanes = Array.from({ length: PARTITIONS }, () => ({ records: [] as RecordToAppend[], bytes: 0 }));
  const put = async (partition: number) => {
    const lane = lanes[partition]!;
    lane.bytes = 0;
    const { fault } = await writer.append({ topic: events, partition, records: lane.records.splice(0) });
    if (fault !== undefined) throw fault;
  };
  for (const record of allRecords()) {
    const partition = partitionOf(record.key, PARTITIONS);
    const lane = lanes[partition]!;
    lane.records.push(record);
    lane.bytes += record.value?.length ?? 0;
    if (lane.bytes >= APPENDED_BYTES) await put(partition);
  }
  for (const [partition, { records }] of lanes.entries()) if (records.length > 0) await put(partition);
}

function* allRecords(): Generator<RecordToAppend> {
  const sources = Array.from({ length: RUNS }, (_, run) => eventsOf(run));
  const receivedAtMs = Date.now() - EVENTS - LARGE_EVENTS;
  for (let made = 0; made < EVENTS; made += 1) {
    const run = Math.floor(made / 10) % (made < EARLY ? RUNS : RUNS - 1);
    const { json, id, type, seq } = sources[run]!.next().value;
    const whose = { run_id: `run-${run}`, emitter_id: `e${run}`, emitter_seq: seq };
    yield recordOf({ event_id: id, event_type: type, ...whose }, { json, atMs: receivedAtMs + made });
  }
  const note = 'x'.repeat(LARGE_BYTES);
  for (let seq = 1; seq <= LARGE_EVENTS; seq += 1) {
    const whose = { run_id: 'large', emitter_id: 'large', emitter_seq: seq };
    const atMs = receivedAtMs + EVENTS + seq;
    const event = { event_id: `large-${seq}`, event_type: 'NOTE', ...whose };
    const json = JSON.stringify({ ...event, timestamp: new Date(atMs).toISOString(), data: { note } });
    yield recordOf(event, { json, atMs });
  }
}

function recordOf(
  event: { event_id: string; event_type: string; run_id: string; emitter_id: string; emitter_seq: number },
  stored: { json: string; atMs: number },
): RecordToAppend {
  const { json, atMs } = stored;
  return encodeEvent(
    { ...event, group_id: 'default' },
    {
      ...{ clusterId: CLUSTER, value: Buffer.from(json) },
      ...{ receivedAt: new Date(atMs).toISOString(), receivedAtMs: atMs },
    },
  );
}
