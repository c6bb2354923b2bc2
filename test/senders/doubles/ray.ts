import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sender, Sending, Task } from '../sender.ts';
import { paced } from './paced.ts';
import { post } from './post.ts';

/**
 * Behaves as the event export of Ray does (python/ray/dashboard/modules/aggregator). Its file publisher/configs.py has the
 * values.
 */
const TIMEOUT_MS = 3_000;
const BACKOFF_FIRST_SECONDS = 0.01;
const BACKOFF_MAX_SECONDS = 5;
const JITTER = 0.1;
const BATCH_MS_MAX = 100;
/** aggregator_agent.py, MAX_EVENT_SEND_BATCH_SIZE. */
const BATCH_EVENTS_MAX = 10_000;

export function ray(): Sender {
  return {
    name: 'Ray event export',
    version: 'alpha (double)',
    givesUp: false,
    start: async (task) => new EventPublisher(task),
  };
}

class EventPublisher implements Sending {
  readonly finished: Promise<void>;
  readonly #task: Task;
  readonly #stop = new AbortController();
  readonly #agent = new Agent({ keepAlive: true });
  #buffer: object[] = [];
  #madeAll = false;

  constructor(task: Task) {
    this.#task = task;
    this.finished = this.#run();
    this.finished.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const made = paced({ ...this.#task, signal: this.#stop.signal }, (n) => {
      this.#buffer.push(this.#event(n));
    }).finally(() => {
      this.#madeAll = true;
    });
    await Promise.all([made, this.#publish()]);
  }

  /** events_base_event.proto as JSON: camelCase, bytes in Base64; the payload stands under a name of its own. */
  #event(n: number): object {
    return {
      eventId: randomBytes(18).toString('base64'),
      sourceType: 'CORE_WORKER',
      eventType: 'TASK_LIFECYCLE_EVENT',
      timestamp: new Date().toISOString(),
      severity: 'INFO',
      message: '',
      sessionName: 'session_2026-11-28_10-00-00_000000_1',
      run_id: this.#task.run,
      n,
      taskLifecycleEvent: { taskId: randomBytes(24).toString('base64'), taskAttempt: 0, workerPid: 1 },
    };
  }

  /** publisher/ray_event_publisher.py: one batch after the other; a failure is tried again for ever. */
  async #publish(): Promise<void> {
    while (!this.#madeAll || this.#buffer.length > 0) {
      const batch = this.#buffer.splice(0, BATCH_EVENTS_MAX);
      if (batch.length > 0) {
        const body = Buffer.from(JSON.stringify(batch));
        for (let attempt = 1; !(await this.#post(body)); attempt += 1) {
          const most = Math.min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** attempt);
          const seconds = most * (1 + JITTER * (2 * Math.random() - 1));
          await delay(seconds * 1_000, undefined, { signal: this.#stop.signal });
        }
      }
      await delay(BATCH_MS_MAX, undefined, { signal: this.#stop.signal });
    }
  }

  /** publisher/async_publisher_client.py: aiohttp with `raise_for_status` and three seconds in all; no header of its own. */
  async #post(body: Buffer): Promise<boolean> {
    try {
      const status = await post(`${this.#task.url}/v1/events?mode=sender`, {
        ...{ agent: this.#agent, body, timeoutMs: TIMEOUT_MS, signal: this.#stop.signal },
        headers: {
          accept: '*/*',
          'accept-encoding': 'gzip, deflate',
          'user-agent': 'Python/3.12 aiohttp/3.13.2',
          'content-type': 'application/json',
        },
      });
      return status < 400;
    } catch (error) {
      if (this.#stop.signal.aborted) throw error;
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#agent.destroy();
    await this.finished.catch(() => undefined);
  }
}
