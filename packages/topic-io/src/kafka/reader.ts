import { setMaxListeners } from 'node:events';
import { CodecMissingError } from '../codecs/codec.ts';
import { lastingIterator } from '../lasting-iterator.ts';
import {
  type FetchAnswered,
  type Fetched,
  type LogRecord,
  type ReaderOptions,
  TopicIoError,
  type TopicReader,
} from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { faultAbout, isDenied, KAFKA, KafkaFault, toKafkaFault } from './faults.ts';
import { type FetchedPartition, fetchPartitions } from './fetch.ts';
import { endOfLeaderEpoch, type LeaderEpochs, leaderEpochsOf } from './leader-epochs.ts';
import { type DecodedBatches, decodeBatches } from './record-batch.ts';
import type { KafkaSession } from './session.ts';
import { isCompacted, partitionBounds } from './topics.ts';

const RETRY_DELAY_MIN_MS = 50;
const RETRY_DELAY_MAX_MS = 1_000;
/**
 * A batch whose checksum is wrong is fetched so many times before it counts as unreadable: it may have been damaged on its
 * way, or another replica may lead meanwhile.
 */
const FETCHES_OF_DOUBTFUL = 3;
/** After this number of empty answers in a row, at one offset below the stable end, nothing is left there. */
const EMPTY_ANSWERS_MAX = 2;
/** A topic that is not compacted may give nothing below its end for so long, as tiered storage does, and is well. */
const STANDS_STILL_AFTER = { ms: 10_000, answers: 10 };
/** After so many failures in a row, some ten seconds, a reader that is to come to an end gives up on a damaged partition. */
const DAMAGED_TRIES = 14;
/** What a broker answers for ever if it cannot read what it stores. It also answers so for a moment now and then. */
const DAMAGED = new Set<number>([KAFKA.unknownServerError, KAFKA.corruptMessage, KAFKA.storageError]);
const DAMAGED_ADVICE =
  'what the broker that leads it stores there may be damaged: docs/operations.md, "A batch cannot be read"';
/**
 * The number of answers of a broker that may wait for the caller; no more is fetched then. Each has at most
 * `fetchBytes`.
 */
const ANSWERS_UNREAD_MAX = 2;

interface Position {
  readonly partition: number;
  offset: number;
  inFlight: boolean;
  /** Is true while the partition waits to be tried again. */
  blocked: boolean;
  failures: number;
  answered: boolean;
  atEnd: boolean;
  emptyAnswers: number;
  /** The answers in a row that were empty although there should be records, and when the first came (`performance.now()`). */
  owed: { readonly sinceMs: number; readonly answers: number } | null;
  /** The number of answers in a row that ended at a batch that cannot be trusted. */
  doubts: number;
  /** Of the batch that was read last; null before the first. */
  leaderEpoch: number | null;
  /**
   * Orders the partitions of a request. They share the answer's size, so the one that got bytes longest ago comes
   * first.
   */
  servedAt: number;
}

interface ReaderNode {
  fetching: boolean;
  /** The number of answers of this broker that the caller has not fully taken. */
  answersUnread: number;
}

/** What the batches of one answer may still inflate to. It is below zero when no more of them may be inflated. */
interface Room {
  inflatedBytes: number;
}

/** One partition's part of an answer, in the form that the caller gets. */
interface PositionedItem {
  readonly position: Position;
  readonly item: Fetched;
}

interface QueuedItem extends PositionedItem {
  /** Is set on the last item of an answer, to the node that the answer came from; null on the others. */
  readonly endsAnswerOf: ReaderNode | null;
}

/**
 * Reads partitions by long polls, one at a time per broker. While the caller works on an answer, the broker already
 * sends the next one.
 */
export class KafkaReader implements TopicReader {
  readonly #session: KafkaSession;
  readonly #topic: string;
  readonly #key: string | undefined;
  readonly #passesUnreadable: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #onFault: ((fault: TopicIoError | null) => void) | undefined;
  readonly #onAnswer: ((answer: FetchAnswered) => void) | undefined;
  readonly #outlastsDenial: boolean;
  readonly #onAbort = () => void this[Symbol.asyncDispose]();
  readonly #positions = new Map<number, Position>();
  readonly #nodes = new Map<number, ReaderNode>();
  readonly #faulty = new Set<number>();
  /** The partitions of which it was told that they stand still, while others go on. */
  readonly #still = new Set<number>();
  #queue: QueuedItem[] = [];
  #waiting: ((result: Promise<IteratorResult<Fetched>> | IteratorResult<Fetched>) => void)[] = [];
  #failure: TopicIoError | null = null;
  #started = false;
  #planning = false;
  #closed = false;
  #planAgain = false;
  /** Whether the fault that was told last is a denial. */
  #toldDenial = false;
  readonly #retryTimers = new Set<NodeJS.Timeout>();
  #serial = 0;
  #compacted: boolean | null = null;
  readonly #iterator = lastingIterator<Fetched>(() => this.#next());

  constructor(session: KafkaSession, options: ReaderOptions) {
    this.#session = session;
    this.#topic = options.topic;
    this.#key = options.key;
    this.#passesUnreadable = options.passesUnreadable ?? false;
    this.#signal = options.signal;
    this.#onFault = options.onFault;
    this.#onAnswer = options.onAnswer;
    this.#outlastsDenial = options.outlastsDenial ?? false;
    // One signal may stop many readers, one for each partition. Every reader removes its listener again.
    if (this.#signal !== undefined) setMaxListeners(0, this.#signal);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted) this.#onAbort();
  }

  add({ partition, offset }: { partition: number; offset: number }): void {
    this.#positions.set(partition, {
      partition,
      offset,
      inFlight: false,
      blocked: false,
      failures: 0,
      answered: false,
      atEnd: false,
      emptyAnswers: 0,
      owed: null,
      doubts: 0,
      leaderEpoch: null,
      servedAt: 0,
    });
    this.#pump();
  }

  remove(partition: number): void {
    this.#positions.delete(partition);
    this.#recovered(partition);
  }

  [Symbol.asyncIterator](): AsyncIterator<Fetched> {
    return this.#iterator;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#signal?.removeEventListener('abort', this.#onAbort);
      for (const timer of this.#retryTimers) clearTimeout(timer);
      this.#queue = [];
      this.#positions.clear();
      for (const answer of this.#waiting.splice(0)) answer({ done: true, value: undefined });
    }
    // Only a long poll can be in flight, and nobody waits for it.
    await this.#session.close({ abrupt: true });
  }

  #next(): Promise<IteratorResult<Fetched>> {
    this.#started = true;
    const item = this.#take();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#pump();
    });
  }

  /** Takes the oldest item whose partition has not been removed or repositioned since the fetch. */
  #take(): Fetched | undefined {
    let taken: Fetched | undefined;
    while (taken === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      if (next.endsAnswerOf !== null) next.endsAnswerOf.answersUnread -= 1;
      const current = this.#positions.get(next.position.partition) === next.position;
      if (current) taken = next.item;
      if (current && next.item.kind === 'out_of_range') this.remove(next.item.partition);
    }
    this.#pump();
    return taken;
  }

  #pump(): void {
    if (!this.#started || this.#closed) return;
    if (this.#planning) {
      this.#planAgain = true;
      return;
    }
    if (![...this.#positions.values()].some(isIdle)) return;
    this.#planning = true;
    this.#planAgain = false;
    void this.#plan().finally(() => {
      this.#planning = false;
      if (this.#planAgain) this.#pump();
    });
  }

  /** Starts a fetch at every broker that is free and leads a partition of ours. */
  async #plan(): Promise<void> {
    let leaders: Map<number, number>;
    try {
      const partitions = await this.#session.once(() => this.#session.partitions(this.#topic));
      leaders = new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
    } catch (error) {
      this.#retryAfter(toKafkaFault(error), [...this.#positions.keys()]);
      return;
    }
    const byLeader = new Map<number, Position[]>();
    for (const position of this.#positions.values()) {
      if (!isIdle(position)) continue;
      const leader = leaders.get(position.partition) ?? -1;
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [position]);
      else group.push(position);
    }
    for (const [nodeId, group] of byLeader) {
      if (nodeId < 0) {
        const message = `${this.#topic}/${group[0]?.partition} has no leader at the moment`;
        const fault = new KafkaFault(KAFKA.leaderNotAvailable, message);
        this.#session.recoverFrom(fault);
        this.#retryAfter(
          fault,
          group.map((position) => position.partition),
        );
        continue;
      }
      let node = this.#nodes.get(nodeId);
      if (node === undefined) {
        node = { fetching: false, answersUnread: 0 };
        this.#nodes.set(nodeId, node);
      }
      if (!node.fetching && node.answersUnread < ANSWERS_UNREAD_MAX)
        void this.#fetch({ nodeId, node, group });
    }
  }

  async #fetch(options: { nodeId: number; node: ReaderNode; group: Position[] }): Promise<void> {
    const { nodeId, node, group } = options;
    node.fetching = true;
    for (const position of group) position.inFlight = true;
    group.sort((a, b) => a.servedAt - b.servedAt);
    const positions = group.map(({ partition, offset }) => ({ partition, offset }));
    // A partition that has not answered yet must answer now, even if it has no records, because the caller waits for
    // it.
    const waitMs = group.some(({ answered }) => !answered) ? 0 : BOUNDS.longPollMs;
    const items: PositionedItem[] = [];
    try {
      const answers = await this.#session.once(async () => {
        const broker = await this.#session.broker(nodeId);
        return fetchPartitions({ broker, topic: this.#topic, positions, waitMs });
      });
      const isEmpty = answers.every((answer) => answer.bytes.length === 0);
      const room: Room = { inflatedBytes: BOUNDS.inflatedBytes };
      for (const answer of answers) {
        const position = group.find(({ partition }) => partition === answer.partition);
        if (position === undefined || !this.#isCurrent(position)) continue;
        if (answer.bytes.length > 0 && room.inflatedBytes < 0) {
          // It is among the first of the next request.
          this.#onAnswer?.(answer);
          continue;
        }
        const item =
          answer.errorCode === 0
            ? await this.#accept({ answer, position, isEmpty, room })
            : await this.#refused({ answer, position });
        if (item !== null) items.push({ position, item });
      }
    } catch (error) {
      if (error instanceof TopicIoError && error.code === 'unusable') this.#fail(error);
      else
        this.#retryAfter(
          toKafkaFault(error),
          group.filter((p) => this.#isCurrent(p)).map((p) => p.partition),
        );
    } finally {
      node.fetching = false;
      for (const position of group) position.inFlight = false;
      this.#deliver(items, node);
      this.#pump();
    }
  }

  /**
   * Delivers after `#pump` has sent the request for the next answer in this turn, because the caller may work long on
   * this one.
   */
  #deliver(items: readonly PositionedItem[], node: ReaderNode): void {
    if (items.length === 0) return;
    node.answersUnread += 1;
    setImmediate(() => {
      for (const [index, item] of items.entries()) {
        this.#push({ ...item, endsAnswerOf: index === items.length - 1 ? node : null });
      }
    });
  }

  /** Returns null if there is nothing to tell the caller. */
  async #accept(options: {
    answer: FetchedPartition;
    position: Position;
    isEmpty: boolean;
    room: Room;
  }): Promise<Fetched | null> {
    const { answer, position, isEmpty, room } = options;
    const { partition, stableEnd, highWatermark, startOffset, bytes } = answer;
    if (!this.#still.has(partition) || bytes.length > 0) this.#recovered(partition);
    this.#onAnswer?.({ partition, stableEnd, highWatermark });
    if (bytes.length > 0) {
      this.#serial += 1;
      position.servedAt = this.#serial;
    }
    const decoded = this.#decode(answer, { position, room });
    const leaderEpochs = leaderEpochsOf(bytes, decoded.nextOffset);
    const lostFrom = await this.#lostFrom(position, leaderEpochs);
    if (!this.#isCurrent(position)) return null;
    if (lostFrom !== null) return this.#leftBehind(position, { startOffset, stableEnd: lostFrom });
    const mayBeBare = isEmpty && !answer.elsewhere && decoded.nextOffset < stableEnd;
    position.emptyAnswers = mayBeBare ? position.emptyAnswers + 1 : 0;
    await this.#noticeStandstill(position, answer);
    const isBare = position.emptyAnswers >= EMPTY_ANSWERS_MAX && (await this.#mayHaveHoles());
    if (!this.#isCurrent(position)) return null;
    const nextOffset = isBare ? stableEnd : decoded.nextOffset;
    const atEnd = nextOffset === stableEnd;
    const isNews =
      decoded.records.length > 0 ||
      nextOffset !== position.offset ||
      !position.answered ||
      atEnd !== position.atEnd;
    position.offset = nextOffset;
    position.leaderEpoch = leaderEpochs?.last ?? position.leaderEpoch;
    position.atEnd = atEnd;
    position.answered = true;
    if (!isNews) return null;
    return {
      ...{ kind: 'records', partition, records: recordsOf(decoded.records, this.#key) },
      ...{ bytes: sizeOf(decoded.records), nextOffset, stableEnd, startOffset },
      ...(decoded.unreadable.length > 0 && { unreadable: decoded.unreadable }),
    };
  }

  /** In a topic without holes, nothing but damage keeps a broker from giving what lies below the end for so long. */
  async #noticeStandstill(position: Position, answer: FetchedPartition): Promise<void> {
    const { partition, bytes, stableEnd, elsewhere } = answer;
    const isOwed = bytes.length === 0 && !elsewhere && position.offset < stableEnd;
    // A broker also gives nothing while a quota has us wait.
    if (!isOwed || this.#session.isThrottled) {
      position.owed = null;
      return;
    }
    const { sinceMs, answers } = position.owed ?? { sinceMs: performance.now(), answers: 0 };
    position.owed = { sinceMs, answers: answers + 1 };
    if (answers < STANDS_STILL_AFTER.answers || performance.now() - sinceMs < STANDS_STILL_AFTER.ms) return;
    if (this.#still.has(partition) || (await this.#mayHaveHoles())) return;
    const where = `topic ${this.#topic}, partition ${partition}`;
    const what = `${where}: no records at offset ${position.offset}, below its end ${stableEnd}`;
    this.#standStill(position, new KafkaFault(null, `${what}; ${DAMAGED_ADVICE}`));
  }

  /** It is told of each partition by itself: another one may be mended before. */
  #standStill({ partition }: Position, fault: KafkaFault): void {
    if (this.#still.has(partition)) return;
    const said = this.#session.explained(fault, { doing: `read ${this.#topic}` });
    if (!this.#outlastsDenial) {
      this.#fail(said);
      return;
    }
    this.#still.add(partition);
    this.#faulty.add(partition);
    this.#onFault?.(said);
  }

  /** Throws `unusable` if this reader must not pass a batch. */
  #decode(answer: FetchedPartition, to: { position: Position; room: Room }): DecodedBatches {
    const { position, room } = to;
    const { partition, bytes, aborted, stableEnd } = answer;
    const place = `${this.#topic}/${partition}`;
    let decoded: DecodedBatches;
    try {
      const inflatedBytesMax = room.inflatedBytes;
      const found = decodeBatches({
        ...{ bytes, fetchOffset: position.offset, aborted, stableEnd, inflatedBytesMax },
      });
      room.inflatedBytes -= found.inflatedBytes;
      decoded = settled(found, position);
    } catch (error) {
      if (!(error instanceof CodecMissingError)) throw error;
      throw new TopicIoError('unusable', `read ${place}: ${error.message}`, { cause: error });
    }
    const [unreadable] = decoded.unreadable;
    if (unreadable === undefined || this.#passesUnreadable) return decoded;
    const { firstOffset, lastOffset, reason } = unreadable;
    throw new TopicIoError(
      'unusable',
      `read ${place}: the batch at offsets ${firstOffset} to ${lastOffset} ${reason}. Nothing was skipped; ` +
        'docs/operations.md, "A batch cannot be read", says what to do',
    );
  }

  /**
   * Whether the topic may have holes. Compaction may remove everything up to the stable end, and the broker then gives
   * empty answers for ever. In other topics an empty answer below the stable end means that the records come later
   * (tiered storage does that), and skipping would lose them.
   */
  async #mayHaveHoles(): Promise<boolean> {
    this.#compacted ??= await this.#session.once(() => isCompacted(this.#session, this.#topic));
    return this.#compacted;
  }

  async #refused(options: { answer: FetchedPartition; position: Position }): Promise<Fetched | null> {
    const { answer, position } = options;
    const { partition, errorCode } = answer;
    const subject = { resource: 'topic', name: this.#topic, partition, operation: 'Read' } as const;
    const fault = faultAbout(errorCode, subject);
    this.#session.recoverFrom(fault);
    if (DAMAGED.has(errorCode)) return this.#damaged(position, fault);
    if (errorCode !== KAFKA.offsetOutOfRange) {
      this.#retryAfter(fault, [partition]);
      return null;
    }
    const { startOffset, stableEnd } = await this.#session.once(() =>
      partitionBounds(this.#session, { topic: this.#topic, partition }),
    );
    if (!this.#isCurrent(position)) return null;
    if (position.offset >= startOffset && position.offset <= stableEnd) {
      // The leader was only just elected, or no longer leads: ask again.
      this.#retryAfter(fault, [partition]);
      return null;
    }
    this.#onAnswer?.({ partition, stableEnd, highWatermark: Math.max(answer.highWatermark, stableEnd) });
    return this.#leftBehind(position, { startOffset, stableEnd });
  }

  /** The caller decides whether to continue, and from where. */
  #leftBehind(position: Position, log: { startOffset: number; stableEnd: number }): Fetched {
    position.blocked = true;
    const { partition, offset } = position;
    return { kind: 'out_of_range', partition, requestedOffset: offset, ...log };
  }

  /**
   * Returns the offset from which on the log has lost what was read of it, or null. Brokers that lose their power together
   * lose what they had not written, and then other records get the same offsets. The log may have grown past the position
   * since, but its next leader has another epoch.
   */
  async #lostFrom(position: Position, found: LeaderEpochs | null): Promise<number | null> {
    const { partition, offset, leaderEpoch } = position;
    if (leaderEpoch === null || found === null || found.first <= leaderEpoch) return null;
    const endOffset = await this.#session.once(() =>
      endOfLeaderEpoch(this.#session, { topic: this.#topic, partition, leaderEpoch }),
    );
    return endOffset !== null && endOffset < offset ? endOffset : null;
  }

  /** The partition is asked again and again, and the log has answered for it. */
  async #damaged(position: Position, { code, subject }: KafkaFault): Promise<null> {
    const { partition, offset } = position;
    const words = `at offset ${offset}; ${DAMAGED_ADVICE}`;
    const { stableEnd } = await this.#session.once(() =>
      partitionBounds(this.#session, { topic: this.#topic, partition }),
    );
    if (!this.#isCurrent(position)) return null;
    this.#onAnswer?.({ partition, stableEnd, highWatermark: stableEnd });
    if (this.#outlastsDenial || position.failures >= DAMAGED_TRIES) {
      this.#standStill(position, faultAbout(code ?? KAFKA.unknownServerError, subject, { words }));
    }
    this.#retryAfter(faultAbout(code ?? KAFKA.unknownServerError, subject, { words }), [partition]);
    return null;
  }

  #push(queued: QueuedItem): void {
    if (this.#closed) return;
    this.#queue.push(queued);
    const answer = this.#waiting.shift();
    if (answer === undefined) return;
    const item = this.#take();
    if (item === undefined) this.#waiting.unshift(answer);
    else answer({ done: false, value: item });
  }

  #isCurrent(position: Position): boolean {
    return this.#positions.get(position.partition) === position;
  }

  #retryAfter(fault: KafkaFault, partitions: readonly number[]): void {
    const positions = partitions.flatMap((partition) => this.#positions.get(partition) ?? []);
    if (this.#closed || positions.length === 0) return;
    const said = () => this.#session.explained(fault, { doing: `read ${this.#topic}` });
    if (isDenied(fault) && !this.#outlastsDenial) {
      this.#fail(said());
      return;
    }
    // A fault that turns out to be a denial is told too: it does not pass by itself.
    if (this.#faulty.size === 0 || (isDenied(fault) && !this.#toldDenial)) {
      this.#toldDenial = isDenied(fault);
      this.#onFault?.(said());
    }
    let failures = 0;
    for (const position of positions) {
      this.#faulty.add(position.partition);
      failures = Math.max(failures, position.failures);
      position.failures += 1;
      position.blocked = true;
    }
    const delayMs = Math.min(RETRY_DELAY_MIN_MS * 2 ** Math.min(failures, 10), RETRY_DELAY_MAX_MS);
    const timer = setTimeout(() => {
      this.#retryTimers.delete(timer);
      for (const position of positions) position.blocked = false;
      this.#pump();
    }, delayMs);
    this.#retryTimers.add(timer);
  }

  #recovered(partition: number): void {
    const position = this.#positions.get(partition);
    if (position !== undefined) position.failures = 0;
    this.#still.delete(partition);
    if (!this.#faulty.delete(partition) || this.#faulty.size > 0) return;
    this.#toldDenial = false;
    this.#onFault?.(null);
  }

  #fail(failure: TopicIoError): void {
    this.#failure = failure;
    for (const answer of this.#waiting.splice(0)) answer(Promise.reject(failure));
    void this[Symbol.asyncDispose]();
  }
}

/** Passes a batch that cannot be trusted once it was fetched often enough. */
function settled(decoded: DecodedBatches, position: Position): DecodedBatches {
  const { doubtful, nextOffset, unreadable } = decoded;
  position.doubts = doubtful === null ? 0 : position.doubts + 1;
  if (doubtful === null || position.doubts < FETCHES_OF_DOUBTFUL) return decoded;
  position.doubts = 0;
  return {
    ...decoded,
    nextOffset: Math.max(nextOffset, doubtful.lastOffset + 1),
    unreadable: [...unreadable, doubtful],
    doubtful: null,
  };
}

function isIdle(position: Position): boolean {
  return !position.inFlight && !position.blocked;
}

function recordsOf(records: readonly LogRecord[], key: string | undefined): readonly LogRecord[] {
  return key === undefined ? records : records.filter((record) => record.key === key);
}

function sizeOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
}
