/**
 * The log as runlog sees it: partitioned append-only topics, compacted topics with tombstones, atomic commits
 * under a fenced writer id, assign-style readers and group assignment. Two engines implement it, `kafka/` and
 * `embedded/`; one contract suite (test/contract) runs against both. Nothing outside this package knows a broker.
 *
 * Offsets are JavaScript numbers: 2^53 records a partition is beyond any broker's disk.
 */

import type { Compression } from './compression.ts';

/** A record as it is handed to a writer. `value: null` is a tombstone. */
export interface RecordToAppend {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. For events this is `received_at`, never the event's own time. */
  readonly timestampMs: number;
  /**
   * The result of `JSON.parse` for the value, where the appender has it at hand. It is not stored, but a reader in the same
   * process may get it along and need not parse again; nobody may change it.
   */
  readonly json?: unknown;
}

/** A record as it is read back. Control records (transaction markers) never surface. */
export interface LogRecord extends RecordToAppend {
  readonly offset: number;
}

export type CleanupPolicy = 'delete' | 'compact';

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Kafka only; `undefined`: 3, or 1 where the cluster has a single broker. */
  readonly replicationFactor?: number | undefined;
  readonly cleanupPolicy: CleanupPolicy;
  /** Broker settings by their Kafka names (`segment.ms`, `retention.ms` …); the embedded engine reads those it knows. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** Where a partition begins and ends. `stableEnd`: every offset below it is decided (committed or aborted). */
export interface PartitionBounds {
  readonly startOffset: number;
  readonly stableEnd: number;
}

/**
 * The fate of an append: the first `acknowledged` records are durable (acks=all, fsynced), in order. The fate of
 * the rest is unknown, `fault` says why, and the caller must send them again: they may or may not be in the log.
 */
export interface AppendResult {
  readonly acknowledged: number;
  /** Offset of the first acknowledged record; -1 when there is none. */
  readonly baseOffset: number;
  readonly fault?: TopicIoError;
}

/**
 * Appends in lanes, one a partition: one request in flight a lane, batching whatever arrives meanwhile. When a lane's
 * batch ends failed or unknown, everything queued behind it in that lane ends the same way, so order within a key
 * holds. Bounded: an append beyond the lane's byte budget resolves at once with `acknowledged: 0` and code `overloaded`.
 */
export interface TopicWriter extends AsyncDisposable {
  append(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult>;
  /** Bytes handed in and not yet answered, over all lanes. */
  readonly pendingBytes: number;
}

/** Read position of a consumer group, published for lag tools alone; nothing in runlog starts from it. */
export interface GroupOffset {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * A writer under an exclusive id. Opening it (`TopicIo.fencedWriter`) fences every earlier holder of the id: their
 * commits fail with code `fenced` and none of their records becomes visible. One commit = all or nothing.
 * After any rejected commit the writer is spent: dispose it and open a new one.
 */
export interface FencedWriter extends AsyncDisposable {
  commit(transaction: {
    records: readonly { topic: string; partition: number; records: readonly RecordToAppend[] }[];
    offsets?: readonly GroupOffset[];
  }): Promise<void>;
}

/** The items that a reader yields. */
export type Fetched =
  | {
      readonly kind: 'records';
      readonly partition: number;
      /** May be empty: the position moved past control records, or the partition answered for the first time. */
      readonly records: readonly LogRecord[];
      /** Where the next fetch begins. At the end of the log exactly when it equals `stableEnd`. */
      readonly nextOffset: number;
      /** The stable end that the fetch of these records saw, never that of an earlier fetch. */
      readonly stableEnd: number;
      readonly startOffset: number;
    }
  | {
      /** The position lies outside the log (retention passed it, or the topic was recreated); the partition was removed. */
      readonly kind: 'out_of_range';
      readonly partition: number;
      readonly requestedOffset: number;
      readonly startOffset: number;
      readonly stableEnd: number;
    };

/**
 * Reads committed records of one topic from chosen offsets, without a group. Partitions come and go at any time.
 * Pull-based: what is not asked for is not fetched (one fetch ahead at most). Every added partition yields at least
 * once, even when it is empty, so that "read to the end" never waits for a record that will not come. Passing broker
 * faults are retried inside with back-off and reported to `onFault`; iteration ends when disposed or aborted.
 */
export interface TopicReader extends AsyncDisposable, AsyncIterable<Fetched> {
  add(position: { partition: number; offset: number }): void;
  /** From here on nothing is yielded that was fetched before, also when the partition is added again elsewhere. */
  remove(partition: number): void;
}

/** One generation of a group: the partitions that are ours until the next one. */
export interface Assignment {
  readonly generation: number;
  readonly partitions: readonly number[];
}

/**
 * Membership of a consumer group, for assignment alone: it never fetches. Iterating yields each new assignment, the
 * newest only (one missed while busy is skipped).
 */
export interface GroupMember extends AsyncDisposable, AsyncIterable<Assignment> {
  /**
   * Resolves true when a heartbeat sent after this call was accepted for `generation`; false when the group moved on.
   * A new holder of the partitions calls it between fencing and restoring: from then on no other member can believe
   * that they are its own.
   */
  confirm(generation: number): Promise<boolean>;
}

export interface TopicIo extends AsyncDisposable {
  readonly engine: 'kafka' | 'embedded';
  /** Creates what is missing (safe when several processes do it at once); what exists is left as it is. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<TopicDescription[]>;
  /** `null`: no such topic. */
  describeTopic(name: string): Promise<TopicDescription | null>;
  deleteTopic(name: string): Promise<void>;
  bounds(topic: string): Promise<PartitionBounds[]>;
  /** Offset of the first record at or after the time, or the end. */
  offsetAtTime(position: { topic: string; partition: number; timestampMs: number }): Promise<number>;
  /** `compression` is Kafka's only: the embedded engine stores records as they are. */
  writer(options?: { laneBytesMax?: number; compression?: Compression }): Promise<TopicWriter>;
  fencedWriter(id: string): Promise<FencedWriter>;
  reader(options: {
    topic: string;
    signal?: AbortSignal;
    /** A passing fault that the reader is retrying; called once when it begins and once, with null, when it is over. */
    onFault?: (fault: TopicIoError | null) => void;
  }): TopicReader;
  /** `topic` gives the partitions that are shared out. */
  groupMember(options: { group: string; topic: string; signal?: AbortSignal }): Promise<GroupMember>;
  /** Resolves when the log answers now; rejects with `unavailable`. For readiness checks. */
  ping(): Promise<void>;
}

/**
 * - `unavailable`: the log cannot be reached or has not answered in time; try again later.
 * - `overloaded`: a bound of this process is reached; try again later.
 * - `fenced`: another holder of the writer id took over.
 * - `closed`: this object was disposed.
 * - `too_large`: a record exceeds what the log takes.
 * - `storage_full`: the disk or the map is full.
 * - `unusable`: the log answers but cannot be used (foreign folder, wrong version, no permission); do not retry.
 */
export type TopicIoErrorCode =
  | 'unavailable'
  | 'overloaded'
  | 'fenced'
  | 'closed'
  | 'too_large'
  | 'storage_full'
  | 'unusable';

/** Every failure that crosses this port. */
export class TopicIoError extends Error {
  readonly code: TopicIoErrorCode;

  constructor(code: TopicIoErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TopicIoError';
    this.code = code;
  }
}

/** Whether waiting can help: what the log refuses for good, and what is no fault of the log, must stop a service. */
export function isPassing(error: unknown): error is TopicIoError {
  if (!(error instanceof TopicIoError)) return false;
  switch (error.code) {
    case 'unavailable':
    case 'overloaded':
    case 'storage_full':
    case 'fenced':
      return true;
    case 'closed':
    case 'too_large':
    case 'unusable':
      return false;
    default: {
      const unreachable: never = error.code;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
}
