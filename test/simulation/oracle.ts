import { CHECKPOINT_KEY, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { bytesOf } from '@runlog/records/figures-record';
import { decodeMeta, type RunMeta } from '@runlog/records/meta-record';
import { decodeRejected } from '@runlog/records/rejected-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import { figuresTopicOf, isReservedKey, type TopicNames } from '@runlog/schema/log/topics';
import type { DeliveredSnapshot, RunSnapshot } from '@runlog/schema/run/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { NEWER_PRUNED } from './build.ts';
import { digest } from './digest.ts';
import { RunTruth } from './run-truth.ts';
import type { Begun, SimulatedLog, VisibleListener } from './simulated-log.ts';
import {
  figuresText,
  isNewerFold,
  type Mark,
  StoredPartition,
  snapshotText,
  type Truths,
} from './stored-snapshots.ts';
import { holds } from './violation.ts';

export interface OracleOptions {
  readonly topics: TopicNames;
  readonly partitions: number;
  /** A run may be retired by age when it was silent for longer. */
  readonly runRetentionMs: number;
  /** Is told of situations that some history must contain. */
  readonly onReached: (what: string) => void;
}

/**
 * Folds every event at the moment when it reaches the log, and judges everything else by that: stored snapshots, the
 * states of gateways, and what clients were told.
 */
export class Oracle {
  readonly runs = new Map<string, RunTruth>();
  /** The ids of events that are in the log, or were in it before it was deleted. */
  readonly landed = new Set<string>();
  /** The last `run-meta` that all services agreed on. */
  meta: RunMeta | null = null;
  /** Why this history can no longer be judged: nothing in the log tells a topic from the one before. */
  undecided: string | null = null;
  /** The epoch under which this fold began. Its states name it even after a later one has begun. */
  #firstEpoch = '';
  readonly #options: OracleOptions;
  readonly #stored = new Map<string, StoredPartition[]>();
  /** The snapshot topics that were in use until a rebuild switched and deleted them. */
  readonly #dropped = new Set<string>();
  readonly #unfoldable = new Set<string>();
  readonly #rejected = new Set<string>();
  /** Records that reached the log before the services had agreed on an epoch. */
  readonly #early: { readonly record: LogRecord; readonly partition: number }[] = [];
  /** The truths of the events topic that was deleted. */
  readonly #former = new Map<string, RunTruth>();
  /** The records of the successor, by partition that was deleted with records in it. */
  readonly #renewed = new Map<number, LogRecord[]>();
  /**
   * The partitions whose events were deleted before they were in a snapshot. What is true of their runs from then on
   * depends on what had been stored. So those who claim a state are held against each other, and at the end against
   * what is stored. The value is where the events began then.
   */
  readonly #lossy = new Map<number, number>();
  /** What somebody said that a run was at a position of an epoch, and who said it first. */
  readonly #claims = new Map<string, { readonly claim: string; readonly who: string }>();
  /** The newest stored snapshot and figures of each run, by topic and key. */
  readonly #newest = new Map<string, Buffer | null>();
  /** The partitions that were deleted under each epoch. */
  readonly #formerEpochs = new Map<string, Set<number>>();

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  readonly onVisible: VisibleListener = ({ topic, partition, records }) => {
    const { topics } = this.#options;
    if (topic === topics.events) for (const record of records) this.#fold(record, partition);
    else if (topic === topics.meta) for (const record of records) this.#agree(record);
    else if (topic === topics.rejected) {
      for (const record of records) this.#rejected.add(decodeRejected(record).origin ?? '');
    } else if (!this.#dropped.has(snapshotsTopicOf(topic))) {
      const stored = this.#storedIn(snapshotsTopicOf(topic))[partition]!;
      for (const record of records) {
        this.#newest.set(`${topic} ${record.key}`, record.value);
        if (this.#lossy.has(partition)) {
          if (topic === snapshotsTopicOf(topic) && record.key === CHECKPOINT_KEY)
            stored.checkpoint = decodeCheckpoint(record.value);
          continue;
        }
        if (topic !== snapshotsTopicOf(topic)) {
          if (record.key === CHECKPOINT_KEY) stored.storeFiguresCheckpoint(record, this.#truths);
          else stored.storeFigures(record, this.#truths);
          continue;
        }
        if (record.key === CHECKPOINT_KEY) stored.storeCheckpoint(record, this.#truths);
        else if (!isReservedKey(record.key)) stored.store(record, this.#truths);
      }
    }
  };

  /** Is told that the events topic is deleted, and with it the records that its snapshots were made from. */
  eventsDeleted(log: SimulatedLog): void {
    const { topics } = this.#options;
    for (const { index, end } of log.partitions(topics.events)) {
      if (end === 0) continue;
      this.#renewed.set(index, []);
      for (const [key, truth] of this.runs) {
        if (truth.partition !== index) continue;
        this.#former.set(key, truth);
        this.runs.delete(key);
      }
      for (const stored of this.#stored.values()) stored[index]!.outlive();
      for (const epochs of this.#formerEpochs.values()) epochs.add(index);
      for (const origins of [this.#unfoldable, this.#rejected]) {
        for (const origin of origins)
          if (origin.startsWith(`${topics.events}:${index}:`)) origins.delete(origin);
      }
    }
  }

  /** Is told that a reader continues in a partition that was made anew and has grown past its position. */
  readsOn(index: number): void {
    if (this.#renewed.has(index)) this.undecided ??= `somebody reads on in another partition ${index}`;
  }

  /**
   * Is told that a process begins to read events where its restored snapshots end. If the events were made anew, the
   * snapshots must be ahead of them, or another record must be at the offset that the newest was folded to. Otherwise
   * nothing tells the two topics apart.
   */
  begins({ at, offset, restored }: Begun): void {
    const records = this.#renewed.get(at.index);
    const stored = this.#stored.get(restored.topic)?.[at.index];
    if (records === undefined || stored?.isOfFormer !== true) return;
    const { next } = restored;
    const marks = stored.marks.filter((mark) => mark.next === next);
    const isTold = next !== null && (offset !== next || marks.every((mark) => this.#isTold(mark, records)));
    if (!isTold)
      this.undecided ??= `nothing in ${restored.topic} tells partition ${at.index} from the one before`;
  }

  topicDeleted(topic: string): void {
    // It goes with the snapshots that it belongs to.
    if (topic !== snapshotsTopicOf(topic)) return;
    const stored = this.#stored.get(topic);
    // A process that is slow to follow the switch may create the topic anew and write to it. Nobody reads that.
    if (topic !== this.meta?.snapshots && stored?.some(({ isInUse }) => isInUse)) this.#dropped.add(topic);
    this.#stored.delete(topic);
  }

  /** Whether the snapshots in use include events that were deleted. Only a rebuild can repair that. */
  get isOutlived(): boolean {
    return this.meta !== null && this.#storedIn(this.meta.snapshots).some(({ isOfFormer }) => isOfFormer);
  }

  /** Returns the checkpoint of the current snapshot topic, or -1 if there is none yet. */
  checkpoint(partition: number): number {
    if (this.meta === null) return -1;
    return this.#storedIn(this.meta.snapshots)[partition]!.checkpoint?.next ?? -1;
  }

  /** Returns the truth about a run as of an epoch. */
  truth(key: string, epoch: string): RunTruth | undefined {
    const former = this.#former.get(key);
    if (former === undefined) return this.runs.get(key);
    return this.#formerEpochs.get(epoch)?.has(former.partition) ? former : this.runs.get(key);
  }

  /** Is told that a partition's events now begin there, whatever is stored. */
  truncated({ partition, startOffset }: { partition: number; startOffset: number }): void {
    if (Math.max(0, this.checkpoint(partition)) >= startOffset) return;
    this.#options.onReached('events are deleted before anything stored includes them');
    this.#lossy.set(partition, startOffset);
    // Nobody who could say so has read them.
    const { topics } = this.#options;
    for (const origin of this.#unfoldable)
      if (origin.startsWith(`${topics.events}:${partition}:`)) this.#unfoldable.delete(origin);
  }

  /** Whether only those who claim something about the run can be held against each other. */
  isLossy(key: string): boolean {
    return this.#lossy.size > 0 && this.#lossy.has(partitionOf(key, this.#options.partitions));
  }

  /** Two that name the same epoch and position of a run must say the same of it. */
  agree(key: string, state: DeliveredSnapshot | RunSnapshot, who: string): void {
    const { epoch, seq } = state.position!;
    const at = `${key} at ${seq} of epoch ${epoch}`;
    const claim = digest(state);
    const said = this.#claims.get(at);
    if (said === undefined) this.#claims.set(at, { claim, who });
    holds(
      said === undefined || said.claim === claim,
      () => `${said!.who} and ${who} disagree about ${at}: ${said!.claim}, and ${claim}`,
    );
  }

  /** Checks a state that a process claims to have: the fold must have had exactly this state at that position. */
  confirm(key: string, state: RunSnapshot, who: string): void {
    this.agree(key, state, who);
    // A commit is decided before it can be read.
    if (this.meta === null || this.isLossy(key)) return;
    const truth = this.truth(key, state.position.epoch)?.states.get(state.position.seq);
    holds(truth !== undefined, () => `${who} has ${key} at ${state.position.seq}, where the fold never was`);
    holds(
      truth.total_events_received === state.total_events_received &&
        truth.duplicates === state.duplicates &&
        truth.missing === state.missing &&
        truth.first_seq === state.first_seq &&
        truth.event_log.length === state.event_log.length,
      () => `${who} has another state of ${key} at ${state.position.seq} than the fold`,
    );
  }

  /** Returns the newest state of a run in the present epoch and fold, or null if the run is absent. */
  latest(key: string): RunSnapshot | null {
    if (this.isLossy(key)) {
      const text = this.latestText(key);
      return text === null ? null : (JSON.parse(text) as RunSnapshot);
    }
    const state = this.runs.get(key)?.latest ?? null;
    if (state === null || this.meta === null) return state;
    const position = { epoch: this.meta.epoch, seq: state.position.seq };
    return this.#isNewer(key)
      ? { ...state, position, cumulative_pruned: NEWER_PRUNED }
      : { ...state, position };
  }

  /** Returns the text of that state. */
  latestText(key: string): string | null {
    if (this.isLossy(key))
      return this.#newest.get(`${this.meta!.snapshots} ${key}`)?.toString('utf8') ?? null;
    const state = this.runs.get(key)?.latest ?? null;
    if (state === null) return null;
    return snapshotText(state, { epoch: this.meta!.epoch, isNewer: this.#isNewer(key) });
  }

  /** Returns the bytes of the figures of that state, one character each. */
  latestFigures(key: string): string | null {
    if (this.isLossy(key)) {
      const topic = figuresTopicOf(this.meta!.snapshots);
      return this.#newest.get(`${topic} ${key}`)?.toString('latin1') ?? null;
    }
    const truth = this.runs.get(key);
    if (truth === undefined || truth.latest === null || truth.latestFigures === null) return null;
    return figuresText(bytesOf(truth.latestFigures), this.meta!.epoch);
  }

  /** Returns what is not yet right about the stored snapshots. The list is empty when they are all right. */
  unsettled(log: SimulatedLog): string[] {
    const { topics, runRetentionMs } = this.#options;
    const faults: string[] = [];
    for (const partition of log.partitions(this.meta!.snapshots)) {
      const { index } = partition;
      const end = log.partition(topics.events, index)!.stableEnd;
      if (this.checkpoint(index) !== end) {
        faults.push(
          `the checkpoint of partition ${index} is ${this.checkpoint(index)}, its events end at ${end}`,
        );
      }
      const newest = partition.newestByKey();
      const figuresTopic = figuresTopicOf(this.meta!.snapshots);
      const newestFigures = log.partition(figuresTopic, index)?.newestByKey() ?? new Map();
      for (const truth of this.runs.values()) {
        if (truth.partition !== index) continue;
        const stored = newest.get(truth.key)?.value?.toString('utf8') ?? null;
        if (stored !== this.latestText(truth.key))
          faults.push(`the stored snapshot of ${truth.key} is not the fold of its events`);
        const figures = newestFigures.get(truth.key)?.value?.toString('latin1') ?? null;
        if (figures !== this.latestFigures(truth.key))
          faults.push(`the stored figures of ${truth.key} are not the fold of its events`);
      }
    }
    for (const origin of this.#unfoldable) {
      if (!this.#rejected.has(origin))
        faults.push(`${origin} cannot be folded and is not among the rejected`);
    }
    for (const { key, partition, latest } of this.runs.values()) {
      if (this.#lossy.has(partition)) continue;
      if (latest !== null && log.scheduler.nowMs - Date.parse(latest.last_received_at) > runRetentionMs)
        faults.push(`${key} was silent for longer than its retention`);
    }
    return faults;
  }

  get #truths(): Truths {
    return { present: this.runs, former: this.#former };
  }

  #isNewer(key: string): boolean {
    const { meta } = this;
    if (meta === null || !isNewerFold(meta.fold)) return false;
    const stored = this.#storedIn(meta.snapshots)[this.runs.get(key)!.partition]!.runs.get(key);
    return stored === undefined || stored.isTombstone || !stored.isKept;
  }

  #agree(record: LogRecord): void {
    const meta = decodeMeta(record.value)!;
    const { meta: former } = this;
    const { onReached, topics } = this.#options;
    if (former !== null && addsId(former, meta)) {
      this.meta = meta;
      return;
    }
    holds(
      former === null || former.snapshots !== meta.snapshots,
      () => `run-meta was written twice: ${former?.epoch}, then ${meta.epoch}`,
    );
    if (former !== null) {
      holds(
        meta.fold >= former.fold && (meta.fold === former.fold || meta.epoch !== former.epoch),
        () => `run-meta went from fold ${former.fold} to ${meta.fold}, in epoch ${meta.epoch}`,
      );
      if (meta.fold > former.fold) onReached('a rebuild by a newer fold');
    }
    const stored = this.#storedIn(meta.snapshots);
    if (former !== null && this.#lossy.size > 0) onReached('a rebuild after events were lost');
    if (meta.snapshots !== topics.snapshots) {
      for (const of of stored) {
        if (this.#lossy.has(of.index)) {
          of.isInUse = true;
          continue;
        }
        const end = this.#renewed.get(of.index)?.length ?? Number.POSITIVE_INFINITY;
        of.use({ ...meta, end }, this.#truths);
      }
    }
    const epochs = this.#formerEpochs.get(meta.epoch) ?? new Set<number>();
    this.#formerEpochs.set(meta.epoch, epochs);
    for (const [partition, records] of this.#renewed) {
      if (stored[partition]!.isOfFormer) epochs.add(partition);
      else if (epochs.has(partition)) {
        const { marks } = this.#storedIn(former!.snapshots)[partition]!;
        const isTold = marks.length > 0 && marks.every((mark) => this.#isTold(mark, records));
        holds(!isTold, () => `epoch ${meta.epoch} outlives the events that it named`);
        this.undecided ??= `nothing told a rebuild that partition ${partition} was made anew`;
      } else onReached('a rebuild after the events were deleted');
    }
    this.meta = meta;
    if (former !== null) return;
    this.#firstEpoch = meta.epoch;
    for (const early of this.#early.splice(0)) this.#fold(early.record, early.partition);
  }

  #storedIn(topic: string): StoredPartition[] {
    let stored = this.#stored.get(topic);
    if (stored === undefined) {
      const { topics, partitions } = this.#options;
      const isInUse = topic === topics.snapshots;
      stored = Array.from(
        { length: partitions },
        (_, index) => new StoredPartition({ topic, index, isInUse }),
      );
      this.#stored.set(topic, stored);
    }
    return stored;
  }

  #fold(record: LogRecord, partition: number): void {
    const { key, offset } = record;
    if (this.meta === null) {
      this.#early.push({ record, partition });
      return;
    }
    this.#renewed.get(partition)?.push(record);
    const decoded = decodeRunRecord(record, this.#firstEpoch);
    if (decoded.kind === 'unfoldable') {
      // It may be gone before the services agree on anything.
      if (offset < (this.#lossy.get(partition) ?? 0)) return;
      this.#unfoldable.add(`${this.#options.topics.events}:${partition}:${offset}`);
      return;
    }
    const truth = this.runs.get(key) ?? new RunTruth({ key, partition });
    this.runs.set(key, truth);
    if (decoded.kind === 'event') this.landed.add(decoded.event.event_id);
    const before = truth.fold(decoded);
    if (decoded.kind === 'retired' && record.value?.includes('"retention"'))
      this.#checkSilence(record, { truth, before });
    else if (before === null && truth.latest !== null && truth.changes.length > 1) {
      this.#options.onReached('a run begins anew after it was retired');
    }
  }

  #checkSilence(record: LogRecord, of: { truth: RunTruth; before: RunSnapshot | null }): void {
    const { runRetentionMs, onReached } = this.#options;
    const { truth, before } = of;
    if (before === null || this.#lossy.has(truth.partition)) return;
    if (truth.latest !== null) {
      onReached('an event keeps a run that was to be retired by age');
      return;
    }
    holds(
      record.timestampMs - Date.parse(before.last_received_at) > runRetentionMs,
      () => `${truth.key} was retired by age, and last heard of at ${before.last_received_at}`,
    );
    onReached('a run is retired by age');
  }

  /** Whether the snapshots that a process may have restored show that the events were deleted; see `begins`. */
  #isTold(mark: Mark, records: readonly LogRecord[]): boolean {
    const { key, seq, next } = mark;
    if (Math.max(next, seq + 1) > records.length) return true;
    const former = this.#former.get(key)?.states.get(seq);
    const there = records[seq];
    if (former === undefined || there === undefined) return false;
    return there.key !== key || !there.value?.includes(`"${former.last_event_id}"`);
  }
}

/** Returns the snapshot topic that a topic of figures belongs to, and any other topic itself. */
function snapshotsTopicOf(topic: string): string {
  return topic.replace(/^run-figures/, 'run-snapshots');
}

/** Whether nothing but the id of the events topic was added, which a process does where another one knew none. */
function addsId(former: RunMeta, { events_id, ...meta }: RunMeta): boolean {
  const isAdded = former.events_id === undefined && events_id !== undefined;
  return isAdded && JSON.stringify(meta) === JSON.stringify(former);
}
