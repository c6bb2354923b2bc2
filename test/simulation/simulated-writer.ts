import {
  type AppendResult,
  type FencedWriter,
  type GroupOffset,
  type RecordToAppend,
  TopicIoError,
  type TopicWriter,
} from '@runlog/topic-io/topic-io';
import { isTooLarge, refuseTooLarge, tooLarge } from './simulated-log.ts';
import type { Connection } from './simulated-topic-io.ts';

const LANE_BYTES_MAX = 64 * 1024 * 1024;

interface Waiting {
  readonly records: readonly RecordToAppend[];
  readonly bytes: number;
  readonly answer: (result: AppendResult) => void;
}

interface Lane {
  readonly topic: string;
  readonly partition: number;
  waiting: Waiting[];
  bytes: number;
  busy: boolean;
}

/** Lanes as the port describes them: each has one request in flight, and whatever waits goes with the next. */
export class SimulatedWriter implements TopicWriter {
  readonly #connection: Connection;
  readonly #laneBytesMax: number;
  readonly #lanes = new Map<string, Lane>();
  #closed = false;

  constructor(connection: Connection, options: { laneBytesMax?: number }) {
    this.#connection = connection;
    this.#laneBytesMax = options.laneBytesMax ?? LANE_BYTES_MAX;
    connection.resources.add(this);
  }

  get pendingBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes.values()) bytes += lane.bytes;
    return bytes;
  }

  append(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult> {
    const { topic, partition, records } = batch;
    if (this.#closed) return Promise.resolve(failed(new TopicIoError('closed', 'the writer is closed')));
    if (records.length === 0) return Promise.resolve({ acknowledged: 0, baseOffset: -1 });
    if (records.some(isTooLarge)) return this.#appendWithoutLarge(batch);
    const name = `${topic}/${partition}`;
    const lane = this.#lanes.get(name) ?? { topic, partition, waiting: [], bytes: 0, busy: false };
    this.#lanes.set(name, lane);
    const bytes = records.reduce((sum, record) => sum + record.key.length + (record.value?.length ?? 0), 0);
    if (lane.bytes + bytes > this.#laneBytesMax) {
      return Promise.resolve(failed(new TopicIoError('overloaded', `the lane of ${name} is full`)));
    }
    lane.bytes += bytes;
    return new Promise((answer) => {
      lane.waiting.push({ records, bytes, answer });
      if (!lane.busy) void this.#drain(lane);
    });
  }

  async #appendWithoutLarge(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult> {
    const fault = tooLarge();
    const refused = batch.records.flatMap((record, index) => (isTooLarge(record) ? [{ index, fault }] : []));
    const records = batch.records.filter((record) => !isTooLarge(record));
    const rest = await this.append({ ...batch, records });
    // What is refused is decided only if everything before it is.
    const decided = rest.fault === undefined ? batch.records.length : refused[0]!.index;
    return { fault, ...rest, refused: refused.filter(({ index }) => index < decided) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#connection.resources.delete(this);
    for (const lane of this.#lanes.values()) this.#fail(lane, lane.waiting.splice(0), 'closed');
  }

  async #drain(lane: Lane): Promise<void> {
    const { log, network, process } = this.#connection;
    const { topic, partition } = lane;
    lane.busy = true;
    while (lane.waiting.length > 0) {
      const batch = lane.waiting.splice(0);
      try {
        const records = batch.flatMap((one) => one.records);
        let base = await network.ask(process, () => log.append({ topic, partition, records }));
        for (const one of batch) {
          lane.bytes -= one.bytes;
          one.answer({ acknowledged: one.records.length, baseOffset: base });
          base += one.records.length;
        }
      } catch (error) {
        // To keep the order within a key, appends that are queued behind a batch of unknown fate end like it.
        for (const one of [...batch, ...lane.waiting.splice(0)]) {
          lane.bytes -= one.bytes;
          one.answer(failed(error));
        }
      }
    }
    lane.busy = false;
  }

  #fail(lane: Lane, waiting: readonly Waiting[], code: 'closed'): void {
    for (const one of waiting) {
      lane.bytes -= one.bytes;
      one.answer(failed(new TopicIoError(code, 'the writer is closed')));
    }
  }
}

function failed(error: unknown): AppendResult {
  if (!(error instanceof TopicIoError)) throw error;
  return { acknowledged: 0, baseOffset: -1, fault: error };
}

/**
 * A writer with one transaction per commit. Each step is a request of its own, so that anything can happen between two
 * of them.
 */
export class SimulatedFencedWriter implements FencedWriter {
  readonly #connection: Connection;
  readonly #holder: { id: string; epoch: number };
  readonly #onCommitted: () => void;
  readonly #onFenced: () => void;
  #state: 'ready' | 'committing' | 'spent' | 'closed' = 'ready';

  constructor(
    connection: Connection,
    options: { holder: { id: string; epoch: number }; onCommitted: () => void; onFenced: () => void },
  ) {
    this.#connection = connection;
    this.#holder = options.holder;
    this.#onCommitted = options.onCommitted;
    this.#onFenced = options.onFenced;
    connection.resources.add(this);
  }

  async commit(transaction: {
    records: readonly { topic: string; partition: number; records: readonly RecordToAppend[] }[];
    offsets?: readonly GroupOffset[];
  }): Promise<void> {
    const { log, network, process } = this.#connection;
    const { id } = this.#holder;
    if (this.#state === 'closed') throw new TopicIoError('closed', `the writer ${id} is closed`);
    if (this.#state === 'spent') throw new TopicIoError('unavailable', `the writer ${id} is spent`);
    if (this.#state === 'committing') throw new Error(`the writer ${id} commits one transaction at a time`);
    this.#state = 'committing';
    try {
      for (const { records } of transaction.records) refuseTooLarge(records);
      for (const entry of transaction.records) {
        if (entry.records.length === 0) continue;
        await network.ask(process, () => log.appendInTransaction(this.#holder, entry));
      }
      const { offsets = [] } = transaction;
      if (offsets.length > 0) await network.ask(process, () => log.commitOffsets(this.#holder, offsets));
      await network.ask(process, () => log.commitTransaction(this.#holder));
      this.#onCommitted();
      if (this.#state === 'committing') this.#state = 'ready';
    } catch (error) {
      if (error instanceof TopicIoError && error.code === 'fenced') this.#onFenced();
      if (this.#state === 'committing') this.#state = 'spent';
      if (error instanceof TopicIoError && error.code === 'unavailable') {
        await network.ask(process, () => log.abortTransaction(this.#holder)).catch(() => undefined);
      }
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
    this.#connection.resources.delete(this);
  }
}
