import type { Logger } from '@runlog/topic-io/logger';
import { type FetchAnswered, type OpenTransaction, TopicIoError } from '@runlog/topic-io/topic-io';

/** Records that are held back for less are not worth a line: a transaction of somebody else is usually short. */
export const HELD_BACK_AFTER_MS = 2_000;
/** While it lasts, it is said again so often. */
const SAID_EVERY_MS = 60_000;
/** So many partitions are looked into at a time. One producer usually holds back several. */
const ASKED_MAX = 8;

/** Records that are durable, and that no reader sees because a transaction before them is open. */
export interface HeldBack {
  readonly sinceMs: number;
  readonly records: number;
}

interface Hold {
  readonly partition: number;
  /** Where the open transaction begins: the stable end does not move from there. */
  readonly stableEnd: number;
  readonly sinceMs: number;
  records: number;
  /** When it was last looked into; null if it was not yet. */
  askedMs: number | null;
}

export interface HeldBackWatchOptions {
  readonly topic: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly openTransactions: (at: {
    topic: string;
    partition: number;
  }) => Promise<readonly OpenTransaction[]>;
  readonly logger: Logger;
}

/**
 * Notices when a transaction that somebody else left open holds the readers of a topic back, and says who it is. It is told
 * of each answer of the log.
 */
export class HeldBackWatch {
  readonly #options: HeldBackWatchOptions;
  readonly #holds = new Map<number, Hold>();
  /** The partitions that a line has named, until nothing holds them back. */
  readonly #said = new Set<number>();
  #asking = false;

  constructor(options: HeldBackWatchOptions) {
    this.#options = options;
  }

  /** What has been held back for so long that it is worth telling. Null if nothing is. */
  get heldBack(): HeldBack | null {
    const lasting = this.#lasting();
    if (lasting.length === 0) return null;
    return {
      sinceMs: Math.min(...lasting.map(({ sinceMs }) => sinceMs)),
      records: lasting.reduce((sum, { records }) => sum + records, 0),
    };
  }

  answered({ partition, stableEnd, highWatermark }: FetchAnswered): void {
    const records = highWatermark - stableEnd;
    if (records <= 0) {
      this.#over(partition);
      return;
    }
    const held = this.#holds.get(partition);
    // Where the stable end moves, transactions end; each is judged by itself.
    if (held?.stableEnd === stableEnd) held.records = records;
    else
      this.#holds.set(partition, {
        ...{ partition, stableEnd, records },
        ...{ sinceMs: this.#options.now(), askedMs: null },
      });
    void this.#explain();
  }

  /** Is called when the partition is no longer read. */
  forget(partition: number): void {
    this.#holds.delete(partition);
    this.#said.delete(partition);
  }

  #over(partition: number): void {
    const wasSaid = this.#said.has(partition);
    this.forget(partition);
    if (!wasSaid || this.#said.size > 0) return;
    this.#options.logger.info(
      { topic: this.#options.topic },
      'no open transaction holds events back any more',
    );
  }

  #lasting(): Hold[] {
    const nowMs = this.#options.now();
    return [...this.#holds.values()].filter(({ sinceMs }) => nowMs - sinceMs >= HELD_BACK_AFTER_MS);
  }

  async #explain(): Promise<void> {
    const nowMs = this.#options.now();
    if (this.#asking) return;
    const due = this.#lasting()
      .filter(({ askedMs }) => askedMs === null || nowMs - askedMs >= SAID_EVERY_MS)
      .slice(0, ASKED_MAX);
    if (due.length === 0) return;
    this.#asking = true;
    for (const hold of due) hold.askedMs = nowMs;
    const found = await Promise.all(due.map(async (hold) => ({ hold, by: await this.#holderOf(hold) })));
    this.#asking = false;
    const byProducer = new Map<string | null, typeof found>();
    for (const one of found) {
      // It ended meanwhile.
      if (this.#holds.get(one.hold.partition) !== one.hold) continue;
      const producer = one.by?.producerId ?? null;
      byProducer.set(producer, [...(byProducer.get(producer) ?? []), one]);
    }
    for (const held of byProducer.values()) this.#say(held);
  }

  /** Resolves to null if the log does not tell. */
  async #holderOf({ partition }: Hold): Promise<OpenTransaction | null> {
    const { topic, openTransactions, logger } = this.#options;
    try {
      return (await openTransactions({ topic, partition }))[0] ?? null;
    } catch (error) {
      if (!(error instanceof TopicIoError)) throw error;
      logger.debug({ err: error, partition }, 'who holds events back is not known');
      return null;
    }
  }

  #say(held: readonly { readonly hold: Hold; readonly by: OpenTransaction | null }[]): void {
    const { topic, now, logger } = this.#options;
    const [{ hold, by }] = held as [(typeof held)[number]];
    for (const one of held) this.#said.add(one.hold.partition);
    const nowMs = now();
    const endsWithinMs =
      by?.openedMs == null || by.timeoutMs === null ? null : by.openedMs + by.timeoutMs - nowMs;
    logger.warn(
      {
        topic,
        partitions: held.map((one) => one.hold.partition),
        startOffset: hold.stableEnd,
        records: held.reduce((sum, one) => sum + one.hold.records, 0),
        heldMs: nowMs - hold.sinceMs,
        transactionalId: by?.transactionalId ?? null,
        producerId: by?.producerId ?? null,
        openedMs: by?.openedMs == null ? null : nowMs - by.openedMs,
        endsWithinMs: endsWithinMs === null ? null : Math.max(0, endsWithinMs),
        remedy: by?.remedy ?? 'the log does not tell this process who has it open',
      },
      'an open transaction of another producer holds events back; nobody sees them until it ends',
    );
  }
}
