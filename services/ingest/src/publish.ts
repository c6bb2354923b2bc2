import { partitionOf } from '@runlog/topic-io/partitioner';
import {
  type AppendResult,
  type RecordToAppend,
  TopicIoError,
  type TopicIoErrorCode,
  type TopicWriter,
} from '@runlog/topic-io/topic-io';
import type { AcceptedEvent } from './accept-batch.ts';
import type { OpenLog } from './open-log.ts';
import { within } from './within.ts';

/** An event that the log will not take, however often it is sent. */
export interface RefusedEvent {
  readonly event: AcceptedEvent;
  readonly fault: TopicIoError;
}

/**
 * The fate of a body's valid events. `retry` holds the ascending indexes of events whose fate is unknown or that were
 * not sent.
 */
export interface Published {
  readonly acknowledged: number;
  /** The number of acknowledged events that had a bare NaN, which became a string. */
  readonly normalized: number;
  readonly retry: readonly number[];
  readonly refused: readonly RefusedEvent[];
  /** The gravest fault of any partition; null exactly if `retry` is empty. */
  readonly fault: TopicIoError | null;
  /**
   * Resolves when the log has answered everything, including appends that were given up. Until then the events are in
   * use.
   */
  readonly settled: Promise<unknown>;
  /** The indexes of those of `retry` that the log acknowledged after all, once everything is answered. */
  readonly acknowledgedLate: Promise<readonly number[]>;
}

/** Bounds one request. Events that the log has not answered by then are `retry`, although they may still arrive. */
export const PUBLISH_MS_MAX = 8_000;

/**
 * Appends each partition's events in the order of the body, all partitions at once, and waits at most `waitMsMax` for
 * the log's answers. It never rejects because of a fault of the log.
 */
export async function publish(options: {
  log: Pick<OpenLog, 'writer' | 'topic' | 'partitions' | 'throttledMs'>;
  events: readonly AcceptedEvent[];
  waitMsMax?: number;
}): Promise<Published> {
  const { writer, topic, partitions, throttledMs } = options.log;
  const lanes = groupByPartition(options.events, partitions);
  const answered = new Map<number, LaneAnswer>();
  const appends = [...lanes].map(async ([partition, { records }]) => {
    answered.set(partition, await appendLane(writer, { topic, partition, records }));
  });
  const settled = Promise.all(appends);
  await within(settled, options.waitMsMax ?? PUBLISH_MS_MAX);
  let acknowledged = 0;
  let normalized = 0;
  const retry: number[] = [];
  const refused: RefusedEvent[] = [];
  const givenUp: number[] = [];
  let fault: TopicIoError | null = null;
  for (const [partition, lane] of lanes) {
    const known = answered.get(partition);
    if (known === undefined) givenUp.push(partition);
    const answer = known ?? lateAnswer(throttledMs());
    acknowledged += answer.acknowledged;
    const refusals = new Map(answer.refused?.map((one) => [one.index, one.fault]));
    const decided = answer.acknowledged + refusals.size;
    for (const [position, event] of lane.events.entries()) {
      const refusal = refusals.get(position);
      if (position >= decided) retry.push(event.index);
      else if (refusal !== undefined) refused.push({ event, fault: refusal });
      else if (event.normalized) normalized += 1;
    }
    if (decided < lane.records.length) fault = graver(fault, answer.fault ?? unexplained);
  }
  const acknowledgedLate =
    givenUp.length === 0
      ? nothing
      : settled.then(() =>
          givenUp.flatMap((partition) => acknowledgedOf(lanes.get(partition)!, answered.get(partition)!)),
        );
  retry.sort((a, b) => a - b);
  return { acknowledged, normalized, retry, refused, fault, settled, acknowledgedLate };
}

const nothing: Promise<readonly number[]> = Promise.resolve([]);

function acknowledgedOf({ events }: Lane, { acknowledged, refused }: LaneAnswer): number[] {
  const refusals = new Set(refused?.map(({ index }) => index));
  const decided = events.slice(0, acknowledged + refusals.size);
  return decided.filter((_, position) => !refusals.has(position)).map(({ index }) => index);
}

type LaneAnswer = Omit<AppendResult, 'baseOffset'>;

const unexplained = new TopicIoError('unavailable', 'the log acknowledged only some of the events');

/** What the log has not answered for. If it has this process wait, that is no outage. */
function lateAnswer(throttledMs: number): LaneAnswer {
  const fault =
    throttledMs > 0
      ? new TopicIoError(
          'overloaded',
          `a quota of the cluster has ingest wait for another ${Math.ceil(throttledMs / 1_000)} s`,
        )
      : new TopicIoError('unavailable', 'the log did not acknowledge in time');
  return { acknowledged: 0, fault };
}

async function appendLane(
  writer: TopicWriter,
  batch: { topic: string; partition: number; records: readonly RecordToAppend[] },
): Promise<LaneAnswer> {
  try {
    return await writer.append(batch);
  } catch (error) {
    const fault =
      error instanceof TopicIoError
        ? error
        : new TopicIoError('unavailable', 'the append failed in an unexpected way', { cause: error });
    return { acknowledged: 0, fault };
  }
}

/** What one partition gets, in the order of the body: the event of `records[n]` is `events[n]`. */
interface Lane {
  readonly events: AcceptedEvent[];
  readonly records: RecordToAppend[];
}

function groupByPartition(events: readonly AcceptedEvent[], partitions: number): ReadonlyMap<number, Lane> {
  const lanes = new Map<number, Lane>();
  // Bodies mostly hold one run, so the hash of the previous key is mostly the one that is needed.
  let key: string | null = null;
  let lane: Lane = { events: [], records: [] };
  for (const event of events) {
    const { record } = event;
    if (record.key !== key) {
      key = record.key;
      const partition = partitionOf(key, partitions);
      lane = lanes.get(partition) ?? { events: [], records: [] };
      lanes.set(partition, lane);
    }
    lane.events.push(event);
    lane.records.push(record);
  }
  return lanes;
}

/** Faults from those that an operator must act upon to those that pass by themselves. */
const gravity: readonly TopicIoErrorCode[] = [
  'storage_full',
  'unusable',
  'denied',
  'too_large',
  'unavailable',
  'fenced',
  'closed',
  'overloaded',
];

function graver(one: TopicIoError | null, other: TopicIoError): TopicIoError {
  if (one === null) return other;
  return gravity.indexOf(other.code) < gravity.indexOf(one.code) ? other : one;
}
