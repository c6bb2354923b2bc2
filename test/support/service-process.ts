import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export type ServiceName = 'ingest' | 'aggregator' | 'gateway' | 'up';

/**
 * Long enough for a cold start on two busy cores. A process that is not ready by then fails the test, which shows its
 * output.
 */
const READY_MS_MAX = 120_000;

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A real process of a service, started as its users start it and ended by its own pid. */
export class ServiceProcess implements AsyncDisposable {
  readonly name: ServiceName;
  /** The addresses of the ready line: `ingest`, `gateway`, `aggregator`. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  readonly #output: string[];
  readonly #closed: Promise<void>;

  private constructor(
    name: ServiceName,
    held: { child: ChildProcess; closed: Promise<void>; output: string[]; ready: object },
  ) {
    this.name = name;
    this.#child = held.child;
    this.#closed = held.closed;
    this.#output = held.output;
    this.addresses = held.ready as Record<string, string>;
  }

  /**
   * Starts the process and resolves at its ready line. It takes any free ports unless the environment names some.
   * `folder`: where `up` is started, so that a relative path of its environment means a place there. `readyMsMax`: for one
   * that has much to read first.
   */
  static async start(
    name: ServiceName,
    env: Readonly<Record<string, string>>,
    { folder = root, readyMsMax = READY_MS_MAX }: { folder?: string; readyMsMax?: number } = {},
  ): Promise<ServiceProcess> {
    const args =
      name === 'up'
        ? [join(root, 'packages/cli/bin/runlog.js'), 'up']
        : ['--import', 'tsx', `services/${name}/src/main.ts`];
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        RUNLOG_INGEST_PORT: '0',
        RUNLOG_GATEWAY_PORT: '0',
        RUNLOG_AGGREGATOR_PORT: '0',
        RUNLOG_SNAPSHOT_INTERVAL_MS: '200',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    const closed = once(child, 'close').then(() => undefined);
    const output: string[] = [];
    child.stderr.on('data', (data: Buffer) => output.push(data.toString()));
    const ready = new Promise<object>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        output.push(`${line}\n`);
        if (line.includes('"msg":"ready"')) resolve(JSON.parse(line) as object);
      });
      child.once('close', (code, signal) =>
        reject(new Error(`${name} ended (${code ?? signal}) before it was ready:\n${output.join('')}`)),
      );
      setTimeout(() => reject(new Error(`${name} was not ready:\n${output.join('')}`)), readyMsMax).unref();
    });
    try {
      return new ServiceProcess(name, { child, closed, output, ready: await ready });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get output(): string {
    return this.#output.join('');
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Ends the process. Resolves to the exit code, or the signal's name, when its whole output was read. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string> {
    if (!this.ended) this.#child.kill(signal);
    await this.#closed;
    return this.#child.exitCode ?? this.#child.signalCode ?? 'unknown';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}
