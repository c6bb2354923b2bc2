import type { RecordToAppend, TopicIo, TopicSpec } from '@runlog/topic-io/topic-io';
import { SeededRandom } from '../simulation/seeded-random.ts';

/** One step of a workload. Each is acknowledged before the next begins. */
export type Operation =
  | { readonly kind: 'ensure'; readonly spec: TopicSpec }
  /** The appends are handed in together. */
  | { readonly kind: 'append'; readonly batches: readonly Batch[] }
  | { readonly kind: 'commit'; readonly batches: readonly Batch[] }
  | { readonly kind: 'delete'; readonly topic: string }
  /** Closes the log and opens it at a later time, so that what is too old is removed. */
  | { readonly kind: 'reopen'; readonly nowMs: number };

export interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly RecordToAppend[];
}

/** What a reader must find: it is compared as text. */
export type LogState = string;

export interface Workload {
  readonly operations: readonly Operation[];
  /** The state before the first operation, then the state after each. */
  readonly states: readonly LogState[];
  readonly startMs: number;
}

/** Small steps, so that a short workload makes the file grow often. */
export const growBytes = 16 * 1024;

const hourMs = 60 * 60 * 1000;
const startMs = Date.UTC(2026, 0, 1);
/** Records that were written before the last but one opening are too old. */
const sessionMs = 40 * 60 * 1000;

export const specs: readonly TopicSpec[] = [
  { name: 'events', partitions: 2, cleanupPolicy: 'delete', settings: { 'retention.ms': String(hourMs) } },
  { name: 'other', partitions: 1, cleanupPolicy: 'delete', settings: {} },
  {
    name: 'snapshots',
    partitions: 2,
    cleanupPolicy: 'compact',
    settings: { 'delete.retention.ms': String(hourMs) },
  },
];

export function workloadOf(seed: number): Workload {
  const random = new SeededRandom(seed).fork('workload');
  const model = new ModelLog();
  const states = [model.state()];
  const operations: Operation[] = [];
  let nowMs = startMs;
  let serial = 0;
  const add = (operation: Operation): void => {
    operations.push(operation);
    model.apply(operation);
    states.push(model.state());
  };

  const record = (options: { keys: number; bytesMax: number }): RecordToAppend => {
    serial += 1;
    const key = `key-${random.integer(1, options.keys)}`;
    const text = `${serial} ${random.integer(0, 1e9).toString(36)} `;
    const bytes = random.chance(0.2) ? options.bytesMax : random.integer(0, options.bytesMax >> 3);
    return {
      key,
      value: Buffer.from(text.repeat(Math.ceil((bytes + 1) / text.length)).slice(0, bytes)),
      headers: { event_type: 'STEP', serial: String(serial) },
      timestampMs: nowMs + serial,
    };
  };
  const eventBatch = (topic: TopicSpec): Batch => ({
    topic: topic.name,
    partition: random.integer(0, topic.partitions - 1),
    records: Array.from({ length: random.integer(1, 6) }, () => record({ keys: 5, bytesMax: 9_000 })),
  });
  const snapshotBatch = (topic: TopicSpec): Batch => ({
    topic: topic.name,
    partition: random.integer(0, topic.partitions - 1),
    records: Array.from({ length: random.integer(1, 4) }, () => {
      const one = record({ keys: 8, bytesMax: 5_000 });
      return random.chance(0.3) ? { ...one, value: null } : one;
    }),
  });

  for (const spec of specs) add({ kind: 'ensure', spec });
  const length = random.integer(14, 30);
  while (operations.length < length) {
    const present = specs.filter((spec) => model.has(spec.name));
    const missing = specs.filter((spec) => !model.has(spec.name));
    const deleted = present.filter(({ cleanupPolicy }) => cleanupPolicy === 'delete');
    const compacted = present.filter(({ cleanupPolicy }) => cleanupPolicy === 'compact');
    const chance = random.next();
    if (chance < 0.1 && missing.length > 0) add({ kind: 'ensure', spec: random.pick(missing) });
    else if (chance < 0.18 && present.length > 1) add({ kind: 'delete', topic: random.pick(present).name });
    else if (chance < 0.3) {
      nowMs += sessionMs;
      add({ kind: 'reopen', nowMs });
    } else if (chance < 0.65 && deleted.length > 0) {
      const count = random.integer(1, 2);
      add({ kind: 'append', batches: Array.from({ length: count }, () => eventBatch(random.pick(deleted))) });
    } else if (compacted.length > 0) {
      const batches = [snapshotBatch(random.pick(compacted))];
      if (deleted.length > 0 && random.chance(0.5)) batches.push(eventBatch(random.pick(deleted)));
      add({ kind: 'commit', batches });
    }
  }
  return { operations, states, startMs };
}

interface ModelRecord {
  readonly offset: number;
  readonly record: RecordToAppend;
  readonly writtenMs: number;
}

interface ModelPartition {
  start: number;
  end: number;
  records: ModelRecord[];
}

/** The log as its contract describes it, kept in memory. */
export class ModelLog {
  readonly #topics = new Map<string, { spec: TopicSpec; partitions: ModelPartition[] }>();
  #nowMs = startMs;

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'ensure':
        if (this.has(operation.spec.name)) return;
        this.#topics.set(operation.spec.name, {
          spec: operation.spec,
          partitions: Array.from({ length: operation.spec.partitions }, () => ({
            start: 0,
            end: 0,
            records: [],
          })),
        });
        return;
      case 'delete':
        this.#topics.delete(operation.topic);
        return;
      case 'append':
      case 'commit':
        for (const batch of operation.batches) this.#append(batch);
        return;
      case 'reopen':
        this.#nowMs = operation.nowMs;
        this.#removeOld();
        return;
      default:
        operation satisfies never;
    }
  }

  state(): LogState {
    return canonicalState(
      [...this.#topics.values()].map(({ spec, partitions }) => ({
        name: spec.name,
        partitions: partitions.map(({ start, end, records }) => ({
          start,
          end,
          records: records.map(({ offset, record }) => stateOfRecord({ ...record, offset })),
        })),
      })),
    );
  }

  #append({ topic, partition, records }: Batch): void {
    const found = this.#topics.get(topic)!;
    const place = found.partitions[partition]!;
    for (const record of records) {
      if (found.spec.cleanupPolicy === 'compact') {
        place.records = place.records.filter((one) => one.record.key !== record.key);
      }
      place.records.push({ offset: place.end, record, writtenMs: this.#nowMs });
      place.end += 1;
    }
  }

  #removeOld(): void {
    for (const { spec, partitions } of this.#topics.values()) {
      for (const place of partitions) {
        if (spec.cleanupPolicy === 'compact') {
          const beforeMs = this.#nowMs - Number(spec.settings['delete.retention.ms']);
          place.records = place.records.filter(
            ({ record, writtenMs }) => record.value !== null || writtenMs > beforeMs,
          );
          continue;
        }
        const beforeMs = this.#nowMs - Number(spec.settings['retention.ms'] ?? Number.POSITIVE_INFINITY);
        while (place.records.length > 0 && place.records[0]!.record.timestampMs < beforeMs) {
          place.start = place.records.shift()!.offset + 1;
        }
      }
    }
  }
}

/** Reads everything that the log gives out. */
export async function readState(io: TopicIo): Promise<LogState> {
  const topics: Parameters<typeof canonicalState>[0] = [];
  for (const { name } of specs) {
    if ((await io.describeTopic(name)) === null) continue;
    const partitions = [];
    for (const [partition, bounds] of (await io.bounds(name)).entries()) {
      const records = await readPartition(io, { topic: name, partition, offset: bounds.startOffset });
      partitions.push({ start: bounds.startOffset, end: bounds.stableEnd, records });
    }
    topics.push({ name, partitions });
  }
  return canonicalState(topics);
}

async function readPartition(
  io: TopicIo,
  from: { topic: string; partition: number; offset: number },
): Promise<string[]> {
  const records: string[] = [];
  await using reader = io.reader({ topic: from.topic });
  reader.add({ partition: from.partition, offset: from.offset });
  for await (const fetched of reader) {
    if (fetched.kind === 'out_of_range') return [...records, 'out of range'];
    records.push(...fetched.records.map(stateOfRecord));
    if (fetched.nextOffset === fetched.stableEnd) break;
  }
  return records;
}

function stateOfRecord(record: RecordToAppend & { offset: number }): string {
  const { offset, key, value, headers, timestampMs } = record;
  const names = Object.keys(headers).sort();
  return JSON.stringify([
    offset,
    key,
    timestampMs,
    names.map((name) => [name, headers[name]]),
    value === null ? null : value.toString('latin1'),
  ]);
}

function canonicalState(
  topics: { name: string; partitions: { start: number; end: number; records: string[] }[] }[],
): LogState {
  return JSON.stringify(topics.sort((a, b) => (a.name < b.name ? -1 : 1)));
}
