import type {
  AppendResult,
  Fetched,
  LogRecord,
  RecordToAppend,
  TopicIo,
  TopicReader,
  TopicSpec,
} from '@runlog/topic-io/topic-io';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import { expect, onTestFinished } from 'vitest';
import { uniqueName } from '../support/unique-name.ts';

/** One log under test, opened for a whole suite. */
export interface LogUnderTest {
  readonly io: TopicIo;
  /** Disposes of `io` and opens the same log again. */
  reopen?(): Promise<TopicIo>;
  /** Is false if its groups may deal partitions out anew, as seeds decide: nothing may depend on who keeps what. */
  readonly sharesStay?: boolean;
  dispose(): Promise<void>;
}

/** What the parts of the suite share. `io()` returns the present engine: a test that reopens the log replaces it. */
export interface ContractContext {
  io(): TopicIo;
  /** Reopens the log. Resolves to null if the engine's harness cannot. */
  reopen(): Promise<TopicIo | null>;
  sharesStay(): boolean;
}

/** A reader that gets no answer ends by itself after this time, so that it does not hang. */
const READER_MS_MAX = 120_000;

export type Records = Extract<Fetched, { kind: 'records' }>;

export async function createTopic(io: TopicIo, overrides: Partial<TopicSpec> = {}): Promise<string> {
  const spec: TopicSpec = {
    name: uniqueName('topic'),
    partitions: 1,
    cleanupPolicy: 'delete',
    settings: {},
    ...overrides,
  };
  await io.ensureTopics([spec]);
  return spec.name;
}

export function record(overrides: Partial<RecordToAppend> = {}): RecordToAppend {
  return {
    key: 'c1/r1/default',
    value: Buffer.from('{}'),
    headers: {},
    timestampMs: Date.now(),
    ...overrides,
  };
}

/** Makes `count` records whose values are `label-0`, `label-1` … */
export function numbered(label: string, count: number): RecordToAppend[] {
  return Array.from({ length: count }, (_, index) => record({ value: Buffer.from(`${label}-${index}`) }));
}

export function textOf(records: readonly LogRecord[]): (string | null)[] {
  return records.map((one) => (one.value === null ? null : one.value.toString('utf8')));
}

/** Appends through a writer of its own and insists on every acknowledgement. Returns the base offset. */
export async function appendAll(
  io: TopicIo,
  batch: { topic: string; partition?: number; records: readonly RecordToAppend[] },
): Promise<number> {
  await using writer = await io.writer();
  const result = await writer.append({ partition: 0, ...batch });
  expectAcknowledged(result, batch.records.length);
  return result.baseOffset;
}

export function expectAcknowledged(result: AppendResult, count: number): void {
  expect(result.fault?.message).toBeUndefined();
  expect(result.acknowledged).toBe(count);
}

/** Reads one partition until the fetch says that it reached the end. */
export async function readToEnd(
  io: TopicIo,
  position: { topic: string; partition?: number; offset?: number },
): Promise<{ records: LogRecord[]; nextOffset: number; stableEnd: number; startOffset: number }> {
  const { topic, partition = 0, offset = 0 } = position;
  await using reader = io.reader({ topic, signal: AbortSignal.timeout(READER_MS_MAX) });
  reader.add({ partition, offset });
  const records: LogRecord[] = [];
  for (;;) {
    const fetched = await nextRecords(reader);
    expect(fetched.partition).toBe(partition);
    records.push(...fetched.records);
    if (fetched.nextOffset >= fetched.stableEnd) {
      return {
        records,
        nextOffset: fetched.nextOffset,
        stableEnd: fetched.stableEnd,
        startOffset: fetched.startOffset,
      };
    }
  }
}

/**
 * Reads to the end until the expected number of records is there. Kafka answers a commit when it is decided and shows
 * it a moment later. The engine waits for that moment, but not for long.
 */
export async function readCommitted(
  io: TopicIo,
  position: { topic: string; partition?: number; count: number },
): ReturnType<typeof readToEnd> {
  let read = await readToEnd(io, position);
  await expect
    .poll(async () => {
      if (read.records.length < position.count) read = await readToEnd(io, position);
      return read.records.length;
    })
    .toBeGreaterThanOrEqual(position.count);
  return read;
}

const iterators = new WeakMap<TopicReader, AsyncIterator<Fetched>>();

/** Returns the reader's next answer. One iterator serves all calls. */
export async function nextFetched(reader: TopicReader): Promise<Fetched> {
  let iterator = iterators.get(reader);
  if (iterator === undefined) {
    iterator = reader[Symbol.asyncIterator]();
    iterators.set(reader, iterator);
  }
  const next = await iterator.next();
  if (next.done === true) throw new Error('the reader ended before it answered');
  return next.value;
}

export async function nextRecords(reader: TopicReader): Promise<Records> {
  const fetched = await nextFetched(reader);
  if (fetched.kind !== 'records') throw new Error(`expected records, got ${JSON.stringify(fetched)}`);
  return fetched;
}

/** Reads answers until one satisfies the condition, and returns all of them. */
export async function fetchedUntil(
  reader: TopicReader,
  condition: (fetched: Fetched, all: readonly Fetched[]) => boolean,
): Promise<Fetched[]> {
  const all: Fetched[] = [];
  for (;;) {
    const fetched = await nextFetched(reader);
    all.push(fetched);
    if (condition(fetched, all)) return all;
  }
}

/** Opens a reader that is disposed when the test ends, and that ends by itself instead of hanging. */
export function openReader(io: TopicIo, topic: string): TopicReader {
  const reader = io.reader({ topic, signal: AbortSignal.timeout(READER_MS_MAX) });
  onTestFinished(async () => {
    await reader[Symbol.asyncDispose]();
  });
  return reader;
}

export async function rejectionOf(promise: Promise<unknown>): Promise<TopicIoError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(TopicIoError);
    return error as TopicIoError;
  }
  throw new Error('expected a rejection');
}
