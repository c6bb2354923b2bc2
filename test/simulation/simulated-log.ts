import {
  type GroupOffset,
  type LogRecord,
  type PartitionBounds,
  type RecordToAppend,
  type TopicDescription,
  TopicIoError,
  type TopicSpec,
} from '@runlog/topic-io/topic-io';
import { NOT_YET } from './network.ts';
import type { Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedGroup } from './simulated-group.ts';
import { SimulatedPartition, type Transaction } from './simulated-partition.ts';

const TRANSACTION_MS_MAX = 10_000;
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** A broker's default of `delete.retention.ms`. */
const TOMBSTONES_MS = 86_400_000;

interface Topic {
  readonly description: TopicDescription;
  readonly partitions: readonly SimulatedPartition[];
}

interface WriterId {
  epoch: number;
  current: Transaction | null;
}

/** The place where a reader begins, and what its process had restored before. */
export interface Begun {
  readonly at: SimulatedPartition;
  readonly offset: number;
  readonly restored: { readonly topic: string; readonly next: number | null };
}

/** Is called when records become visible, with the new records of one partition. */
export type VisibleListener = (of: {
  topic: string;
  partition: number;
  records: readonly LogRecord[];
}) => void;

export interface SimulatedLogOptions {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  /**
   * The longest delay of a transaction's markers. Kafka answers a commit when it is decided, before its markers are
   * written, so readers see it later.
   */
  readonly markerDelayMsMax: number;
  readonly onVisible?: VisibleListener;
  /** Is called before a topic is deleted. */
  readonly onDelete?: (topic: string) => void;
  readonly onUnnoticed?: (at: { topic: string; index: number }) => void;
  readonly onBegun?: (reading: Begun) => void;
  /** Is told of situations that some history must contain. */
  readonly onReached?: (what: string) => void;
}

/** The broker's side of the log. Everything here happens at once, as a whole and in one order. */
export class SimulatedLog {
  readonly scheduler: Scheduler;
  readonly #options: SimulatedLogOptions;
  readonly #topics = new Map<string, Topic>();
  /** The number of topics that were made. */
  #made = 0;
  readonly #writerIds = new Map<string, WriterId>();
  readonly #groups = new Map<string, SimulatedGroup>();

  constructor(options: SimulatedLogOptions) {
    this.#options = options;
    this.scheduler = options.scheduler;
  }

  ensureTopic(spec: TopicSpec): TopicDescription {
    let topic = this.#topics.get(spec.name);
    if (topic === undefined) {
      this.#made += 1;
      topic = {
        description: {
          name: spec.name,
          id: `id-${this.#made}`,
          partitions: spec.partitions,
          replicationFactor: spec.replicationFactor ?? 1,
          settings: { ...spec.settings, 'cleanup.policy': spec.cleanupPolicy },
        },
        partitions: Array.from(
          { length: spec.partitions },
          (_, index) =>
            new SimulatedPartition({
              topic: spec.name,
              index,
              tombstonesMs: Number(spec.settings['delete.retention.ms'] ?? TOMBSTONES_MS),
            }),
        ),
      };
      this.#topics.set(spec.name, topic);
    }
    return topic.description;
  }

  describeTopic(name: string): TopicDescription | null {
    return this.#topics.get(name)?.description ?? null;
  }

  deleteTopic(name: string, { id }: { id?: string | undefined } = {}): void {
    const topic = this.#topics.get(name);
    if (topic === undefined || (id !== undefined && id !== topic.description.id)) return;
    this.#options.onDelete?.(name);
    this.#topics.delete(name);
    for (const partition of topic.partitions) partition.wake();
  }

  /** Returns null if there is none. */
  partition(topic: string, index: number): SimulatedPartition | null {
    return this.#topics.get(topic)?.partitions[index] ?? null;
  }

  partitions(topic: string): readonly SimulatedPartition[] {
    const found = this.#topics.get(topic);
    if (found === undefined) throw new TopicIoError('unavailable', `there is no topic ${topic}`);
    return found.partitions;
  }

  /** Runs the log cleaner over one partition. */
  compact(at: { topic: string; partition: number }, options: { random: SeededRandom; share: number }): void {
    const { random, share } = options;
    const partition = this.partition(at.topic, at.partition);
    const gone = partition?.compact(random, { share, nowMs: this.scheduler.nowMs }) ?? [];
    if (gone.length > 0) this.reached('a tombstone is removed');
  }

  /**
   * Is told that a reader continues in a partition that is not the one it read before, without being able to notice.
   */
  unnoticed(at: SimulatedPartition): void {
    this.#options.onUnnoticed?.(at);
  }

  /** Is told that a reader has found records, or the end, at its first position. */
  begun(reading: Begun): void {
    this.#options.onBegun?.(reading);
  }

  reached(what: string): void {
    this.#options.onReached?.(what);
  }

  bounds(topic: string): PartitionBounds[] {
    return this.partitions(topic).map(({ startOffset, stableEnd }) => ({ startOffset, stableEnd }));
  }

  group(name: string, topic: string): SimulatedGroup {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new SimulatedGroup({
        scheduler: this.scheduler,
        random: this.#options.random.fork(`group ${name}`),
        partitions: () => this.#topics.get(topic)?.partitions.length ?? 0,
      });
      this.#groups.set(name, group);
    }
    return group;
  }

  append(at: { topic: string; partition: number; records: readonly RecordToAppend[] }): number {
    const partition = this.#writable(at);
    const base = partition.end;
    const records = partition.append(at.records, null);
    this.#options.onVisible?.({ topic: at.topic, partition: at.partition, records });
    return base;
  }

  /** Fences every earlier holder of the id and aborts its open transaction. */
  initWriter(id: string): number | typeof NOT_YET {
    const writer = this.#writerIds.get(id) ?? { epoch: 0, current: null };
    this.#writerIds.set(id, writer);
    if (writer.current?.state === 'deciding') return NOT_YET;
    writer.epoch += 1;
    if (writer.current !== null) this.#abort(writer, writer.current);
    return writer.epoch;
  }

  appendInTransaction(
    holder: { id: string; epoch: number },
    at: { topic: string; partition: number; records: readonly RecordToAppend[] },
  ): true | typeof NOT_YET {
    const writer = this.held(holder);
    const partition = this.#writable(at);
    if (writer.current?.state === 'deciding') return NOT_YET;
    writer.current ??= this.#begin(writer);
    partition.append(at.records, writer.current);
    return true;
  }

  commitOffsets(holder: { id: string; epoch: number }, offsets: readonly GroupOffset[]): true {
    this.held(holder);
    for (const offset of offsets)
      this.group(offset.group, offset.topic).offsets.set(offset.partition, offset.offset);
    return true;
  }

  commitTransaction(holder: { id: string; epoch: number }): true {
    const writer = this.held(holder);
    const { current } = writer;
    if (current === null) return true;
    current.state = 'deciding';
    const { markerDelayMsMax, random } = this.#options;
    const waiting = new Set(current.partitions);
    for (const partition of current.partitions) {
      const mark = () => {
        const records = partition.mark(current);
        waiting.delete(partition);
        if (waiting.size === 0) {
          current.state = 'committed';
          writer.current = null;
        }
        // Its topic may have been deleted and made anew since.
        if (this.partition(partition.topic, partition.index) !== partition) return;
        this.#options.onVisible?.({ topic: partition.topic, partition: partition.index, records });
      };
      if (markerDelayMsMax === 0) mark();
      else this.scheduler.after(random.next() * markerDelayMsMax, mark);
    }
    return true;
  }

  abortTransaction(holder: { id: string; epoch: number }): true {
    const writer = this.held(holder);
    if (writer.current?.state === 'open') this.#abort(writer, writer.current);
    return true;
  }

  /** Returns the id's state, but only to its holder. */
  protected held(holder: { id: string; epoch: number }): WriterId {
    const writer = this.#writerIds.get(holder.id);
    if (writer === undefined) throw new TopicIoError('fenced', `nobody holds ${holder.id}`);
    if (!this.mayWrite(holder, writer.epoch)) {
      throw new TopicIoError('fenced', `another holder of ${holder.id} took over`);
    }
    return writer;
  }

  protected mayWrite(holder: { id: string; epoch: number }, epoch: number): boolean {
    return holder.epoch === epoch;
  }

  #begin(writer: WriterId): Transaction {
    const transaction: Transaction = { state: 'open', partitions: new Set() };
    this.scheduler.after(TRANSACTION_MS_MAX, () => {
      if (transaction.state !== 'open') return;
      // A coordinator that gives up a transaction also fences its producer.
      writer.epoch += 1;
      this.#abort(writer, transaction);
    });
    return transaction;
  }

  #abort(writer: WriterId, transaction: Transaction): void {
    transaction.state = 'aborted';
    for (const partition of transaction.partitions) partition.mark(transaction);
    writer.current = null;
  }

  #writable(at: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): SimulatedPartition {
    const partition = this.partition(at.topic, at.partition);
    if (partition === null) {
      throw new TopicIoError('unavailable', `there is no partition ${at.partition} of topic ${at.topic}`);
    }
    return partition;
  }
}

/** Refuses records that no broker accepts. */
export function refuseTooLarge(records: readonly RecordToAppend[]): void {
  if (records.some(isTooLarge)) throw tooLarge();
}

export function isTooLarge(record: RecordToAppend): boolean {
  return (record.value?.length ?? 0) > MESSAGE_BYTES_MAX;
}

export function tooLarge(): TopicIoError {
  return new TopicIoError('too_large', `a record exceeds ${MESSAGE_BYTES_MAX} bytes`);
}
