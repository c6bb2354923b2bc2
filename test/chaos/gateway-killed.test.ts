import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { STREAM_RECONNECT_MS_MAX } from '@runlog/schema/limits';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { expect, inject, it } from 'vitest';
import { noteText } from '../support/embedded-ingest.ts';
import { freePort } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';
import type { HerdProgress, HerdQuestion, HerdTask, HerdVerdict } from './herd-child.ts';
import { until } from './until.ts';

/** `HERD=2000x1000` means 2,000 clients and 1,000 events a second, for which two cores must be free. */
const [CLIENTS, EVENTS_PER_SECOND] = herdOf(process.env.HERD ?? '300x200');
const RUNS = Math.min(50, Math.ceil(CLIENTS / 10));
const PARTITIONS = 4;
const BODIES_PER_SECOND = 20;
/** How long events come before the kill and after the restart. */
const BEFORE_MS = 5_000;
const AFTER_MS = 8_000;
const WAIT_MS_MAX = 180_000;
/** How long a connection may take on a busy machine. */
const CONNECT_MS_MAX = 15_000;
/** The share of the clients that may come back in the same quarter of a second. */
const HERD_SHARE_MAX = 0.5;

const keyOf = (run: number) => `local/herd-${run}/default`;

it('a gateway that is killed under its clients costs none of them an entry', async () => {
  const port = await freePort();
  const prefix = `${uniqueName('herd')}-`;
  const brokers = inject('kafkaBrokers');
  const env = {
    KAFKA_BROKERS: brokers.join(','),
    RUNLOG_TOPIC_PREFIX: prefix,
    RUNLOG_PARTITIONS: String(PARTITIONS),
    RUNLOG_GATEWAY_PORT: String(port),
  };
  await using ingest = await ServiceProcess.start('ingest', env);
  await using _aggregator = await ServiceProcess.start('aggregator', env);
  let gateway = await ServiceProcess.start('gateway', env);
  using herd = new Herd({
    url: `ws://127.0.0.1:${port}/v1/stream`,
    runs: Array.from({ length: RUNS }, (_, run) => keyOf(run)),
    clients: CLIENTS,
  });
  const load = new Load(ingest.addresses.ingest!);
  try {
    await until(async () => (await herd.progress()).begun === CLIENTS, {
      what: () => `${CLIENTS} clients are connected`,
      withinMs: WAIT_MS_MAX,
    });
    load.begin();
    await delay(BEFORE_MS);
    const killedAtMs = Date.now();
    expect(await gateway.end('SIGKILL')).toBe('SIGKILL');
    gateway = await ServiceProcess.start('gateway', env);
    const backAtMs = Date.now();
    await delay(AFTER_MS);
    await load.end();
    const due = await entriesOf({ brokers, prefix });
    expect(Object.values(due).flat()).toHaveLength(load.acknowledged);

    const endedAtMs = Date.now();
    const verdict = await herd.judge(due, WAIT_MS_MAX);
    const wholeAfterMs = Date.now() - endedAtMs;
    const { openedAtMs, entries } = await herd.progress();
    const returns = openedAtMs.filter((atMs) => atMs > killedAtMs).map((atMs) => atMs - backAtMs);
    const fullest = fullestQuarter(returns);
    process.stdout.write(
      `gateway killed under ${CLIENTS} clients at ${EVENTS_PER_SECOND} events/s: ${JSON.stringify({
        ...{ events: load.acknowledged, entries, whole: verdict.whole, wholeAfterMs },
        ...{ downMs: backAtMs - killedAtMs, lastBackMs: Math.max(...returns), fullestQuarterSecond: fullest },
      })}\n`,
    );
    expect(verdict).toEqual({ whole: CLIENTS, wrong: [] });
    expect(entries).toBe((load.acknowledged / RUNS) * CLIENTS);
    // Each came back once, not all at the same moment, and none later than its window allows.
    expect(returns).toHaveLength(CLIENTS);
    expect(fullest).toBeLessThanOrEqual(Math.max(20, CLIENTS * HERD_SHARE_MAX));
    expect(Math.max(...returns)).toBeLessThan(STREAM_RECONNECT_MS_MAX + CONNECT_MS_MAX);
  } finally {
    await load.end();
    await gateway.end('SIGKILL');
  }
}, 600_000);

/** Publishes one event of each run at a steady pace. */
class Load {
  acknowledged = 0;
  readonly #ingest: string;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #made = 0;

  constructor(ingest: string) {
    this.#ingest = ingest;
  }

  begin(): void {
    this.#running = this.#publish();
  }

  /** Resolves when everything is acknowledged. Every run has then got as many events. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #publish(): Promise<void> {
    const startedAtMs = performance.now();
    while (!this.#stop.signal.aborted || this.#made % RUNS !== 0) {
      const dueByNow = ((performance.now() - startedAtMs) / 1_000) * EVENTS_PER_SECOND;
      const missing = this.#stop.signal.aborted
        ? RUNS - (this.#made % RUNS)
        : Math.floor(dueByNow - this.#made);
      if (missing > 0) await this.#post(Math.min(missing, 1_000));
      else await delay(1_000 / BODIES_PER_SECOND);
    }
  }

  async #post(events: number): Promise<void> {
    const body = Array.from({ length: events }, () => {
      this.#made += 1;
      return noteText({ event_id: `herd-${this.#made}`, run_id: `herd-${this.#made % RUNS}` });
    }).join('\n');
    const response = await fetch(`${this.#ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    });
    expect(await response.json()).toMatchObject({ accepted: events, retry: 0 });
    this.acknowledged += events;
  }
}

/** The process of the clients. */
class Herd implements Disposable {
  readonly #child: ChildProcess;

  constructor(task: HerdTask) {
    const program = fileURLToPath(new URL('./herd-child.ts', import.meta.url));
    this.#child = fork(program, [JSON.stringify(task)], { execArgv: ['--import', 'tsx'] });
  }

  progress(): Promise<HerdProgress> {
    return this.#ask({ ask: 'progress' });
  }

  judge(due: Readonly<Record<string, readonly number[]>>, withinMs: number): Promise<HerdVerdict> {
    return this.#ask({ ask: 'judge', due, withinMs });
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }

  async #ask<Answer>(question: HerdQuestion): Promise<Answer> {
    const answer = once(this.#child, 'message');
    this.#child.send(question);
    return ((await answer) as [Answer])[0];
  }
}

/** Returns the offsets of the run's events in the topic, by key. Each is one entry. */
async function entriesOf(at: {
  brokers: readonly string[];
  prefix: string;
}): Promise<Record<string, number[]>> {
  await using io = await openKafka({ brokers: at.brokers, clientId: 'herd', logger: silentLogger });
  const due: Record<string, number[]> = {};
  await readToEnd(io, {
    topic: `${at.prefix}run-events`,
    partitions: Array.from({ length: PARTITIONS }, (_, partition) => partition),
    onRecords: (records) => {
      for (const { key, offset } of records) {
        due[key] ??= [];
        due[key].push(offset);
      }
    },
  });
  return due;
}

/** Returns the most moments that lie in one quarter of a second. */
function fullestQuarter(momentsMs: readonly number[]): number {
  const quarters = new Map<number, number>();
  for (const atMs of momentsMs) {
    const quarter = Math.floor(atMs / 250);
    quarters.set(quarter, (quarters.get(quarter) ?? 0) + 1);
  }
  return Math.max(0, ...quarters.values());
}

function herdOf(text: string): [clients: number, eventsPerSecond: number] {
  const match = /^(\d+)x(\d+)$/.exec(text);
  if (match === null) throw new Error(`HERD is '${text}'; it is like 2000x1000`);
  return [Number(match[1]), Number(match[2])];
}
