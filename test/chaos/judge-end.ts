import { eventHeaders } from '@runlog/records/event-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import type { TopicNames } from '@runlog/schema/log/topics';
import type { DeliveredSnapshot, RunDocument } from '@runlog/schema/run/snapshot';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import type { Note } from './history/history-file.ts';
import { END } from './history/observation.ts';
import { type Publisher, parseEventId, type SentRun } from './publisher.ts';
import type { Subscriber } from './subscriber.ts';
import { comesToHold } from './until.ts';
import { EventTally, readObservation, type Witness } from './witness.ts';

export const SETTLE_MS_MAX = 120_000;

/** The content of the events topic for one run, counted without the fold. */
export interface RunInTopic {
  records: number;
  /** The numbers that exist, by emitter. */
  readonly numbers: Map<string, Set<number>>;
}

export interface TopicReading {
  readonly runs: Map<string, RunInTopic>;
  readonly tallies: Map<number, EventTally>;
  /** The newest offset of each run. */
  readonly newest: Map<string, number>;
}

/** Reads the events topic from its start to its end. */
export async function readEventsTopic(
  io: TopicIo,
  at: { topic: string; partitions: number; note?: Note },
): Promise<TopicReading> {
  const reading: TopicReading = { runs: new Map(), tallies: new Map(), newest: new Map() };
  const partitions = Array.from({ length: at.partitions }, (_, partition) => partition);
  for (const partition of partitions) reading.tallies.set(partition, new EventTally());
  await readToEnd(io, {
    topic: at.topic,
    partitions,
    onRecords: (records, partition) => {
      for (const record of records) {
        reading.tallies.get(partition)!.add(record);
        at.note?.(readObservation({ by: END, partition, record }));
        reading.newest.set(record.key, record.offset);
        const run = reading.runs.get(record.key) ?? { records: 0, numbers: new Map<string, Set<number>>() };
        reading.runs.set(record.key, run);
        run.records += 1;
        const id = parseEventId(record.headers[eventHeaders.eventId] ?? '');
        if (id === null) continue;
        const numbers = run.numbers.get(id.emitter) ?? new Set<number>();
        run.numbers.set(id.emitter, numbers.add(id.n));
      }
    },
  });
  return reading;
}

/**
 * Compares the publisher's record with the topic: each acknowledged event must be there, and nothing that was never
 * sent.
 */
export function judgeTopic(reading: TopicReading, publisher: Publisher): string[] {
  const violations: string[] = [];
  for (const { key, acknowledged } of publisher.runs.values()) {
    for (const [emitter, count] of acknowledged) {
      const numbers = reading.runs.get(key)?.numbers.get(emitter) ?? new Set();
      const lost: number[] = [];
      for (let n = 1; n <= count; n += 1) if (!numbers.has(n)) lost.push(n);
      if (lost.length > 0) {
        violations.push(
          `${key}: ${lost.length} acknowledged events of ${emitter} are lost: ${lost.slice(0, 20).join(', ')}`,
        );
      }
      if (numbers.size > count)
        violations.push(`${key} holds ${numbers.size} events of ${emitter}, ${count} were sent`);
    }
  }
  return violations;
}

/** Compares what the witness read through every fault with a reading now. */
export function judgeWitness(reading: TopicReading, witness: Witness): string[] {
  return [...reading.tallies].flatMap(([partition, now]) => {
    const seen = witness.events.get(partition);
    if (String(seen) === String(now)) return [];
    return [`partition ${partition} now reads ${now}; while it grew it read ${seen}`];
  });
}

/** Checks each gateway's answer for each run: every acknowledged event once, none twice, none missing. */
export async function judgeRuns(
  gateways: readonly string[],
  { reading, publisher }: { reading: TopicReading; publisher: Publisher },
): Promise<string[]> {
  const violations: string[] = [];
  for (const gateway of gateways) {
    for (const sent of publisher.runs.values()) {
      const newest = reading.newest.get(sent.key);
      let run: DeliveredSnapshot | null = null;
      const isCurrent = await comesToHold(async () => {
        run = await snapshotOf(gateway, sent.key);
        return run.position?.seq === newest;
      }, SETTLE_MS_MAX);
      if (!isCurrent || run === null) {
        violations.push(`${gateway} does not come to ${sent.key} at ${newest}`);
        continue;
      }
      violations.push(...judgeRun(run, { sent, records: reading.runs.get(sent.key)?.records ?? 0 }));
    }
  }
  return violations;
}

function judgeRun(run: DeliveredSnapshot, of: { sent: SentRun; records: number }): string[] {
  const { sent, records } = of;
  const count = [...sent.acknowledged.values()].reduce((sum, one) => sum + one, 0);
  const expected = { total: records, distinct: count, missing: 0, unsure: 0, counted: count, partial: false };
  const found = {
    total: run.total_events_received,
    distinct: run.total_events_received - run.duplicates,
    missing: run.missing,
    unsure: run.unsure,
    counted: Object.values(run.counts).reduce((sum, one) => sum + one, 0),
    partial: run.partial,
  };
  if (JSON.stringify(found) === JSON.stringify(expected)) return [];
  return [`${sent.key} says ${JSON.stringify(found)}, true is ${JSON.stringify(expected)}`];
}

/** Compares the state that a subscriber has assembled from snapshots and deltas with REST. */
export async function judgeSubscriber(
  subscriber: Subscriber,
  { gateway, publisher }: { gateway: string; publisher: Publisher },
): Promise<string[]> {
  const violations: string[] = [...subscriber.violations];
  for (const { key } of publisher.runs.values()) {
    let held = '';
    let there = '';
    const agrees = await comesToHold(async () => {
      there = comparable(await snapshotOf(gateway, key));
      held = comparable(subscriber.snapshotOf(key));
      return held === there;
    }, SETTLE_MS_MAX);
    if (!agrees) violations.push(`a subscriber holds another ${key} than REST:\n${held}\n${there}`);
  }
  return violations;
}

/** Checks that all services that started at the same moment agreed once on one epoch. */
export async function judgeMeta(io: TopicIo, topics: TopicNames): Promise<string[]> {
  let records = 0;
  await readToEnd(io, {
    topic: topics.meta,
    partitions: [0],
    onRecords: (batch) => {
      records += batch.length;
    },
  });
  const meta = await readMeta(io, topics);
  return records === 1 && meta !== null ? [] : [`run-meta holds ${records} records`];
}

/** Asks a gateway for a run. Rejects if it does not have it, or does not answer. */
export async function snapshotOf(
  gateway: string,
  key: string,
  signal: AbortSignal = AbortSignal.timeout(20_000),
): Promise<RunDocument> {
  const response = await fetch(`${gateway}/v1/runs/${key}`, { signal });
  if (response.status !== 200) throw new Error(`${gateway} answers ${response.status} for ${key}`);
  return (await response.json()) as RunDocument;
}

/** Returns a run's text without the fields that depend on the present time, and without what only REST delivers. */
export function comparable(run: DeliveredSnapshot | RunDocument | null): string {
  if (run === null) return 'nothing';
  const { freshness: _, state: _state, landmarks: _landmarks, ...rest } = { landmarks: null, ...run };
  return JSON.stringify(rest, (name, value) => {
    if (name === 'relative_time') return undefined;
    return isPlainObject(value) ? sorted(value) : value;
  });
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
}
