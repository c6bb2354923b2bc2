import { decodeRunRecord } from '@runlog/records/run-record';
import { foldInto } from '@runlog/run-state/evolve';
import { RunDraft } from '@runlog/run-state/run-draft';
import { PAST_FOLD_MS_MAX } from '@runlog/schema/limits';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Clock } from '@runlog/service-kit/clock';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { PartitionReader } from './partition-reader.ts';
import { ownTurn } from './turns.ts';
import { whileLogAnswers } from './while-log-answers.ts';

const STATES_MAX = 16;
/** Others are served after so many records, which take some milliseconds. */
const FOLDED_AT_ONCE = 100;

export type PastState =
  /** The fold of the run's records up to the offset. */
  | { readonly kind: 'reached'; readonly state: RunSnapshot }
  /** The time was up. The records through `seq` are folded; the same question goes on from there. */
  | { readonly kind: 'too_far'; readonly seq: number }
  /** The log no longer holds the records that would have to be folded. */
  | { readonly kind: 'gone' };

/** A state, and the offset below which every record of its run is in it. */
interface Reached {
  readonly key: string;
  readonly state: RunSnapshot;
  readonly next: number;
}

/**
 * Folds runs up to places in their past, exactly as `evolve` does. The newest 16 states that it reached are kept, so that
 * moving on costs the difference.
 */
export class PastStates {
  readonly #io: TopicIo;
  readonly #topic: { name: string; partitions: number };
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  /** The newest is the last one. */
  #reached: Reached[] = [];

  constructor(options: {
    io: TopicIo;
    topic: { name: string; partitions: number };
    clock: Pick<Clock, 'now' | 'after'>;
  }) {
    this.#io = options.io;
    this.#topic = options.topic;
    this.#clock = options.clock;
  }

  /** Returns the state as of an offset, which must not be below the first record. `run` is the run as it is now. */
  async at(query: { run: RunSnapshot; seq: number; signal: AbortSignal }): Promise<PastState> {
    const { run, seq } = query;
    return seq >= run.position.seq ? { kind: 'reached', state: run } : this.#reach(query);
  }

  /**
   * Returns the fold of everything that the log has of the run up to its present position. What is kept of an earlier fold
   * counts only as long as the log still holds the run's first record.
   */
  async whole(query: { run: RunSnapshot; signal: AbortSignal }): Promise<PastState> {
    const { run, signal } = query;
    const folded = await this.#reach({ run, seq: run.position.seq, signal });
    const log = { io: this.#io, clock: this.#clock, signal };
    const holdsBeginning = await whileLogAnswers(log, async (io) => {
      const bounds = await io.bounds(this.#topic.name);
      const partition = partitionOf(formatRunKey(run), this.#topic.partitions);
      return (bounds[partition]?.startOffset ?? Number.POSITIVE_INFINITY) <= run.first_seq;
    });
    return holdsBeginning ? folded : { kind: 'gone' };
  }

  async #reach(query: { run: RunSnapshot; seq: number; signal: AbortSignal }): Promise<PastState> {
    const { run, seq } = query;
    const start = this.#nearest(run, seq);
    if (start !== null && seq < start.next) return { kind: 'reached', state: start.state };
    const log = { io: this.#io, clock: this.#clock, signal: query.signal };
    const reached = await whileLogAnswers(log, async (io, signal) => {
      const folded = await this.#fold(io, { run, start, seq, signal });
      if (folded !== null) this.#keep(folded);
      return folded;
    });
    if (reached === null) return { kind: 'gone' };
    if (reached.next <= seq) return { kind: 'too_far', seq: reached.next - 1 };
    return { kind: 'reached', state: reached.state };
  }

  /** Folds from the start, or else from the run's first record, as far as the time allows. */
  async #fold(
    io: TopicIo,
    way: { run: RunSnapshot; start: Reached | null; seq: number; signal: AbortSignal },
  ): Promise<Reached | null> {
    const { run, start, seq, signal } = way;
    const key = formatRunKey(run);
    const partition = partitionOf(key, this.#topic.partitions);
    const deadlineMs = this.#clock.now() + PAST_FOLD_MS_MAX;
    const draft = new RunDraft(start?.state ?? null);
    let next = start?.next ?? run.first_seq;
    await using reader = new PartitionReader(io, { topic: this.#topic.name, partition, key, signal });
    for await (const { records, from, nextOffset } of reader.read({ from: next, to: seq + 1 })) {
      if (from > next) return null;
      for (const [index, record] of records.entries()) {
        if (index > 0 && index % FOLDED_AT_ONCE === 0) await ownTurn();
        foldRecord(draft, { record, run });
      }
      next = nextOffset;
      if (this.#clock.now() > deadlineMs) break;
    }
    const { state } = draft;
    // Whatever else the log holds in that place is not this run's beginning.
    return state === null || state.first_seq !== run.first_seq ? null : { key, state, next };
  }

  #nearest(run: RunSnapshot, seq: number): Reached | null {
    const key = formatRunKey(run);
    let nearest: Reached | null = null;
    for (const reached of this.#reached) {
      const { state } = reached;
      if (reached.key !== key || state.first_seq !== run.first_seq || state.position.seq > seq) continue;
      if (nearest === null || reached.next > nearest.next) nearest = reached;
    }
    return nearest;
  }

  #keep(reached: Reached): void {
    const others = this.#reached.filter(
      ({ key, state }) => key !== reached.key || state.position.seq !== reached.state.position.seq,
    );
    this.#reached = [...others, reached].slice(-STATES_MAX);
  }
}

function foldRecord(draft: RunDraft, { record, run }: { record: LogRecord; run: RunSnapshot }): void {
  const decoded = decodeRunRecord(record, run.position.epoch, run);
  if (decoded.kind !== 'unfoldable') foldInto(draft, decoded);
}
