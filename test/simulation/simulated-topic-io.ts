import {
  type FencedWriter,
  type GroupMember,
  type OpenTransaction,
  type PartitionBounds,
  type ReaderOptions,
  type TopicDescription,
  type TopicIo,
  TopicIoError,
  type TopicReader,
  type TopicSpec,
  type TopicWriter,
} from '@runlog/topic-io/topic-io';
import type { Network, NOT_YET } from './network.ts';
import type { SimulatedLog } from './simulated-log.ts';
import { SimulatedMember } from './simulated-member.ts';
import type { SimulatedPartition } from './simulated-partition.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { SimulatedReader } from './simulated-reader.ts';
import { SimulatedFencedWriter, SimulatedWriter } from './simulated-writer.ts';

export interface AnswerLimits {
  /** The most records of an answer. The seed decides the number of each. */
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** The longest time that a slow reader takes before it asks for more. */
  readonly pauseMsMax: () => number;
}

/** The state that the parts of one process's log share. */
export interface Connection {
  readonly log: SimulatedLog;
  readonly network: Network;
  readonly process: SimulatedProcess;
  readonly limits: AnswerLimits;
  /** The open resources, which are closed with the log. */
  readonly resources: Set<AsyncDisposable>;
  readonly pause: (ms: number) => Promise<void>;
  /**
   * The partitions that the process last asked about or read, by topic and number. They can be deleted and made anew.
   */
  readonly known: Map<string, SimulatedPartition>;
  /**
   * What the process restored last: the snapshot topic, and for each partition the checkpoint that was read, or null if
   * there was none.
   */
  readonly restored: { topic: string; readonly next: Map<number, number | null> };
}

/** The port of one simulated process. */
export class SimulatedTopicIo implements TopicIo {
  // Callers may not depend on it, but it must be one of the two.
  readonly engine = 'kafka';
  readonly #connection: Connection;
  /** How often each writer id was taken from us since we last committed under it. */
  readonly #lost = new Map<string, number>();
  #closed = false;

  constructor(options: {
    log: SimulatedLog;
    network: Network;
    process: SimulatedProcess;
    limits: AnswerLimits;
  }) {
    const { clock } = options.process;
    this.#connection = {
      ...options,
      resources: new Set(),
      known: new Map(),
      restored: { topic: '', next: new Map() },
      pause: (ms) => new Promise((resolve) => clock.after(ms, resolve)),
    };
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<TopicDescription[]> {
    return this.#ask((log) => specs.map((spec) => log.ensureTopic(spec)));
  }

  describeTopic(name: string): Promise<TopicDescription | null> {
    return this.#ask((log) => log.describeTopic(name));
  }

  deleteTopic(name: string, only: { id?: string | undefined } = {}): Promise<void> {
    return this.#ask((log) => log.deleteTopic(name, only));
  }

  bounds(topic: string): Promise<PartitionBounds[]> {
    const { known } = this.#connection;
    return this.#ask((log) => {
      for (const partition of log.partitions(topic)) known.set(`${topic}/${partition.index}`, partition);
      return log.bounds(topic);
    });
  }

  offsetAtTime(at: { topic: string; partition: number; timestampMs: number }): Promise<number> {
    return this.#ask((log) => log.partitions(at.topic)[at.partition]!.offsetAtTime(at.timestampMs));
  }

  throttledMs(): number {
    return 0;
  }

  async openTransactions(): Promise<readonly OpenTransaction[]> {
    return [];
  }

  async writer(options: { laneBytesMax?: number } = {}): Promise<TopicWriter> {
    this.#refuseClosed();
    return new SimulatedWriter(this.#connection, options);
  }

  async fencedWriter(id: string): Promise<FencedWriter> {
    const losses = this.#lost.get(id) ?? 0;
    // Kafka's engine does the same, because contenders that tried again at once would fence each other for ever.
    const pauseMs =
      losses === 0 ? 0 : this.#connection.process.random.between(0, 25 * 2 ** Math.min(losses, 7));
    if (pauseMs > 0) await this.#connection.pause(pauseMs);
    const epoch = await this.#ask((log) => log.initWriter(id));
    return new SimulatedFencedWriter(this.#connection, {
      holder: { id, epoch },
      onCommitted: () => this.#lost.delete(id),
      onFenced: () => this.#lost.set(id, losses + 1),
    });
  }

  reader(options: ReaderOptions): TopicReader {
    this.#refuseClosed();
    return new SimulatedReader(this.#connection, options);
  }

  async groupMember(options: { group: string; topic: string; signal?: AbortSignal }): Promise<GroupMember> {
    this.#refuseClosed();
    return await SimulatedMember.open(this.#connection, options);
  }

  async ping(): Promise<void> {
    await this.#ask(() => null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const resource of [...this.#connection.resources]) await resource[Symbol.asyncDispose]();
  }

  async #ask<Answer>(effect: (log: SimulatedLog) => Answer | typeof NOT_YET): Promise<Answer> {
    this.#refuseClosed();
    const { log, network, process } = this.#connection;
    return await network.ask(process, () => effect(log));
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TopicIoError('closed', 'the log is closed');
  }
}
