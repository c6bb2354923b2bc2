import { type Checkpoint, decodeCheckpoint } from '@runlog/records/checkpoint-record';
import { positionOfFigures } from '@runlog/records/figures-record';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { NEWER_PRUNED, thisBuild } from './build.ts';
import type { RunTruth } from './run-truth.ts';
import { holds } from './violation.ts';

/** The stored state of one run in one partition of one snapshot topic. */
export interface StoredRun {
  /** The position of the newest snapshot, even if a tombstone has replaced it. */
  readonly seq: number;
  readonly isTombstone: boolean;
  readonly epoch: string;
  /** Whether the run was copied from its former snapshot, because the topic no longer held its beginning. */
  readonly isKept: boolean;
  /** Whether it is a state of the former events topic. */
  readonly isOfFormer: boolean;
}

/** A record that changed a run. */
type Change = RunTruth['changes'][number];

/** The stored figures of one run. */
type StoredFigures = Omit<StoredRun, 'isKept'>;

/** How far a partition had been folded at one moment. */
export interface Mark {
  /** The key of the newest snapshot. */
  readonly key: string;
  readonly seq: number;
  readonly next: number;
}

/** The runs of the present events topic, and of the one that was deleted. */
export interface Truths {
  readonly present: ReadonlyMap<string, RunTruth>;
  readonly former: ReadonlyMap<string, RunTruth>;
}

/** The records that were written to one partition of one snapshot topic, judged by the truth. */
export class StoredPartition {
  readonly topic: string;
  readonly index: number;
  readonly runs = new Map<string, StoredRun>();
  /** The figures that belong to these snapshots. */
  readonly figures = new Map<string, StoredFigures>();
  checkpoint: Checkpoint | null = null;
  /** The checkpoint among the figures. */
  figuresNext = 0;
  /** How far it had been folded at each moment, which a restoring process may have found. */
  readonly marks: Mark[] = [];
  /** Whether the events in it have been deleted. */
  isOfFormer = false;
  readonly isRebuilt: boolean;
  /**
   * Whether the partition is in use. A rebuild may begin it any number of times; once it is in use, it only moves
   * forward.
   */
  isInUse: boolean;

  constructor(at: { topic: string; index: number; isInUse: boolean }) {
    this.topic = at.topic;
    this.index = at.index;
    this.isInUse = at.isInUse;
    this.isRebuilt = !at.isInUse;
  }

  /**
   * Returns the key and position of the newest snapshot that no tombstone replaced; the position is -1 if there is
   * none.
   */
  #newest(): { key: string; seq: number } {
    let newest = { key: '', seq: -1 };
    for (const [key, { seq, isTombstone }] of this.runs) {
      if (!isTombstone && seq > newest.seq) newest = { key, seq };
    }
    return newest;
  }

  /** Is told that the events in it are deleted. */
  outlive(): void {
    this.isOfFormer = true;
    for (const [key, stored] of this.runs) this.runs.set(key, { ...stored, isOfFormer: true });
    for (const [key, stored] of this.figures) this.figures.set(key, { ...stored, isOfFormer: true });
  }

  /** The checkpoint among the figures says the same of these, and may be read earlier or later. */
  storeFiguresCheckpoint({ value }: LogRecord, truths: Truths): void {
    this.figuresNext = decodeCheckpoint(value)!.next;
    if (this.isInUse) this.#checkFiguresCovered(truths);
  }

  #checkFiguresCovered(truths: Truths): void {
    const next = this.figuresNext;
    for (const { truth, last } of this.#changedBelow(next, truths)) {
      // Figures of a former life count for nothing once a snapshot of the next one is stored.
      const run = this.runs.get(truth.key);
      if (run !== undefined && (truth.states.get(run.seq)?.first_seq ?? -1) > last.offset) continue;
      holds(
        this.#isCovered(this.figures.get(truth.key), { truth, last, next }),
        () =>
          `the checkpoint of partition ${this.index} is ${next}, but the stored figures of ${truth.key} lack offset ${last.offset}`,
      );
    }
  }

  storeFigures({ key, value }: LogRecord, truths: Truths): void {
    const before = this.figures.get(key) ?? null;
    if (value === null) {
      if (before === null) return;
      const truth = this.#truths(truths).get(key) ?? null;
      holds(
        !this.isInUse || truth === null || truth.latest === null || truth.latest.first_seq > before.seq,
        () => `a tombstone of the figures of ${key} behind position ${before.seq}, which was not retired`,
      );
      this.figures.set(key, { ...before, isTombstone: true });
      return;
    }
    const { epoch, seq } = positionOfFigures(value)!;
    if (this.isInUse && before !== null) {
      holds(
        before.isTombstone ? seq > before.seq : seq >= before.seq,
        () => `the stored figures of ${key} went back from ${before.seq} to ${seq}`,
      );
    }
    const sides = this.isInUse ? [this.isOfFormer] : [false, true];
    const isOfFormer = sides.find((side) =>
      (side ? truths.former : truths.present).get(key)?.figures.has(seq),
    );
    holds(isOfFormer !== undefined, () => `figures of ${key} at ${seq}, where the fold never was`);
    const truth = (isOfFormer ? truths.former : truths.present).get(key)!;
    holds(truth.partition === this.index, () => `figures of ${key} in partition ${this.index}`);
    const expected = figuresText(truth.figures.get(seq)!, epoch);
    holds(
      value.toString('latin1') === expected,
      () =>
        `the figures of ${key} at ${seq} are not the fold of its events: ` +
        difference(value.toString('latin1'), expected),
    );
    this.figures.set(key, { seq, isTombstone: false, epoch, isOfFormer });
  }

  store({ key, value }: LogRecord, truths: Truths): void {
    const before = this.runs.get(key) ?? null;
    if (value === null) {
      if (before === null) return;
      const truth = this.#truths(truths).get(key) ?? null;
      holds(
        !this.isInUse || truth === null || truth.latest === null || truth.latest.first_seq > before.seq,
        () => `a tombstone of ${key} behind position ${before.seq}, which was not retired`,
      );
      this.runs.set(key, { ...before, isTombstone: true });
      return;
    }
    const text = value.toString('utf8');
    const seq = Number(/"seq":(\d+)/.exec(text)?.[1]);
    if (this.isInUse && before !== null) {
      holds(
        before.isTombstone ? seq > before.seq : seq >= before.seq,
        () => `the stored snapshot of ${key} went back from ${before.seq} to ${seq}`,
      );
    }
    const sides = this.isInUse ? [this.isOfFormer] : [false, true];
    const isOfFormer = sides.find((side) =>
      (side ? truths.former : truths.present).get(key)?.states.has(seq),
    );
    holds(isOfFormer !== undefined, () => `a snapshot of ${key} at ${seq}, where the fold never was`);
    const truth = (isOfFormer ? truths.former : truths.present).get(key)!;
    holds(truth.partition === this.index, () => `a snapshot of ${key} in partition ${this.index}`);
    const state = truth.states.get(seq)!;
    const epoch = /"epoch":"([^"]*)"/.exec(text)![1]!;
    const isNewer = text.includes(`"cumulative_pruned":${NEWER_PRUNED}`);
    const expected = snapshotText(state, { epoch, isNewer });
    holds(
      text === expected,
      () => `the snapshot of ${key} at ${seq} is not the fold of its events: ${difference(text, expected)}`,
    );
    if (!this.isInUse) this.isOfFormer = isOfFormer;
    this.runs.set(key, { seq, isTombstone: false, epoch, isKept: !isNewer, isOfFormer });
  }

  storeCheckpoint({ value }: LogRecord, truths: Truths): void {
    const checkpoint = decodeCheckpoint(value)!;
    const { checkpoint: before, index, topic } = this;
    this.checkpoint = checkpoint;
    this.marks.push({ ...this.#newest(), next: checkpoint.next });
    if (!this.isInUse) return;
    const { epoch, fold, next } = checkpoint;
    holds(
      before === null || (before.epoch === epoch && before.fold === fold),
      () => `a checkpoint of ${topic} says epoch ${epoch} and fold ${fold}, the one before it did not`,
    );
    holds(
      next >= (before?.next ?? -1),
      () => `the checkpoint of partition ${index} went back from ${before?.next} to ${next}`,
    );
    this.checkCovered(truths);
  }

  /**
   * Checks that everything below the checkpoint is in the snapshots. A stored snapshot may be ahead of it, but never
   * behind.
   */
  checkCovered(truths: Truths): void {
    const { next } = this.checkpoint!;
    for (const { truth, last } of this.#changedBelow(next, truths)) {
      holds(
        this.#isCovered(this.runs.get(truth.key), { truth, last, next }),
        () =>
          `the checkpoint of partition ${this.index} is ${next}, but what is stored of ${truth.key} lacks offset ${last.offset}`,
      );
    }
  }

  /** Yields the runs of the partition that changed below an offset, with the last change there. */
  *#changedBelow(next: number, truths: Truths): Generator<{ truth: RunTruth; last: Change }> {
    for (const truth of this.#truths(truths).values()) {
      if (truth.partition !== this.index) continue;
      const last = truth.changes.findLast(({ offset }) => offset < next);
      if (last !== undefined) yield { truth, last };
    }
  }

  /** Says whether what is stored of a run includes its last change below `next`. */
  #isCovered(
    stored: Pick<StoredRun, 'seq' | 'isTombstone'> | undefined,
    of: { truth: RunTruth; last: Change; next: number },
  ): boolean {
    const { truth, last, next } = of;
    // A rebuild writes nothing for a run that is retired later on.
    const isRetiredLater = truth.changes.some(({ offset, isAbsent }) => isAbsent && offset >= next);
    if (stored === undefined && isRetiredLater && this.isRebuilt) return true;
    return last.isAbsent
      ? stored === undefined || stored.isTombstone || stored.seq > last.offset
      : stored !== undefined && stored.seq >= last.offset;
  }

  /**
   * Is told that a rebuild has switched to this topic. From now on it must satisfy everything that snapshots in use
   * must satisfy.
   */
  use(at: { epoch: string; fold: number; end: number }, truths: Truths): void {
    const { checkpoint, topic, index } = this;
    this.isInUse = true;
    holds(checkpoint !== null, () => `run-meta says ${topic}, whose partition ${index} has no checkpoint`);
    const stored = [...this.runs.values()].filter(({ isTombstone }) => !isTombstone);
    holds(
      [checkpoint, ...stored].every(({ epoch }) => epoch === at.epoch),
      () => `run-meta says epoch ${at.epoch}, ${topic} was written in another one, too`,
    );
    holds(
      checkpoint.fold === at.fold,
      () => `run-meta says fold ${at.fold}, ${topic} was written by ${checkpoint.fold}`,
    );
    this.isOfFormer = checkpoint.next > at.end || stored.some(({ isOfFormer }) => isOfFormer);
    holds(
      stored.every(({ isOfFormer }) => isOfFormer === this.isOfFormer),
      () => `${topic} holds snapshots of a topic that was deleted beside others`,
    );
    this.checkCovered(truths);
  }

  #truths({ present, former }: Truths): ReadonlyMap<string, RunTruth> {
    return this.isOfFormer ? former : present;
  }
}

/** Returns the bytes of figures, one character each, as they are stored under an epoch. */
export function figuresText(bytes: Buffer, epoch: string): string {
  const text = bytes.toString('latin1');
  const own = positionOfFigures(bytes)!.epoch;
  return own === epoch ? text : text.replace(`"epoch":"${own}"`, `"epoch":"${epoch}"`);
}

const texts = new WeakMap<RunSnapshot, string>();

/** Returns the text of a state as it is stored under an epoch, whatever its own epoch is. */
export function snapshotText(state: RunSnapshot, as: { epoch: string; isNewer: boolean }): string {
  let text = texts.get(state);
  if (text === undefined) {
    text = JSON.stringify(state);
    texts.set(state, text);
  }
  if (as.epoch !== state.position.epoch) {
    text = text.replace(`"epoch":"${state.position.epoch}"`, `"epoch":"${as.epoch}"`);
  }
  return as.isNewer ? text.replace('"cumulative_pruned":0', `"cumulative_pruned":${NEWER_PRUNED}`) : text;
}

export function isNewerFold(fold: number): boolean {
  return fold > thisBuild.fold;
}

/** Returns the place where two texts differ, with its surroundings. */
function difference(left: string, right: string): string {
  let at = 0;
  while (at < left.length && left[at] === right[at]) at += 1;
  const from = Math.max(0, at - 40);
  return `${left.slice(from, at + 60)} instead of ${right.slice(from, at + 60)}`;
}
