import { encodeCheckpoint } from '@runlog/records/checkpoint-record';
import { encodeFigures } from '@runlog/records/figures-record';
import { encodeSnapshot } from '@runlog/records/snapshot-record';
import type { FigureStates } from '@runlog/run-feed/figure-states';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import type { DirtyRuns, Lack } from './dirty-runs.ts';

/** The most bytes of one transaction. It is small enough to commit well within the timeout. */
export const FLUSH_BYTES_MAX = 8 * 1024 * 1024;
/** Figures are written less often than snapshots, because they are larger and nobody waits for the stored ones. */
export const FIGURES_INTERVAL_MS = 10_000;

/** The content of one transaction of a partition: snapshots and figures of dirty runs, and the checkpoint they allow. */
export interface Flush {
  /** The checkpoint is the last of the snapshots and of the figures: a transaction can be read in one topic first. */
  readonly snapshots: readonly RecordToAppend[];
  readonly figures: readonly RecordToAppend[];
  readonly checkpoint: number;
  readonly runs: number;
  readonly bytes: number;
}

export interface FlushInput {
  readonly dirty: DirtyRuns;
  readonly dirtyFigures: DirtyRuns;
  readonly states: Pick<ReadonlyRunStates, 'get' | 'has' | 'head'>;
  readonly figures: Pick<FigureStates, 'get' | 'seqOf'>;
  /** The offset up to which the partition is folded. */
  readonly folded: number;
  readonly epoch: string;
  readonly bytesMax: number;
  readonly nowMs: number;
  /** Write all dirty figures, however young. */
  readonly all: boolean;
}

/**
 * Takes dirty snapshots and due figures, oldest first, while they fit into the bytes. The first is always taken, so that
 * everything is written in the end. Those that do not fit stay dirty, and hold the checkpoint back to the first record that
 * they lack. A retired run's tombstones wait until the checkpoint passes its control record, because a restart in between
 * must not bring the run back.
 */
export function buildFlush(input: FlushInput): Flush {
  const { dirty, dirtyFigures, states, folded, epoch, bytesMax, nowMs } = input;
  const writing = new Writing(input);
  for (const { key, of } of oldestFirst(input)) {
    if (writing.runs > 0 && writing.bytes >= bytesMax) break;
    // One of the two may have taken the other with it.
    if (of === 'run' && dirty.get(key) !== undefined) writing.takeRun(key);
    if (of === 'figures' && dirtyFigures.get(key) !== undefined) writing.takeFigures(key);
  }
  // What is still dirty lets the checkpoint pass no further than this.
  let passable = folded;
  for (const lacks of [dirty, dirtyFigures]) {
    for (const [key, { since }] of lacks.entries()) if (states.has(key)) passable = Math.min(passable, since);
  }
  // Figures that were left without their run wait for tombstones too, or they would hold the checkpoint back for ever.
  for (const lacks of [dirty, dirtyFigures]) {
    for (const [key, { through }] of lacks.entries()) {
      if (!states.has(key) && through <= passable) writing.takeRetired(key);
    }
  }
  const next = Math.min(dirty.checkpoint(folded), dirtyFigures.checkpoint(folded));
  const checkpoint = encodeCheckpoint({ epoch, fold: FOLD_VERSION, next, rejected_below: folded }, nowMs);
  return {
    snapshots: [...writing.snapshots, checkpoint],
    figures: [...writing.figures, checkpoint],
    checkpoint: next,
    runs: writing.runs,
    bytes: writing.bytes,
  };
}

/** Says whether figures are to be written now. */
export function areFiguresDue({ sinceMs }: Lack, nowMs: number): boolean {
  return nowMs - sinceMs >= FIGURES_INTERVAL_MS;
}

interface Candidate {
  readonly key: string;
  readonly of: 'run' | 'figures';
  readonly since: number;
}

/** Snapshots and figures wait in one queue, so that neither starves the other. */
function oldestFirst(input: FlushInput): Candidate[] {
  const { dirty, dirtyFigures, states, figures, nowMs, all } = input;
  const candidates: Candidate[] = [];
  for (const [key, { since }] of dirty.entries()) {
    if (states.has(key)) candidates.push({ key, of: 'run', since });
  }
  for (const [key, lack] of dirtyFigures.entries()) {
    if (!all && !areFiguresDue(lack, nowMs)) continue;
    // Figures that are still behind their snapshot, after a restore, are not written: only at one position of both can a
    // reader tell what was a repeat.
    const seq = states.head(key)?.position.seq;
    if (seq !== undefined && figures.seqOf(key) === seq) {
      candidates.push({ key, of: 'figures', since: lack.since });
    }
  }
  return candidates.sort((left, right) => left.since - right.since);
}

/** The records of one flush while they are gathered. */
class Writing {
  readonly snapshots: RecordToAppend[] = [];
  readonly figures: RecordToAppend[] = [];
  runs = 0;
  bytes = 0;
  readonly #input: FlushInput;

  constructor(input: FlushInput) {
    this.#input = input;
  }

  takeRun(key: string): void {
    const { dirty, dirtyFigures, states, nowMs } = this.#input;
    const state = states.get(key);
    dirty.take(key);
    // Its bytes were forged and could not be read. It is left out.
    if (state === undefined) return;
    const record = encodeSnapshot(state, { key, nowMs });
    this.snapshots.push(record);
    this.runs += 1;
    this.bytes += record.value.length;
    const lack = dirtyFigures.get(key);
    // The stored snapshot must tell of each record that its stored figures lack whether it was a repeat.
    if (lack !== undefined && state.repeats.unknown_below > lack.since) this.takeFigures(key);
  }

  /** Takes the run's snapshot too if it is dirty: figures are stored at a position at which the snapshot is stored. */
  takeFigures(key: string): void {
    const { dirty, dirtyFigures, figures, nowMs } = this.#input;
    const state = figures.get(key);
    dirtyFigures.take(key);
    if (dirty.get(key) !== undefined) this.takeRun(key);
    if (state === undefined) return;
    const record = encodeFigures(state, { key, nowMs });
    this.figures.push(record);
    this.runs += 1;
    this.bytes += record.value.length;
  }

  takeRetired(key: string): void {
    const { dirty, dirtyFigures, nowMs } = this.#input;
    const tombstone = { key, value: null, headers: {}, timestampMs: nowMs };
    this.snapshots.push(tombstone);
    this.figures.push(tombstone);
    this.runs += 1;
    dirty.take(key);
    dirtyFigures.take(key);
  }
}
