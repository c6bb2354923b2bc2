import type { RunMeta } from '@runlog/records/meta-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import { type Folded, foldInto } from '@runlog/run-state/evolve';
import { emptyFigures, foldFigures, type RunFiguresState } from '@runlog/run-state/figures/run-figures';
import { isRepeat } from '@runlog/run-state/repeats';
import { RunDraft } from '@runlog/run-state/run-draft';
import type { RunRecord } from '@runlog/run-state/run-record';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { FigureStates } from './figure-states.ts';
import type { RunChange } from './run-change.ts';
import { RunStates } from './run-states.ts';

/** A record that no reader can fold; the aggregator copies it to the rejected topic, everyone skips it. */
export interface UnfoldableRecord {
  readonly record: LogRecord;
  readonly reason: string;
}

/** The message that is logged with the run if a snapshot turns out to be unreadable only when its run is asked for. */
export const LEFT_OUT = 'unreadable snapshot although its checksum is right: the run is left out';

export interface FoldedBatch {
  readonly changes: readonly RunChange[];
  readonly unfoldable: readonly UnfoldableRecord[];
}

export interface FoldedInPlace {
  /** The keys of the runs that changed, including retired ones. */
  readonly changed: Iterable<string>;
  /** The keys of the runs whose figures changed. */
  readonly figures: Iterable<string>;
  readonly unfoldable: readonly UnfoldableRecord[];
}

/** The states of the runs of some partitions and their figures, and the only way to fold records into them. */
export class RunTable {
  readonly states: RunStates;
  readonly figures = new FigureStates();
  /**
   * Runs whose snapshot cannot be read and cannot be folded anew. They are left out, and their snapshots are never
   * overwritten.
   */
  readonly leftOut = new Set<string>();
  /** Runs that a restore folded anew, because what is stored of them cannot be read or is incomplete. */
  readonly refolded = new Set<string>();
  readonly #meta: RunMeta;

  /**
   * `onLeftOut` is told of a snapshot whose checksum was right and that turned out to be unreadable when its run was
   * asked for.
   */
  constructor(meta: RunMeta, onLeftOut: (key: string) => void = () => undefined) {
    this.#meta = meta;
    this.states = new RunStates((key) => {
      this.leftOut.add(key);
      onLeftOut(key);
    });
  }

  /** Folds records of one partition, in order. Records at or below a run's position change nothing. */
  fold(records: readonly LogRecord[], partition: number): FoldedBatch {
    const { touched, unfoldable } = this.#fold(records, { partition, inPlace: false });
    const changes: RunChange[] = [];
    for (const [key, { before, draft, entries, began }] of touched) {
      const after = draft.state;
      // A run that began anew moves behind the others.
      if (began) this.states.delete(key);
      if (after !== null) this.states.set(key, after);
      changes.push({ key, before, after, entries });
    }
    return { changes, unfoldable };
  }

  /**
   * Does the same as `fold` for a caller that keeps no reference to a state: states are changed in place. Copying them
   * is most of the cost when each of many runs gets a few events.
   */
  foldInPlace(records: readonly LogRecord[], partition: number): FoldedInPlace {
    const { touched, figures, unfoldable } = this.#fold(records, { partition, inPlace: true });
    for (const [key, { before, draft, began }] of touched) {
      const after = draft.state;
      if (began) this.states.delete(key);
      if (after !== null && (began || after !== before)) this.states.set(key, after);
    }
    return { changed: touched.keys(), figures, unfoldable };
  }

  #fold(
    records: readonly LogRecord[],
    how: { partition: number; inPlace: boolean },
  ): {
    touched: ReadonlyMap<string, Touched>;
    figures: ReadonlySet<string>;
    unfoldable: readonly UnfoldableRecord[];
  } {
    const { partition, inPlace } = how;
    const touched = new Map<string, Touched>();
    const figures = new Set<string>();
    const unfoldable: UnfoldableRecord[] = [];
    for (const record of records) {
      const { key } = record;
      if (key === '') {
        unfoldable.push({ record, reason: 'the record has no key, so it belongs to no run' });
        continue;
      }
      const held = touched.get(key);
      const state = held === undefined ? (this.states.get(key) ?? null) : held.draft.state;
      if (state === null && partitionOf(key, this.#meta.partitions) !== partition) {
        unfoldable.push({ record, reason: 'the key does not belong in this partition' });
        continue;
      }
      if (this.leftOut.has(key)) continue;
      // A state also serves as the key of its run, already parsed.
      const decoded = decodeRunRecord(record, this.#meta.epoch, state);
      if (decoded.kind === 'unfoldable') {
        unfoldable.push({ record, reason: decoded.reason });
        continue;
      }
      const draft = held?.draft ?? new RunDraft(state, { isOwn: inPlace && state !== null });
      const change: Touched = held ?? { before: state, draft, figures: null, entries: [], began: false };
      const folded = foldInto(draft, decoded);
      if (this.#foldFigures(decoded, { folded, change })) figures.add(key);
      if (folded === 'unchanged') continue;
      if (held === undefined) touched.set(key, change);
      if (draft.state === null) {
        change.entries.length = 0;
        change.began = true;
        continue;
      }
      // Nobody reads the single entries of a state that is changed in place.
      if (!inPlace && typeof folded !== 'string') change.entries.push(folded);
    }
    return { touched, figures, unfoldable };
  }

  /**
   * Folds a record into the figures of its run, which have a position of their own. They may be behind the snapshot, because
   * they are stored less often; then the snapshot says which of the records up to its position were repeats. `change` has the
   * run's state after the record. Returns whether the figures changed.
   */
  #foldFigures(record: RunRecord, at: { folded: Folded; change: Touched }): boolean {
    const { key, seq } = record;
    const { folded, change } = at;
    const { state } = change.draft;
    if (state === null) {
      change.figures = null;
      const heldSeq = this.figures.seqOf(key);
      if (heldSeq === null || heldSeq >= seq) return false;
      this.figures.delete(key);
      return true;
    }
    // A record from before the run's present life changes nothing, and a retirement that is void neither.
    if (record.kind !== 'event' || seq < state.first_seq) return false;
    let figures = change.figures ?? this.figures.get(key);
    if (figures === undefined || figures.position.seq < state.first_seq) {
      figures = emptyFigures(record.run);
      this.figures.set(key, figures);
    }
    change.figures = figures;
    if (seq <= figures.position.seq) return false;
    const wasRepeat = folded === 'unchanged' && isRepeat(state.repeats, seq) === true;
    foldFigures(figures, record, { isRepeat: folded === 'repeated' || wasRepeat });
    return true;
  }
}

interface Touched {
  readonly before: RunSnapshot | null;
  /** The draft is dropped with the batch: an object that it made is never changed later. */
  readonly draft: RunDraft;
  /** The figures that records of the batch were folded into. */
  figures: RunFiguresState | null;
  readonly entries: EventLogEntry[];
  /** Whether the run was absent in between. */
  began: boolean;
}
