import { encodeRejected } from '@runlog/records/rejected-record';
import { REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { messageOf } from '@runlog/topic-io/error-message';
import type { Logger } from '@runlog/topic-io/logger';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { type RecordToAppend, TopicIoError, type TopicWriter } from '@runlog/topic-io/topic-io';
import type { RejectedEvent } from './accept-batch.ts';

/**
 * The bytes that may be handed to the writer and not yet answered. Rejected events beyond this are counted, but not
 * kept.
 */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** What `keep` hands to the writer before it waits for the answer. */
const KEPT_AT_ONCE_BYTES = 1024 * 1024;
const LOG_INTERVAL_MS_MIN = 10_000;
/** When less of a value fits into the topic, none of it is kept. */
const KEPT_BYTES_MIN = 512;

/** The facts that are stored with every rejected event of a body. `keyId` is null in open mode. */
export interface BodyFacts {
  readonly receivedAtMs: number;
  readonly keyId: string | null;
}

/** Keeps rejected events for a person to look at. */
export interface RejectedTopic {
  /** Keeps them on a best-effort basis: it never delays or fails an answer. */
  offer(rejected: readonly RejectedEvent[], of: BodyFacts): void;
  /** Resolves to null when they are in the topic, or to the reason why not all of them are. */
  keep(rejected: readonly RejectedEvent[], of: BodyFacts): Promise<TopicIoError | null>;
  /** The number of rejected events that could not be kept since the start. */
  readonly lost: number;
  /** Resolves when everything offered so far has been written or given up. */
  settled(): Promise<void>;
}

export function createRejectedTopic(options: {
  writer: TopicWriter;
  topic: string;
  partitions: number;
  logger: Logger;
  now: () => number;
}): RejectedTopic {
  const { writer, topic, logger, now } = options;
  const pending = new Set<Promise<void>>();
  let pendingBytes = 0;
  let lost = 0;
  let lostUnsaid = 0;
  let loggedAtMs = Number.NEGATIVE_INFINITY;

  const lose = (events: number, reason: string) => {
    lost += events;
    lostUnsaid += events;
    if (now() - loggedAtMs < LOG_INTERVAL_MS_MIN) return;
    logger.warn({ events: lostUnsaid, reason, topic }, 'rejected events were not kept');
    loggedAtMs = now();
    lostUnsaid = 0;
  };

  const write = async (
    partition: number,
    records: readonly RecordToAppend[],
  ): Promise<TopicIoError | null> => {
    let left = records;
    let failure: TopicIoError | null = null;
    try {
      while (left.length > 0) {
        const {
          acknowledged,
          refused = [],
          fault,
        } = await writer.append({ topic, partition, records: left });
        const undecided = left.length - acknowledged - refused.length;
        if (undecided > 0) {
          failure = fault ?? new TopicIoError('unavailable', 'the log acknowledged only some of them');
          lose(undecided, failure.message);
        }
        // A part of it is better than nothing. The reason is in the headers.
        const tooLarge = refused.map(({ index }) => left[index]!);
        left = tooLarge.flatMap(halved);
        if (left.length < tooLarge.length) lose(tooLarge.length - left.length, fault?.message ?? 'too large');
      }
    } catch (error) {
      lose(left.length, messageOf(error));
      failure = new TopicIoError('unavailable', 'the append failed in an unexpected way', { cause: error });
    }
    return failure;
  };

  return {
    get lost() {
      return lost;
    },
    offer(rejected, of) {
      const lanes = new Map<number, RecordToAppend[]>();
      let bytes = 0;
      for (const [position, event] of rejected.entries()) {
        const eventBytes = Math.min(event.value.length, REJECTED_BYTES_MAX);
        if (pendingBytes + bytes + eventBytes > PENDING_BYTES_MAX) {
          lose(rejected.length - position, 'too many at once');
          break;
        }
        bytes += eventBytes;
        const partition = partitionOf(event.key, options.partitions);
        const lane = lanes.get(partition) ?? [];
        lane.push(recordOf(event, of));
        lanes.set(partition, lane);
      }
      if (lanes.size === 0) return;
      pendingBytes += bytes;
      const all = Promise.all([...lanes].map(([partition, records]) => write(partition, records))).then(
        () => {
          pendingBytes -= bytes;
          pending.delete(all);
        },
      );
      pending.add(all);
    },
    async keep(rejected, of) {
      for (let at = 0; at < rejected.length; ) {
        const lanes = new Map<number, RecordToAppend[]>();
        for (let bytes = 0; at < rejected.length && bytes < KEPT_AT_ONCE_BYTES; at += 1) {
          const event = rejected[at]!;
          bytes += Math.min(event.value.length, REJECTED_BYTES_MAX);
          const partition = partitionOf(event.key, options.partitions);
          const lane = lanes.get(partition) ?? [];
          lane.push(recordOf(event, of));
          lanes.set(partition, lane);
        }
        const failures = await Promise.all(
          [...lanes].map(([partition, records]) => write(partition, records)),
        );
        const failure = failures.find((each) => each !== null);
        if (failure != null) return failure;
      }
      return null;
    },
    async settled() {
      await Promise.all(pending);
    },
  };
}

/** Returns the record with half of its value, or nothing if it has none. */
function halved(record: RecordToAppend): RecordToAppend[] {
  const { value } = record;
  if (value === null || value.length === 0) return [];
  return [{ ...record, value: value.subarray(0, value.length < KEPT_BYTES_MIN ? 0 : value.length >> 1) }];
}

function recordOf({ error, key, value }: RejectedEvent, { receivedAtMs, keyId }: BodyFacts): RecordToAppend {
  const { code, path, message } = error;
  return encodeRejected({ key, code, path, message, origin: 'ingest', keyId }, { value, receivedAtMs });
}
