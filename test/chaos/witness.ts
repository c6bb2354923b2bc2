import { CHECKPOINT_KEY, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { eventHeaders } from '@runlog/records/event-record';
import { decodeDormant } from '@runlog/records/snapshot-record';
import { isReservedKey } from '@runlog/schema/log/topics';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import type { Note } from './history/history-file.ts';
import type { ObservationOf } from './history/observation.ts';

/** The time that a killed holder costs: a session timeout and a restore. */
const STALL_WORTH_A_LINE_MS = 15_000;

/**
 * Follows the events and the snapshots through every fault of the brokers, and checks what it reads: offsets only grow,
 * and no run's snapshot and no checkpoint ever moves backwards.
 */
export class Witness {
  readonly violations: string[] = [];
  /** The offset of the newest checkpoint, by partition. */
  readonly checkpoints = new Map<number, number>();
  /** For each partition a running hash of the ids of its events in order, and their number. */
  readonly events = new Map<number, EventTally>();
  /** The longest time without a checkpoint of a partition, although there was load. */
  stallMsMax = 0;
  readonly #positions = new Map<string, number>();
  readonly #movedMs = new Map<number, number>();
  readonly #onStall: (partition: number, ms: number) => void;
  readonly #note: Note;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(options: {
    io: TopicIo;
    events: string;
    snapshots: string;
    partitions: number;
    /** Is told when a partition's checkpoint moves again after a long time. */
    onStall: (partition: number, ms: number) => void;
    note: Note;
  }) {
    this.#onStall = options.onStall;
    this.#note = options.note;
    const { io, events, snapshots, partitions } = options;
    for (let partition = 0; partition < partitions; partition += 1) {
      this.checkpoints.set(partition, -1);
      this.events.set(partition, new EventTally());
    }
    this.#running = Promise.all([
      this.#follow({ io, topic: events, partitions }, (record, partition) => {
        this.events.get(partition)!.add(record);
        this.#note(readObservation({ by: 'witness', partition, record }));
      }),
      this.#follow({ io, topic: snapshots, partitions }, (record, partition) =>
        this.#judge(record, partition),
      ),
    ]);
    this.#running.catch((error: unknown) => this.violations.push(`the witness broke: ${String(error)}`));
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => undefined);
  }

  async #follow(
    at: { io: TopicIo; topic: string; partitions: number },
    take: (record: LogRecord, partition: number) => void,
  ): Promise<void> {
    await using reader = at.io.reader({ topic: at.topic, signal: this.#stop.signal });
    const next = new Map<number, number>();
    for (let partition = 0; partition < at.partitions; partition += 1) reader.add({ partition, offset: 0 });
    for await (const fetched of reader) {
      const { partition } = fetched;
      if (fetched.kind === 'out_of_range') {
        this.violations.push(
          `${at.topic}/${partition} ends at ${fetched.stableEnd}, ${fetched.requestedOffset} was read`,
        );
        continue;
      }
      for (const record of fetched.records) {
        if (record.offset < (next.get(partition) ?? 0)) {
          this.violations.push(`${at.topic}/${partition} brings ${record.offset} again`);
        }
        next.set(partition, record.offset + 1);
        take(record, partition);
      }
    }
  }

  #noteMoved(partition: number): void {
    const nowMs = performance.now();
    const stallMs = nowMs - (this.#movedMs.get(partition) ?? nowMs);
    this.#movedMs.set(partition, nowMs);
    this.stallMsMax = Math.max(this.stallMsMax, Math.round(stallMs));
    if (stallMs >= STALL_WORTH_A_LINE_MS) this.#onStall(partition, stallMs);
  }

  /** Returns the position of the snapshot. */
  #noteSnapshot(record: LogRecord, partition: number): number {
    const run = decodeDormant(record)?.head;
    if (run === undefined) {
      this.violations.push(`the snapshot of ${record.key} at ${record.offset} cannot be read`);
      return Number.NaN;
    }
    const { position, last_event_id: lastId, total_events_received: received, duplicates } = run;
    const { key, offset } = record;
    this.#note({
      ...{ kind: 'stored', partition, offset, key, ...position },
      ...{ lastId, received, distinct: received - duplicates },
    });
    return position.seq;
  }

  #judge(record: LogRecord, partition: number): void {
    const { key, value, offset } = record;
    if (key === CHECKPOINT_KEY) {
      const checkpoint = decodeCheckpoint(value)!;
      const { epoch, next } = checkpoint;
      this.#note({ kind: 'checkpoint', partition, offset, epoch, next });
      const held = this.checkpoints.get(partition)!;
      if (checkpoint.next < held) {
        this.violations.push(
          `the checkpoint of ${partition} went back from ${held} to ${checkpoint.next} at ${offset}`,
        );
      }
      this.checkpoints.set(partition, checkpoint.next);
      this.#noteMoved(partition);
    } else if (!isReservedKey(key)) {
      const seq = this.#noteSnapshot(record, partition);
      const held = this.#positions.get(key) ?? -1;
      if (!(seq > held))
        this.violations.push(`the snapshot of ${key} went from ${held} to ${seq} at ${offset}`);
      this.#positions.set(key, seq);
    }
  }
}

/** Makes the observation that a reader of the events topic was given this record. */
export function readObservation(of: {
  by: string;
  partition: number;
  record: LogRecord;
}): ObservationOf<'read'> {
  const { key, offset, headers } = of.record;
  const id = headers[eventHeaders.eventId] ?? '';
  return { kind: 'read', by: of.by, partition: of.partition, offset, key, id };
}

/** Tells two readings of a partition apart without keeping them. */
export class EventTally {
  records = 0;
  #hash = 0x811c9dc5;

  add(record: LogRecord): void {
    this.records += 1;
    const text = `${record.offset} ${record.headers[eventHeaders.eventId] ?? ''}`;
    for (let index = 0; index < text.length; index += 1) {
      this.#hash = Math.imul(this.#hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
    }
  }

  toString(): string {
    return `${this.records} records, hash ${this.#hash.toString(16)}`;
  }
}
