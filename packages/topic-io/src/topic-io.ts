/**
 * The port to the log: partitioned append-only topics, compacted topics with tombstones, atomic commits under a fenced
 * writer id, assign-style readers and group assignment. Two engines implement it, `kafka/` and `embedded/`, and one
 * contract suite (test/contract) runs against both. Nothing outside this package knows a broker.
 *
 * Offsets are JavaScript numbers: 2^53 records a partition is beyond any broker's disk.
 */

import type { Compression } from './compression.ts';

/** A record that is handed to a writer. `value: null` makes it a tombstone. */
export interface RecordToAppend {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. For events this is `received_at`, never the event's own time. */
  readonly timestampMs: number;
  /**
   * The result of `JSON.parse` for the value, if the appender has it. It is not stored. A reader in the same process
   * may get it with the record and then need not parse again. Nobody may change it.
   */
  readonly json?: unknown;
}

/** A record that was read. Control records (transaction markers) are never given to a caller. */
export interface LogRecord extends RecordToAppend {
  readonly offset: number;
}

export type CleanupPolicy = 'delete' | 'compact';

/** What a process does with a topic, and so must be allowed to do. */
export type TopicNeed = 'read' | 'write';

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Applies to Kafka only. If it is undefined, it is 3, or 1 if the cluster has a single broker. */
  readonly replicationFactor?: number | undefined;
  readonly cleanupPolicy: CleanupPolicy;
  /**
   * Broker settings by their Kafka names (`segment.ms`, `retention.ms` …). The embedded engine reads those that it
   * knows.
   */
  readonly settings: Readonly<Record<string, string>>;
  /** Is asked of Kafka at once, so that what is missing does not show only when it is used. */
  readonly needs?: readonly TopicNeed[];
}

export interface TopicDescription {
  readonly name: string;
  /** Another one if the topic is deleted and made anew. Brokers older than 2.8 have none. */
  readonly id?: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** Where a partition begins and ends. Every offset below `stableEnd` is decided (committed or aborted). */
export interface PartitionBounds {
  readonly startOffset: number;
  readonly stableEnd: number;
}

/** A record that the log will not take, however often it is sent. The records around it are not affected. */
export interface RefusedRecord {
  /** Its place among the records of the append. */
  readonly index: number;
  readonly fault: TopicIoError;
}

/**
 * The fate of an append, whose records are decided in order. The first `acknowledged` + `refused.length` of them are
 * decided: those in `refused` are not in the log, and the others are durable (acks=all, fsynced). The fate of the rest
 * is unknown, so the caller must send them again.
 */
export interface AppendResult {
  readonly acknowledged: number;
  /** Offset of the first acknowledged record; -1 when there is none. */
  readonly baseOffset: number;
  /** In the order of their places; left out if there are none. */
  readonly refused?: readonly RefusedRecord[];
  /** Says why not all records were acknowledged. It is that of the undecided records if there are any. */
  readonly fault?: TopicIoError;
}

/**
 * Appends in lanes, one per partition. A lane has one request in flight and batches whatever arrives meanwhile. When
 * the outcome of a lane's batch is failure or unknown, everything queued behind it in that lane ends the same way, so
 * order within a key holds. A lane is bounded: an append beyond its byte budget resolves at once with `acknowledged: 0`
 * and code `overloaded`.
 */
export interface TopicWriter extends AsyncDisposable {
  append(batch: {
    topic: string;
    partition: number;
    records: readonly RecordToAppend[];
  }): Promise<AppendResult>;
  /** The bytes of all lanes that were handed in and are not yet answered. */
  readonly pendingBytes: number;
}

/** The read position of a consumer group. It is published only for lag tools; nothing in runlog starts from it. */
export interface GroupOffset {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * A writer under an exclusive id. Opening it (`TopicIo.fencedWriter`) fences every earlier holder of the id: their
 * commits fail with code `fenced` and none of their records becomes visible. A commit writes all records or none. After
 * any rejected commit the writer is spent: dispose of it and open a new one.
 */
export interface FencedWriter extends AsyncDisposable {
  commit(transaction: {
    records: readonly { topic: string; partition: number; records: readonly RecordToAppend[] }[];
    offsets?: readonly GroupOffset[];
  }): Promise<void>;
}

/**
 * A batch that is in the log and that nobody can read: its bytes are broken, or it has a format or a codec that Kafka does
 * not have now. What was in it is unknown.
 */
export interface UnreadableBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Says what is wrong, to go on after "the batch". */
  readonly reason: string;
  /**
   * Whether its bytes are not those that the broker took, as far as can be known: somebody may have read it whole before.
   * Of the others all passed it from the beginning.
   */
  readonly isDamaged: boolean;
  /** Its first bytes, `UNREADABLE_BYTES_KEPT` at most. */
  readonly bytes: Buffer;
}

export const UNREADABLE_BYTES_KEPT = 48 * 1024;

/** The items that a reader yields. */
export type Fetched =
  | {
      readonly kind: 'records';
      readonly partition: number;
      /**
       * May be empty, if the position moved past control records or past records of other keys, or if the partition
       * answered for the first time.
       */
      readonly records: readonly LogRecord[];
      /** The batches below `nextOffset` that were passed, if there are any. */
      readonly unreadable?: readonly UnreadableBatch[];
      /** About the size of all that was read for it, also of the records that `ReaderOptions.key` leaves out. */
      readonly bytes: number;
      /**
       * The offset where the next fetch begins. The reader is at the end of the log exactly when this equals
       * `stableEnd`.
       */
      readonly nextOffset: number;
      /** The stable end as of the fetch of these records, never that of an earlier fetch. */
      readonly stableEnd: number;
      readonly startOffset: number;
    }
  | {
      /**
       * The position is outside the log (retention passed it, or the topic was recreated), or the log has lost what was read
       * of it, from `stableEnd` on, and may have grown past the position since. The partition was removed
       * from the reader.
       */
      readonly kind: 'out_of_range';
      readonly partition: number;
      readonly requestedOffset: number;
      readonly startOffset: number;
      readonly stableEnd: number;
    };

/**
 * Reads committed records of one topic from chosen offsets, without a group. Partitions can be added and removed at any
 * time. It is pull-based: nothing is fetched that is not asked for, except at most one fetch ahead. Every added
 * partition yields at least once, even if it is empty, so that "read to the end" never waits for a record that will not
 * come. Passing broker faults are retried internally with back-off and reported to `onFault`. The iteration ends when
 * the reader is disposed or aborted.
 */
export interface TopicReader extends AsyncDisposable, AsyncIterable<Fetched> {
  /** With `to`, nothing is needed from there on: an answer may end there, so that less is read. */
  add(position: { partition: number; offset: number; to?: number }): void;
  /**
   * Removes a partition. Nothing that was fetched before is yielded any more, even if the partition is added again at
   * another offset.
   */
  remove(partition: number): void;
}

/**
 * An answer of the log, which may have held nothing new and then is never yielded. While a caller waits for a reader and
 * the log is well, each of its partitions is answered for at least once a second.
 */
export interface FetchAnswered {
  readonly partition: number;
  readonly stableEnd: number;
  /** The end of what is durable. It is above `stableEnd` exactly while an open transaction holds records back. */
  readonly highWatermark: number;
}

/** A transaction that is open on a partition. No reader sees anything from `startOffset` on until it has ended. */
export interface OpenTransaction {
  readonly startOffset: number;
  /** The number of offsets that are durable from there on, and that no reader gets. */
  readonly heldBack: number;
  /** Null where the log does not say more than that there is one. */
  readonly producerId: string | null;
  /** Null where the log does not say whose it is, because it cannot or because this process may not know. */
  readonly transactionalId: string | null;
  /** When it was opened, in milliseconds since the epoch. */
  readonly openedMs: number | null;
  /** How long after that the log ends it by itself. */
  readonly timeoutMs: number | null;
  /** Says what an operator can do, with the exact command. */
  readonly remedy: string;
}

/** One generation of a group: the partitions that are ours until the next generation. */
export interface Assignment {
  readonly generation: number;
  readonly partitions: readonly number[];
}

/**
 * Membership of a consumer group, used only for assignment: it never fetches. Iterating yields each new assignment. If
 * several came while the caller was busy, it yields only the newest.
 */
export interface GroupMember extends AsyncDisposable, AsyncIterable<Assignment> {
  /**
   * Resolves true when a heartbeat sent after this call was accepted for `generation`; false when the group moved on.
   * A new holder of the partitions calls it between fencing and restoring: from then on no other member can believe
   * that they are its own.
   */
  confirm(generation: number): Promise<boolean>;
}

export interface ReaderOptions {
  readonly topic: string;
  /** Yields only the records of this key, which costs far less than to yield all and leave most of them aside. */
  readonly key?: string;
  /**
   * Has the reader pass batches that nobody can read, and name each in the item that passes it. Otherwise it ends with
   * `unusable` at the first: where a record replaces earlier ones of its key, to pass one would bring those back.
   */
  readonly passesUnreadable?: boolean;
  readonly signal?: AbortSignal;
  /**
   * Whether the reader waits, as for a passing fault, if this process may not read the topic. Otherwise it rejects. It is
   * meant for readers that follow a topic for ever: what was taken from them may be given back.
   */
  readonly outlastsDenial?: boolean;
  /**
   * Is told of a passing fault that the reader is retrying: once when it begins, and once, with null, when it is over.
   */
  readonly onFault?: (fault: TopicIoError | null) => void;
  /** Is told whenever the log has answered for a partition. */
  readonly onAnswer?: (answer: FetchAnswered) => void;
}

export interface TopicIo extends AsyncDisposable {
  readonly engine: 'kafka' | 'embedded';
  /**
   * Creates the topics that are missing, and leaves existing ones as they are. It is safe if several processes do this
   * at once. Rejects with `denied` if this process may not do what it needs.
   */
  ensureTopics(specs: readonly TopicSpec[]): Promise<TopicDescription[]>;
  /** Resolves to null if there is no such topic. Rejects with `denied` if this process may not do what it `needs`. */
  describeTopic(name: string, needs?: readonly TopicNeed[]): Promise<TopicDescription | null>;
  /** With an id it deletes only the topic that has it, and none that was made since under the same name. */
  deleteTopic(name: string, only?: { readonly id?: string | undefined }): Promise<void>;
  bounds(topic: string): Promise<PartitionBounds[]>;
  /** Resolves to the offset of the first record at or after the time, or to the end. */
  offsetAtTime(position: { topic: string; partition: number; timestampMs: number }): Promise<number>;
  /**
   * Resolves to the transactions that are open on the partition, the oldest first. It says what it can learn: the log may be
   * too old to tell, or may not tell this process.
   */
  openTransactions(position: { topic: string; partition: number }): Promise<readonly OpenTransaction[]>;
  /** `compression` applies to Kafka only: the embedded engine stores records as they are. */
  writer(options?: { laneBytesMax?: number; compression?: Compression }): Promise<TopicWriter>;
  fencedWriter(id: string): Promise<FencedWriter>;
  reader(options: ReaderOptions): TopicReader;
  /**
   * The partitions of `topic` are shared out among the members. Rejects with `denied` if this process may not join, or the
   * group cannot have it. If that begins later, the member goes on trying, and `onRefused` is told: once when it begins, and
   * once, with null, when it is over. It is also told of a refusal that may pass and has lasted for some seconds.
   */
  groupMember(options: {
    group: string;
    topic: string;
    signal?: AbortSignal;
    onRefused?: (refusal: TopicIoError | null) => void;
  }): Promise<GroupMember>;
  /**
   * For how many milliseconds the log still has requests of this process wait, because it exceeds what it is allowed to send
   * or read in a time. 0 if it does not. That is no fault of the log, and passes.
   */
  throttledMs(): number;
  /** Resolves if the log answers now, or else rejects with `unavailable`. It is meant for readiness checks. */
  ping(): Promise<void>;
}

/**
 * - `unavailable`: the log could not be reached or did not answer in time; try again later.
 * - `overloaded`: a bound of this process is reached; try again later.
 * - `fenced`: another holder of the writer id took over.
 * - `closed`: this object was disposed.
 * - `too_large`: a record exceeds what the log takes.
 * - `storage_full`: the disk or the map is full.
 * - `denied`: the log refuses this process (no right to a topic, a wrong password). Only an administrator can mend that:
 *   a start ends, and a service that has worked before goes on when it is mended.
 * - `unusable`: the log answers but cannot be used (foreign folder, wrong version); do not retry.
 */
export type TopicIoErrorCode =
  | 'unavailable'
  | 'overloaded'
  | 'fenced'
  | 'closed'
  | 'too_large'
  | 'storage_full'
  | 'denied'
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

/**
 * Whether the log has answered and refuses, for a reason that an operator can remove. What was to be written is good, and is
 * to be kept until then.
 */
export function isVerdict(error: unknown): error is TopicIoError {
  if (!(error instanceof TopicIoError)) return false;
  return error.code === 'too_large' || error.code === 'unusable' || error.code === 'denied';
}

/** Whether an administrator took something from this process, or has not yet given it. */
export function isDenial(error: unknown): error is TopicIoError {
  return error instanceof TopicIoError && error.code === 'denied';
}

/**
 * Whether waiting can help. A final refusal by the log, and an error that is not the log's, must stop a service. So must a
 * denial if the service `hasWorked` never: then nobody is waiting for it, and the one who starts it must know.
 */
export function isPassing(
  error: unknown,
  { hasWorked = false }: { hasWorked?: boolean } = {},
): error is TopicIoError {
  if (!(error instanceof TopicIoError)) return false;
  switch (error.code) {
    case 'denied':
      return hasWorked;
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
