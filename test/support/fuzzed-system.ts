import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { noteText } from './embedded-ingest.ts';
import { makeKeyFile, type TestKeyFile } from './key-file.ts';
import { ServiceProcess } from './service-process.ts';
import { type AnyFrame, StreamSocket } from './stream-socket.ts';

const WITNESS_RUN = 'witness';
const WITNESS_MS = 50;
/** Far above what a delta takes on two busy cores. */
const DELTA_MS_MAX = 60_000;

/** How long fuzzers run: `FUZZ_MINUTES`, or the bound that a test has in CI. */
export function fuzzMs(bound: number): number {
  const minutes = Number(process.env.FUZZ_MINUTES ?? '');
  return Number.isFinite(minutes) && minutes > 0 ? minutes * 60_000 : bound;
}

/** The time that a test with such a fuzzer may take. */
export function fuzzTimeout(bound: number): number {
  return fuzzMs(bound) + 300_000;
}

/**
 * A real `runlog up` over an embedded log that is about to be attacked, with or without keys. All its runs are of the
 * cluster `local`. A process that ended is started again, so that a fuzzer can look for a smaller attack.
 */
export class FuzzedSystem implements AsyncDisposable {
  /** The secret of a view key for all runs; null if the system is open. */
  readonly secret: string | null;
  /** A view key that shows other runs. */
  readonly otherSecret: string | null;
  readonly #publishSecret: string | null;
  readonly #folder: string;
  readonly #keys: TestKeyFile | null;
  readonly #env: Readonly<Record<string, string>>;
  #up: ServiceProcess;

  private constructor(held: {
    folder: string;
    keys: TestKeyFile | null;
    env: Readonly<Record<string, string>>;
    up: ServiceProcess;
    secrets: { view: string; other: string; publish: string } | null;
  }) {
    this.#folder = held.folder;
    this.#keys = held.keys;
    this.#env = held.env;
    this.#up = held.up;
    this.secret = held.secrets?.view ?? null;
    this.otherSecret = held.secrets?.other ?? null;
    this.#publishSecret = held.secrets?.publish ?? null;
  }

  static async start({ withKeys }: { withKeys: boolean }): Promise<FuzzedSystem> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-fuzz-'));
    const keys = withKeys ? await makeKeyFile() : null;
    const secrets =
      keys === null
        ? null
        : {
            view: await keys.add('all', { role: 'view', runs: ['local/*'] }),
            other: await keys.add('some', { role: 'view', runs: ['local/other-*'] }),
            publish: await keys.add('publish', { role: 'publish', cluster: 'local' }),
          };
    const env = {
      RUNLOG_DATA_DIR: folder,
      RUNLOG_LOG_LEVEL: 'warn',
      ...(keys === null ? {} : { RUNLOG_KEYS_FILE: keys.path }),
    };
    const up = await ServiceProcess.start('up', { ...env, RUNLOG_LOG_LEVEL: 'info' });
    return new FuzzedSystem({ folder, keys, env, up, secrets });
  }

  get pid(): number {
    return this.#up.pid;
  }

  get output(): string {
    return this.#up.output;
  }

  get url(): string {
    return this.#up.addresses.gateway!;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.secret === null ? {} : { authorization: `Bearer ${this.secret}` };
  }

  /** Starts another process if the former one has ended. */
  async revive(): Promise<void> {
    if (this.#up.ended) this.#up = await ServiceProcess.start('up', this.#env);
  }

  /** Throws if the process has ended. */
  async mustLive(): Promise<void> {
    if (this.#up.ended) throw new Error(`the process has ended:\n${this.#up.output.slice(-4_000)}`);
    const { status } = await fetch(`${this.url}/livez`);
    if (status !== 200) throw new Error(`/livez answers ${status}`);
  }

  /** Publishes events of a run. Resolves when they are acknowledged. */
  async post(run: string, ids: readonly string[]): Promise<void> {
    const response = await fetch(`${this.#up.addresses.ingest!}/v1/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-ndjson',
        ...(this.#publishSecret === null ? {} : { authorization: `Bearer ${this.#publishSecret}` }),
      },
      body: ids.map((event_id) => noteText({ event_id, run_id: run })).join('\n'),
    });
    if (response.status !== 200)
      throw new Error(`ingest answers ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`, { headers: this.headers })).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    if (line === undefined) throw new Error(`there is no metric ${name}`);
    return Number(line.split(' ')[1]);
  }

  stop(): Promise<number | string> {
    return this.#up.end('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#up[Symbol.asyncDispose]();
    await this.#keys?.[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A well-behaved client beside an attack: it publishes an event of its run, waits for its step, and so on. Every step
 * must follow the one before.
 */
export class Witness implements AsyncDisposable {
  /** The steps that came. */
  steps = 0;
  readonly #system: FuzzedSystem;
  readonly #stream: StreamSocket;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #fault: unknown = null;
  #seq: unknown;

  private constructor(system: FuzzedSystem, stream: StreamSocket, seq: unknown) {
    this.#system = system;
    this.#stream = stream;
    this.#seq = seq;
    this.#running = this.#watch().catch((error: unknown) => {
      this.#fault = error;
    });
  }

  static async start(system: FuzzedSystem): Promise<Witness> {
    const stream = await StreamSocket.open(system.url, { headers: system.headers });
    stream.send({ id: 1, sub: [{ ch: `run:local/${WITNESS_RUN}/default` }] });
    const { snapshot } = await stream.next((frame) => frame.id === 1);
    return new Witness(
      system,
      stream,
      (snapshot as { position: { seq: number } | null }).position?.seq ?? null,
    );
  }

  /** Throws what has gone wrong so far. */
  mustBeWell(): void {
    if (this.#fault !== null) throw this.#fault;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#stream[Symbol.asyncDispose]();
  }

  async #watch(): Promise<void> {
    for (let n = 1; !this.#stop.signal.aborted; n += 1) {
      const id = `witness-${process.pid}-${performance.now()}-${n}`;
      await this.#system.post(WITNESS_RUN, [id]);
      const patience = AbortSignal.timeout(DELTA_MS_MAX);
      const step = await Promise.race([this.#stepWith(id), late(patience)]);
      if (step === null) throw new Error(`the witness got no step in ${DELTA_MS_MAX} ms`);
      this.steps += 1;
      await delay(WITNESS_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #stepWith(id: string): Promise<AnyFrame> {
    for (;;) {
      const frame = await this.#stream.next(({ entries }) => entries !== undefined);
      if (frame.prev !== this.#seq) {
        throw new Error(`the witness is at ${String(this.#seq)} and got ${JSON.stringify(frame)}`);
      }
      this.#seq = frame.seq;
      const entries = frame.entries as readonly { metadata: { event_id?: unknown } }[];
      if (entries.some(({ metadata }) => metadata.event_id === id)) return frame;
    }
  }
}

function late(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}
