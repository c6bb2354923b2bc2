import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeEvent } from '@runlog/records/event-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import { foldInto } from '@runlog/run-state/evolve';
import { RunDraft } from '@runlog/run-state/run-draft';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import type { LogRecord, RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { TEST_EPOCH } from './event-factory.ts';
import { silentLogger } from './silent-logger.ts';

const TOPIC = 'run-events';
const APPENDED_AT_ONCE = 500;
const FIRST_RECEIVED_MS = Date.UTC(2026, 0, 4);
const RECEIVED_EVERY_MS = 1_000;
const RETENTION_MS = 3_600_000;

/** An embedded log with one partition of events, and what its reading costs. */
export interface PastLog extends AsyncDisposable {
  /** Counts what is read through it. */
  readonly io: TopicIo;
  readonly topic: { readonly name: string; readonly partitions: number };
  readonly records: readonly LogRecord[];
  /** The bytes and the records, of all keys, that were read since `forget`. */
  readonly cost: { bytes: number; records: number; forget(): void };
}

/** With `keptFrom`, retention has deleted the records below that offset. */
export async function openPastLog(
  records: readonly RecordToAppend[],
  { keptFrom = 0 }: { keptFrom?: number } = {},
): Promise<PastLog> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-past-'));
  const topic = { name: TOPIC, partitions: 1 };
  await write({ folder, topic, records });
  const now = () => FIRST_RECEIVED_MS + keptFrom * RECEIVED_EVERY_MS + RETENTION_MS;
  const io = await openEmbedded({ folder, logger: silentLogger, now });
  while ((await io.bounds(TOPIC))[0]!.startOffset < keptFrom) await nextTurn();
  const cost = {
    bytes: 0,
    records: 0,
    forget() {
      cost.bytes = 0;
      cost.records = 0;
    },
  };
  return {
    io: counting(io, cost),
    topic,
    records: records.map((record, offset) => ({ ...record, offset })),
    cost,
    async [Symbol.asyncDispose]() {
      await io[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function write(to: {
  folder: string;
  topic: { name: string; partitions: number };
  records: readonly RecordToAppend[];
}): Promise<void> {
  await using io = await openEmbedded({ folder: to.folder, logger: silentLogger, now: () => 0 });
  const settings = { 'retention.ms': String(RETENTION_MS) };
  await io.ensureTopics([{ ...to.topic, cleanupPolicy: 'delete', settings }]);
  await using writer = await io.writer();
  for (let from = 0; from < to.records.length; from += APPENDED_AT_ONCE) {
    const records = to.records.slice(from, from + APPENDED_AT_ONCE);
    const { acknowledged } = await writer.append({ topic: TOPIC, partition: 0, records });
    if (acknowledged !== records.length) throw new Error('not everything was appended');
  }
}

/** Returns the record of an event, received a second after the one before it. */
export function recordToAppend(event: TelemetryEvent, index: number): RecordToAppend {
  const receivedAtMs = FIRST_RECEIVED_MS + index * RECEIVED_EVERY_MS;
  return encodeEvent(event, {
    clusterId: 'c1',
    value: Buffer.from(JSON.stringify(event)),
    receivedAt: new Date(receivedAtMs).toISOString(),
    receivedAtMs,
  });
}

/** A run as the fold makes it of the log's records, and each entry that went out live, by the offset of its event. */
export function foldedLive(
  records: readonly LogRecord[],
  key: string,
): { state: RunSnapshot; entries: ReadonlyMap<number, EventLogEntry>; repeats: ReadonlySet<number> } {
  const draft = new RunDraft(null);
  const entries = new Map<number, EventLogEntry>();
  const repeats = new Set<number>();
  for (const record of records) {
    if (record.key !== key) continue;
    const decoded = decodeRunRecord(record, TEST_EPOCH);
    if (decoded.kind === 'unfoldable') continue;
    const folded = foldInto(draft, decoded);
    if (folded === 'repeated') repeats.add(record.offset);
    if (typeof folded !== 'string') entries.set(record.offset, folded);
  }
  if (draft.state === null) throw new Error(`the log has no run ${key}`);
  return { state: draft.state, entries, repeats };
}

function counting(io: TopicIo, cost: { bytes: number; records: number }): TopicIo {
  const counted: Pick<TopicIo, 'reader'> = {
    reader(options) {
      const reader = io.reader(options);
      let from = 0;
      return {
        add(position) {
          from = position.offset;
          reader.add(position);
        },
        remove: (partition) => reader.remove(partition),
        [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
        async *[Symbol.asyncIterator]() {
          const iterator = reader[Symbol.asyncIterator]();
          for (;;) {
            const next = await iterator.next();
            if (next.done === true) return;
            if (next.value.kind === 'records') {
              cost.records += next.value.nextOffset - from;
              cost.bytes += next.value.bytes;
              from = next.value.nextOffset;
            }
            yield next.value;
          }
        },
      };
    },
  };
  return new Proxy(io, {
    get: (target, name) => {
      const value: unknown = name === 'reader' ? counted.reader : Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(name === 'reader' ? counted : target) : value;
    },
  });
}
