import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../support/python-venv.ts';
import { paced } from './doubles/paced.ts';
import { fileBeside, ProcessSender } from './process-sender.ts';
import type { Sender, Sending, Task } from './sender.ts';

/** The OpenTelemetry Collector from the Go module proxy: it reads a log file of JSON lines and exports by `otlp_http`. */
export const collector: Sender = {
  name: 'OpenTelemetry Collector, file log, otlp_http',
  version: '0.165.0',
  givesUp: false,
  start: async (task) => CollectorSender.start(await builtCollector(), task),
};

/** Builds the Collector once into ~/.cache/runlog, with the Go on the path: two to three minutes on two cores. */
export async function builtCollector(): Promise<string> {
  const folder = fileBeside('collector');
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(await readFile(join(folder, file)));
  const program = join(cacheFolder, `otelcol-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(program)) return program;
  await mkdir(cacheFolder, { recursive: true });
  const child = spawn('go', ['build', '-o', `${program}.new`, '.'], { cwd: folder, stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`"go build" in ${folder} ended with ${code}; it needs Go 1.26 or newer`);
  await rename(`${program}.new`, program);
  return program;
}

class CollectorSender implements Sending {
  /** Resolves when the file is written: a Collector goes on for ever, so what it has sent shows only in the run. */
  readonly finished: Promise<void>;
  readonly #process: ProcessSender;
  readonly #folder: string;
  readonly #stop = new AbortController();

  private constructor(process: ProcessSender, of: { task: Task; file: string; folder: string }) {
    this.#process = process;
    this.#folder = of.folder;
    this.finished = this.#write(of);
    this.finished.catch(() => undefined);
  }

  static async start(program: string, task: Task): Promise<CollectorSender> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-collector-'));
    const file = join(folder, 'train.log');
    const settings = join(folder, 'collector.yaml');
    await writeFile(file, '');
    await writeFile(settings, configurationOf({ file, url: task.url }));
    const process = new ProcessSender(program, ['--config', settings], {});
    return new CollectorSender(process, { task, file, folder });
  }

  async #write({ task, file }: { task: Task; file: string }): Promise<void> {
    const log = createWriteStream(file, { flags: 'a' });
    await paced({ ...task, signal: this.#stop.signal }, (n) => {
      const line = { event_name: 'step.done', 'runlog.run': task.run, n, loss: 1 / (n + 1) };
      log.write(`${JSON.stringify(line)}\n`);
    });
    log.end();
    await once(log, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.finished.catch(() => undefined);
    await this.#process[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Whatever is not said here is the Collector's own choice: protobuf, gzip, ten requests at a time, 30 s for an answer. The batch
 * is what docs/senders.md tells people to set: by itself the receiver's bodies have 100 events.
 */
function configurationOf({ file, url }: { file: string; url: string }): string {
  return `
receivers:
  filelog:
    include: [${file}]
    start_at: beginning
    operators:
      - type: json_parser
exporters:
  otlp_http:
    logs_endpoint: ${url}/v1/logs
    sending_queue:
      block_on_overflow: true
      sizer: items
      queue_size: 100000
      batch: { flush_timeout: 200ms, min_size: 1000, max_size: 8192 }
    retry_on_failure:
      max_elapsed_time: 0
      max_interval: 5s
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    logs:
      receivers: [filelog]
      exporters: [otlp_http]
`;
}
