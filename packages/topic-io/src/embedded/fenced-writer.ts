import { type FencedWriter, type GroupOffset, type RecordToAppend, TopicIoError } from '../topic-io.ts';
import { type Committer, closedFault } from './committer.ts';
import { encodeRecords } from './records.ts';
import { metaKey, metaKeys, type Stage } from './stage.ts';
import { checkPlace, recordBytesMax, type TopicCatalog } from './topics.ts';
import { checkSizes } from './writer.ts';

type Transaction = Parameters<FencedWriter['commit']>[0];

interface EncodedPart {
  readonly topic: string;
  readonly partition: number;
  readonly encoded: readonly Buffer[];
}

/**
 * A writer that holds an epoch of its id. The epoch is stored in the log and checked in the transaction that carries
 * the records, so an earlier holder's last write cannot come after a later holder's first.
 */
export class EmbeddedFencedWriter implements FencedWriter {
  readonly #committer: Committer;
  readonly #catalog: TopicCatalog;
  readonly #id: string;
  readonly #epoch: number;
  readonly #pending = new Set<Promise<void>>();
  #spentBy: TopicIoError | null = null;
  #closed = false;

  private constructor(options: { committer: Committer; catalog: TopicCatalog; id: string; epoch: number }) {
    this.#committer = options.committer;
    this.#catalog = options.catalog;
    this.#id = options.id;
    this.#epoch = options.epoch;
  }

  static async open(options: {
    committer: Committer;
    catalog: TopicCatalog;
    id: string;
  }): Promise<EmbeddedFencedWriter> {
    const epoch = await options.committer.write((stage) => {
      const next = readEpoch(stage, options.id) + 1;
      const value = Buffer.allocUnsafe(8);
      value.writeDoubleLE(next, 0);
      stage.setMeta(metaKeys.epoch(options.id), value);
      return next;
    });
    return new EmbeddedFencedWriter({ ...options, epoch });
  }

  async commit(transaction: Transaction): Promise<void> {
    if (this.#closed || this.#committer.closed) throw closedFault();
    if (this.#spentBy !== null) {
      throw new TopicIoError(this.#spentBy.code, `writer ${this.#id} is spent: ${this.#spentBy.message}`, {
        cause: this.#spentBy,
      });
    }
    try {
      const committed = this.#commit(transaction.records.map(this.#encode), transaction.offsets ?? []);
      this.#pending.add(committed);
      await committed.finally(() => this.#pending.delete(committed));
    } catch (error) {
      if (error instanceof TopicIoError) this.#spentBy ??= error;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#pending);
  }

  readonly #encode = (part: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): EncodedPart => {
    const topic = checkPlace(this.#catalog.find(part.topic), part);
    const { encoded } = encodeRecords(part.records);
    checkSizes(encoded, { bytesMax: recordBytesMax(topic), topic: topic.name });
    return { topic: part.topic, partition: part.partition, encoded };
  };

  #commit(parts: readonly EncodedPart[], offsets: readonly GroupOffset[]): Promise<void> {
    for (const offset of offsets) metaKey(metaKeys.groupOffset(offset));
    const bytes = parts.reduce(
      (sum, part) => part.encoded.reduce((inner, one) => inner + one.length, sum),
      1_024,
    );
    return new Promise((resolve, reject) => {
      this.#committer.submit({
        bytes,
        stage: (stage) => {
          // A commit that was queued behind a rejected one must not go through.
          if (this.#spentBy !== null) throw this.#spentBy;
          if (readEpoch(stage, this.#id) !== this.#epoch) {
            throw new TopicIoError('fenced', `another holder of writer ${this.#id} took over`);
          }
          const topics = parts.map((part) => checkPlace(this.#catalog.findStaged(stage, part.topic), part));
          for (const [index, part] of parts.entries()) stage.append(topics[index]!, part.partition, part);
          for (const offset of offsets) {
            stage.setMeta(metaKeys.groupOffset(offset), Buffer.from(JSON.stringify(offset.offset)));
          }
        },
        settle: (fault) => {
          if (fault === null) resolve();
          else {
            this.#spentBy ??= fault;
            reject(fault);
          }
        },
      });
    });
  }
}

function readEpoch(stage: Stage, id: string): number {
  return stage.meta(metaKeys.epoch(id))?.readDoubleLE(0) ?? 0;
}
