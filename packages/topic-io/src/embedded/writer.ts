import {
  type AppendResult,
  type RecordToAppend,
  type RefusedRecord,
  TopicIoError,
  type TopicWriter,
} from '../topic-io.ts';
import { type Committer, closedFault } from './committer.ts';
import { encodeRecords } from './records.ts';
import { checkPlace, recordBytesMax, type TopicCatalog } from './topics.ts';

interface Lane {
  pendingBytes: number;
  /** The number of writes of this lane that failed. Appends that were handed in before a failure fail with it. */
  failures: number;
  fault: TopicIoError | null;
}

const laneBytesDefault = 16 * 1024 * 1024;

/** Keeps one lane per partition over the log's single committer, which keeps their order. */
export class EmbeddedWriter implements TopicWriter {
  readonly #committer: Committer;
  readonly #catalog: TopicCatalog;
  readonly #laneBytesMax: number;
  readonly #lanes = new Map<string, Lane>();
  readonly #pending = new Set<Promise<AppendResult>>();
  #pendingBytes = 0;
  #closed = false;

  constructor(options: { committer: Committer; catalog: TopicCatalog; laneBytesMax: number | undefined }) {
    this.#committer = options.committer;
    this.#catalog = options.catalog;
    this.#laneBytesMax = options.laneBytesMax ?? laneBytesDefault;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  async append(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult> {
    if (this.#closed || this.#committer.closed) return refused(closedFault());
    if (batch.records.length === 0) return { acknowledged: 0, baseOffset: -1 };
    try {
      const topic = checkPlace(this.#catalog.find(batch.topic), batch);
      const all = encodeRecords(batch.records);
      const tooLarge = refusedIn(all.encoded, { bytesMax: recordBytesMax(topic), topic: topic.name });
      if (tooLarge.length > 0) return await this.#appendWithout(tooLarge, batch);
      const { encoded, bytes, isAscii } = all;
      const lane = this.#laneOf(`${batch.partition}/${batch.topic}`);
      if (lane.pendingBytes + bytes > this.#laneBytesMax) {
        throw new TopicIoError('overloaded', `${lane.pendingBytes} bytes are waiting for ${batch.topic}`);
      }
      const { partition } = batch;
      const records = isAscii ? batch.records : undefined;
      const answer = this.#enqueue(lane, { topic: topic.name, partition, encoded, bytes, records });
      this.#pending.add(answer);
      void answer.finally(() => this.#pending.delete(answer));
      return await answer;
    } catch (error) {
      if (error instanceof TopicIoError) return refused(error);
      throw error;
    }
  }

  /** Appends the records around those that are too large. */
  async #appendWithout(
    refused: readonly RefusedRecord[],
    batch: { topic: string; partition: number; records: readonly RecordToAppend[] },
  ): Promise<AppendResult> {
    const indexes = new Set(refused.map(({ index }) => index));
    const records = batch.records.filter((_, index) => !indexes.has(index));
    const rest = await this.append({ ...batch, records });
    // What is refused is decided only if everything before it is.
    const decided = rest.fault === undefined ? batch.records.length : (refused[0]?.index ?? 0);
    return { fault: refused[0]!.fault, ...rest, refused: refused.filter(({ index }) => index < decided) };
  }

  /** Accepts nothing more, and waits for pending appends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#pending);
  }

  #enqueue(
    lane: Lane,
    batch: {
      topic: string;
      partition: number;
      encoded: readonly Buffer[];
      bytes: number;
      records: readonly RecordToAppend[] | undefined;
    },
  ): Promise<AppendResult> {
    lane.pendingBytes += batch.bytes;
    this.#pendingBytes += batch.bytes;
    const failuresBefore = lane.failures;
    return new Promise((resolve) => {
      let baseOffset = -1;
      this.#committer.submit({
        bytes: batch.bytes,
        stage: (stage) => {
          if (lane.failures !== failuresBefore && lane.fault !== null) throw lane.fault;
          const topic = checkPlace(this.#catalog.findStaged(stage, batch.topic), batch);
          baseOffset = stage.append(topic, batch.partition, batch);
        },
        settle: (fault) => {
          lane.pendingBytes -= batch.bytes;
          this.#pendingBytes -= batch.bytes;
          if (fault === null) {
            resolve({ acknowledged: batch.encoded.length, baseOffset });
            return;
          }
          if (lane.failures === failuresBefore) {
            lane.failures += 1;
            lane.fault = fault;
          }
          resolve(refused(fault));
        },
      });
    });
  }

  #laneOf(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { pendingBytes: 0, failures: 0, fault: null };
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}

export function checkSizes(encoded: readonly Buffer[], limit: { bytesMax: number; topic: string }): void {
  const refused = refusedIn(encoded, limit)[0];
  if (refused !== undefined) throw refused.fault;
}

function refusedIn(
  encoded: readonly Buffer[],
  limit: { bytesMax: number; topic: string },
): readonly RefusedRecord[] {
  return encoded.flatMap(({ length }, index) => {
    if (length <= limit.bytesMax) return [];
    const message = `a record of ${length} bytes; topic ${limit.topic} takes ${limit.bytesMax} bytes`;
    return [{ index, fault: new TopicIoError('too_large', message) }];
  });
}

function refused(fault: TopicIoError): AppendResult {
  return { acknowledged: 0, baseOffset: -1, fault };
}
