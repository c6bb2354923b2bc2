import { setTimeout as delay } from 'node:timers/promises';
import { isPassing, type PartitionBounds, type TopicIo } from '@runlog/topic-io/topic-io';

const POLL_MS = 2;
/** Nothing waits so long unless something holds the stable end back for good. */
const REACH_MS_MAX = 120_000;

/** Follows what readers of committed records see of some partitions, from now on. */
export class PartitionFollower implements AsyncDisposable {
  readonly #io: TopicIo;
  readonly #topic: string;
  readonly #values = new Map<number, string[]>();
  readonly #next = new Map<number, number>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(options: { io: TopicIo; topic: string; from: ReadonlyMap<number, number> }) {
    this.#io = options.io;
    this.#topic = options.topic;
    for (const [partition, offset] of options.from) {
      this.#values.set(partition, []);
      this.#next.set(partition, offset);
    }
    this.#running = this.#follow();
    this.#running.catch(() => undefined);
  }

  static async open(options: {
    io: TopicIo;
    topic: string;
    partitions: readonly number[];
  }): Promise<PartitionFollower> {
    const { io, topic, partitions } = options;
    const bounds = await boundsOf(io, topic);
    const from = new Map(partitions.map((partition) => [partition, bounds[partition]!.stableEnd]));
    return new PartitionFollower({ io, topic, from });
  }

  /** Forgets what was read so far. */
  forget(): void {
    for (const values of this.#values.values()) values.length = 0;
  }

  /** Resolves to what is visible of each partition now: everything below its present stable end. */
  async visible(): Promise<string[][]> {
    const bounds = await boundsOf(this.#io, this.#topic);
    for (const [partition, next] of this.#next) {
      const { stableEnd } = bounds[partition]!;
      if (next < stableEnd) await this.#reach(partition, stableEnd);
    }
    return [...this.#values.values()].map((values) => [...values]);
  }

  /** Resolves to false if the value does not become visible in every partition. */
  async comesToShow(value: string): Promise<boolean> {
    const endsMs = performance.now() + REACH_MS_MAX;
    while (performance.now() < endsMs) {
      if ([...this.#values.values()].every((values) => values.includes(value))) return true;
      await delay(POLL_MS);
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => undefined);
  }

  async #follow(): Promise<void> {
    await using reader = this.#io.reader({ topic: this.#topic, signal: this.#stop.signal });
    for (const [partition, offset] of this.#next) reader.add({ partition, offset });
    for await (const fetched of reader) {
      if (fetched.kind !== 'records')
        throw new Error(`${this.#topic} does not reach ${fetched.requestedOffset}`);
      const values = this.#values.get(fetched.partition)!;
      for (const record of fetched.records) values.push(record.value?.toString() ?? '');
      this.#next.set(fetched.partition, fetched.nextOffset);
    }
  }

  async #reach(partition: number, offset: number): Promise<void> {
    const endsMs = performance.now() + REACH_MS_MAX;
    while ((this.#next.get(partition) ?? 0) < offset) {
      if (performance.now() > endsMs) throw new Error(`${this.#topic}/${partition} is not read to ${offset}`);
      await delay(POLL_MS);
    }
  }
}

/** Asks until there is an answer: a broker on a busy machine may be slow. */
async function boundsOf(io: TopicIo, topic: string): Promise<PartitionBounds[]> {
  const endsMs = performance.now() + REACH_MS_MAX;
  for (;;) {
    try {
      return await io.bounds(topic);
    } catch (error) {
      if (!isPassing(error) || performance.now() > endsMs) throw error;
    }
  }
}
