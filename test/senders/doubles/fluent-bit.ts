import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Sender, Sending, Task } from '../sender.ts';
import { paced } from './paced.ts';
import { post } from './post.ts';

/** Behaves as the `http` output of Fluent Bit 5.1 does. The names of its source files stand at each value. */
const FLUSH_MS = 1_000; // include/fluent-bit/flb_config.h, FLB_CONFIG_FLUSH_SECS
/** docs/senders.md: of more events a second than these, a chunk of a second is refused, and `Flush 0.2` is set. */
const SLOW_FLUSH_EVENTS_PER_SECOND_MAX = 8_000;
const QUICK_FLUSH_MS = 200;
const CHUNK_BYTES_MAX = 2_048_000; // include/fluent-bit/flb_input_chunk.h, FLB_INPUT_CHUNK_FS_MAX_SIZE
const WORKERS = 2; // plugins/out_http/http.c, .workers
const TIMEOUT_MS = 60_000; // the same, http.response_timeout
/** src/flb_scheduler.c: 5 and 2,000 s by default. `scheduler.base 1` and `scheduler.cap 5` are set here, to save time. */
const BACKOFF_BASE_SECONDS = 1;
const BACKOFF_CAP_SECONDS = 5;

export interface FluentBitOptions {
  readonly format: 'json' | 'json_lines' | 'json_stream';
  readonly compress: 'none' | 'gzip';
}

/** `Retry_Limit no_limits` is set: by itself Fluent Bit tries once more and then drops (src/flb_output.c, retry_limit). */
export function fluentBit(options: FluentBitOptions): Sender {
  return {
    name: `Fluent Bit out_http, ${options.format}, ${options.compress}`,
    version: '5.1.1 (double)',
    givesUp: false,
    start: async (task) => new HttpOutput(task, options),
  };
}

class HttpOutput implements Sending {
  readonly finished: Promise<void>;
  readonly #task: Task;
  readonly #options: FluentBitOptions;
  readonly #stop = new AbortController();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #queue: Buffer[] = [];
  #chunk: string[] = [];
  #chunkBytes = 0;
  #waiting = 0;
  #madeAll = false;

  constructor(task: Task, options: FluentBitOptions) {
    this.#task = task;
    this.#options = options;
    // Each chunk that waits to be sent again listens to it.
    setMaxListeners(0, this.#stop.signal);
    this.finished = this.#run();
    this.finished.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const isSlow = this.#task.eventsPerSecond <= SLOW_FLUSH_EVENTS_PER_SECOND_MAX;
    const flushing = setInterval(() => this.#flush(), isSlow ? FLUSH_MS : QUICK_FLUSH_MS);
    const made = paced({ ...this.#task, signal: this.#stop.signal }, (n) => this.#take(n)).finally(() => {
      clearInterval(flushing);
      this.#flush();
      this.#madeAll = true;
    });
    await Promise.all([made, ...Array.from({ length: WORKERS }, () => this.#work())]);
  }

  /** A line of a log file that a parser has taken apart. src/flb_pack.c puts the date before it, in seconds. */
  #take(n: number): void {
    const record = {
      date: Date.now() / 1_000,
      log: `step ${n} done`,
      stream: 'stdout',
      run_id: this.#task.run,
      event_type: 'STEP_DONE',
      n,
      loss: 1 / (n + 1),
    };
    const text = JSON.stringify(record);
    this.#chunk.push(text);
    this.#chunkBytes += text.length;
    if (this.#chunkBytes >= CHUNK_BYTES_MAX) this.#flush();
  }

  #flush(): void {
    if (this.#chunk.length === 0) return;
    this.#queue.push(this.#encode(this.#chunk));
    this.#chunk = [];
    this.#chunkBytes = 0;
  }

  /** src/flb_pack.c: lines end in a newline, also the last one; a stream has no separators. */
  #encode(chunk: readonly string[]): Buffer {
    const text = {
      json: () => `[${chunk.join(',')}]`,
      json_lines: () => `${chunk.join('\n')}\n`,
      json_stream: () => chunk.join(''),
    }[this.#options.format]();
    return this.#options.compress === 'gzip' ? gzipSync(text) : Buffer.from(text);
  }

  /** A worker sends one chunk after the other; one that must be sent again waits beside it, for the scheduler. */
  async #work(): Promise<void> {
    while (!this.#madeAll || this.#queue.length > 0 || this.#waiting > 0) {
      const body = this.#queue.shift();
      if (body === undefined) await delay(20, undefined, { signal: this.#stop.signal });
      else await this.#send(body, 1);
    }
  }

  async #send(body: Buffer, attempt: number): Promise<void> {
    const taken = await this.#post(body);
    if (taken) return;
    this.#waiting += 1;
    const most = Math.min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** attempt);
    const seconds = 1 + BACKOFF_BASE_SECONDS + Math.random() * (most - BACKOFF_BASE_SECONDS);
    const again = async () => {
      await delay(seconds * 1_000, undefined, { signal: this.#stop.signal });
      await this.#send(body, attempt + 1);
    };
    again()
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #post(body: Buffer): Promise<boolean> {
    const { format, compress } = this.#options;
    let status: number;
    try {
      status = await post(`${this.#task.url}/v1/events?mode=sender`, {
        ...{ agent: this.#agent, body, timeoutMs: TIMEOUT_MS, signal: this.#stop.signal },
        // plugins/out_http/http.c: a stream has the type of an array.
        headers: {
          'content-type': format === 'json_lines' ? 'application/x-ndjson' : 'application/json',
          ...(compress === 'gzip' && { 'content-encoding': 'gzip' }),
          'user-agent': 'Fluent-Bit',
        },
      });
    } catch (error) {
      if (this.#stop.signal.aborted) throw error;
      return false;
    }
    // plugins/out_http/http.c: 200 to 205 are taken, 4xx is dropped but for 408 and 429, all else is tried again.
    if (status >= 200 && status <= 205) return true;
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
      throw new Error(`Fluent Bit drops a chunk that was answered with ${status}`);
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#agent.destroy();
    await this.finished.catch(() => undefined);
  }
}
