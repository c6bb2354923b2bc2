import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ServiceName, ServiceProcess } from '../test/support/service-process.ts';
import { encoder } from './bench-log.ts';

interface Probe {
  readonly pid: number;
  readonly atMs: number;
  readonly cpuMicros: number;
  readonly rssBytes: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
}

/** The resources that a process used between two moments. */
export interface Usage {
  readonly seconds: number;
  readonly cpuMicros: number;
  readonly rssBytesFirst: number;
  readonly rssBytesLast: number;
  /** The worst 99th percentile of any half second, of the delay of a 5 ms timer, including the 5 ms. */
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
}

const probeScript = new URL('./probe.ts', import.meta.url).href;
const PROBE_INTERVAL_MS = 500;

/**
 * A real service process that reports what it uses. `RUNLOG_BENCH_PROFILES=folder` keeps a CPU profile of each
 * measurement.
 */
export class MeasuredProcess implements AsyncDisposable {
  readonly service: ServiceProcess;
  readonly #folder: string;
  readonly #profiled: boolean;

  private constructor(service: ServiceProcess, held: { folder: string; profiled: boolean }) {
    this.service = service;
    this.#folder = held.folder;
    this.#profiled = held.profiled;
  }

  static async start(
    name: ServiceName,
    env: Readonly<Record<string, string>>,
    options: { readyMsMax?: number } = {},
  ): Promise<MeasuredProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'runlog-bench-'));
    const profiles = process.env.RUNLOG_BENCH_PROFILES;
    const service = await ServiceProcess.start(
      name,
      {
        ...env,
        RUNLOG_KAFKA_ENCODER: encoder,
        NODE_OPTIONS: `--import tsx --import ${probeScript}`,
        BENCH_PROBE_FILE: join(folder, 'probes.jsonl'),
        ...(profiles === undefined
          ? {}
          : { BENCH_PROFILE_FILE: join(profiles, `${name}-${Date.now()}.cpuprofile`) }),
      },
      options,
    );
    return new MeasuredProcess(service, { folder, profiled: profiles !== undefined });
  }

  /** Measures what the process uses while `work` runs, to within half a second. */
  async during<Value>(work: () => Promise<Value>): Promise<{ value: Value; usage: Usage }> {
    const fromMs = performance.timeOrigin + performance.now();
    if (this.#profiled) process.kill(this.service.pid, 'SIGUSR2');
    const value = await work();
    const toMs = performance.timeOrigin + performance.now();
    if (this.#profiled) process.kill(this.service.pid, 'SIGUSR2');
    await delay(PROBE_INTERVAL_MS * 2);
    const usages = [...this.#probesByProcess().values()].map((probes) => usageOf(probes, { fromMs, toMs }));
    return { value, usage: usages.reduce(together) };
  }

  /** A service with workers is several processes. */
  #probesByProcess(): Map<number, Probe[]> {
    const byProcess = new Map<number, Probe[]>();
    for (const probe of this.#probes())
      byProcess.set(probe.pid, [...(byProcess.get(probe.pid) ?? []), probe]);
    return byProcess;
  }

  #probes(): Probe[] {
    return readFileSync(join(this.#folder, 'probes.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Probe);
  }

  get rssBytes(): number {
    return this.#probes().at(-1)!.rssBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function usageOf(probes: readonly Probe[], { fromMs, toMs }: { fromMs: number; toMs: number }): Usage {
  const first = probes.findLast(({ atMs }) => atMs <= fromMs) ?? probes[0]!;
  const last = probes.find(({ atMs }) => atMs >= toMs) ?? probes.at(-1)!;
  const inside = probes.filter(({ atMs }) => atMs > first.atMs && atMs <= last.atMs);
  return {
    seconds: (last.atMs - first.atMs) / 1_000,
    cpuMicros: last.cpuMicros - first.cpuMicros,
    rssBytesFirst: first.rssBytes,
    rssBytesLast: last.rssBytes,
    loopDelayP99Ms: Math.max(...inside.map(({ loopDelayP99Ms }) => loopDelayP99Ms)),
    loopDelayMaxMs: Math.max(...inside.map(({ loopDelayMaxMs }) => loopDelayMaxMs)),
  };
}

/** What two processes used at the same time. */
function together(one: Usage, other: Usage): Usage {
  return {
    seconds: Math.max(one.seconds, other.seconds),
    cpuMicros: one.cpuMicros + other.cpuMicros,
    rssBytesFirst: one.rssBytesFirst + other.rssBytesFirst,
    rssBytesLast: one.rssBytesLast + other.rssBytesLast,
    loopDelayP99Ms: Math.max(one.loopDelayP99Ms, other.loopDelayP99Ms),
    loopDelayMaxMs: Math.max(one.loopDelayMaxMs, other.loopDelayMaxMs),
  };
}
