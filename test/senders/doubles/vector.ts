import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Sender, Sending, Task } from '../sender.ts';
import { paced } from './paced.ts';
import { post } from './post.ts';

/**
 * Behaves as the `http` sink of Vector 0.58 does. The names of its source files stand at each value.
 */
const BATCH_BYTES_MAX = 10_000_000; // src/sinks/util/batch.rs, RealtimeSizeBasedDefaultBatchSettings
const BATCH_MS_MAX = 1_000; // the same
const TIMEOUT_MS = 60_000; // src/sinks/util/service.rs, TIMEOUT_SECS
const BACKOFF_FIRST_MS = 1_000; // the same, RETRY_INITIAL_BACKOFF_SECS
const BACKOFF_MAX_MS = 30_000; // the same, RETRY_MAX_DURATION_SECS
/** src/sinks/util/adaptive_concurrency/mod.rs: begins with 1, and may grow to 200; a failure takes a tenth away. */
const DECREASE_RATIO = 0.9;
/** Beyond this it makes no difference here. */
const CONCURRENCY_MAX = 20;

/** `batch.max_events`, as docs/operations.md has people set it. By itself Vector caps bytes alone. */
const BATCH_EVENTS_MAX = 5_000;

export interface VectorOptions {
  /** `encoding.codec: json` sends an array, and with `framing.method: newline_delimited` one line an event. */
  readonly framing: 'array' | 'newline_delimited';
  readonly compression: 'none' | 'gzip';
}

export function vector(options: VectorOptions): Sender {
  return {
    name: `Vector http, ${options.framing}, ${options.compression}`,
    version: '0.58.0 (double)',
    givesUp: false,
    start: async (task) => new VectorSink(task, options),
  };
}

class VectorSink implements Sending {
  readonly finished: Promise<void>;
  readonly #task: Task;
  readonly #options: VectorOptions;
  readonly #stop = new AbortController();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sending = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #batch: string[] = [];
  #batchBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #limit = 1;
  #inFlight = 0;
  #failure: Error | null = null;

  constructor(task: Task, options: VectorOptions) {
    this.#task = task;
    this.#options = options;
    // Each batch that waits to be sent again listens to it.
    setMaxListeners(0, this.#stop.signal);
    this.finished = this.#run();
    this.finished.catch(() => undefined);
  }

  async #run(): Promise<void> {
    await paced({ ...this.#task, signal: this.#stop.signal }, (n) => this.#take(n));
    this.#flush();
    await Promise.all(this.#sending);
    if (this.#failure !== null) throw this.#failure;
  }

  /** A line of a log file that a remap has parsed, with the fields that the `file` source adds. */
  #take(n: number): void {
    const event = {
      file: '/var/log/train/rank0.log',
      host: 'node-7',
      message: `step ${n} done`,
      source_type: 'file',
      timestamp: new Date().toISOString(),
      run_id: this.#task.run,
      event_type: 'STEP_DONE',
      n,
      loss: 1 / (n + 1),
    };
    const text = JSON.stringify(event);
    this.#batch.push(text);
    this.#batchBytes += text.length;
    if (this.#batchBytes >= BATCH_BYTES_MAX || this.#batch.length >= BATCH_EVENTS_MAX) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS_MAX);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const sent = this.#send(this.#encode(batch))
      .catch((error: Error) => {
        this.#failure ??= error;
      })
      .finally(() => this.#sending.delete(sent));
    this.#sending.add(sent);
  }

  /** src/sinks/http/encoder.rs: no comma and no newline after the last one. */
  #encode(batch: readonly string[]): Buffer {
    const isArray = this.#options.framing === 'array';
    const body = Buffer.from(isArray ? `[${batch.join(',')}]` : batch.join('\n'));
    return this.#options.compression === 'gzip' ? gzipSync(body) : body;
  }

  async #send(body: Buffer): Promise<void> {
    // src/sinks/util/retries.rs, FibonacciRetryPolicy with full jitter. RETRY_ATTEMPTS is without end.
    let previousMs = 0;
    let currentMs = BACKOFF_FIRST_MS;
    for (;;) {
      await this.#turn();
      const outcome = await this.#post(body).finally(() => this.#done());
      if (outcome === 'taken') {
        this.#limit = Math.min(CONCURRENCY_MAX, this.#limit + 1 / this.#limit);
        return;
      }
      this.#limit = Math.max(1, this.#limit * DECREASE_RATIO);
      const nextMs = Math.min(previousMs + currentMs, BACKOFF_MAX_MS);
      previousMs = currentMs;
      currentMs = nextMs;
      await delay(1 + Math.floor(Math.random() * nextMs), undefined, { signal: this.#stop.signal });
    }
  }

  async #post(body: Buffer): Promise<'taken' | 'again'> {
    const { framing, compression } = this.#options;
    let status: number;
    try {
      status = await post(`${this.#task.url}/v1/events?mode=sender`, {
        ...{ agent: this.#agent, body, timeoutMs: TIMEOUT_MS, signal: this.#stop.signal },
        headers: {
          // src/sinks/http/config.rs: the content type follows from codec and framing; src/http.rs has the other two.
          'content-type': framing === 'array' ? 'application/json' : 'application/x-ndjson',
          ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
          'user-agent': 'Vector/0.58.0 (x86_64-unknown-linux-gnu)',
          'accept-encoding': 'identity',
        },
      });
    } catch (error) {
      if (this.#stop.signal.aborted) throw error;
      // A connection that breaks and a request that takes too long are sent again (retries.rs).
      return 'again';
    }
    // src/sinks/util/http.rs, RetryStrategy::Default. Retry-After is not read.
    if (status >= 200 && status < 300) return 'taken';
    if (status === 429 || status === 408 || (status >= 500 && status !== 501)) return 'again';
    throw new Error(`Vector drops a batch that was answered with ${status}`);
  }

  async #turn(): Promise<void> {
    while (this.#inFlight >= Math.floor(this.#limit))
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inFlight += 1;
  }

  #done(): void {
    this.#inFlight -= 1;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#agent.destroy();
    await this.finished.catch(() => undefined);
  }
}
