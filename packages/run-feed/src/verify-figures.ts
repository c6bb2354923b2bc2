import { bytesOf, decodeFigures, positionOfFigures } from '@runlog/records/figures-record';
import { deliverFigures } from '@runlog/run-state/figures/deliver-figures';
import type { RunFiguresState } from '@runlog/run-state/figures/run-figures';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { firstDifference } from './first-difference.ts';
import type { Difference } from './verify.ts';

/**
 * The stored figures of a partition, and which of them the fold has confirmed. Each is compared at its own position. `runs`
 * are those whose snapshots are compared, with their first record. Those that began below the checkpoint must have figures,
 * and so must those of `truncated`, whose first record the topic no longer holds: nothing could make their figures anew.
 */
export class FigureExpectations {
  readonly #partition: number;
  readonly #open = new Map<string, { bytes: Buffer; seq: number }>();
  /** Runs that should have figures and have none. Only a later retirement explains them. */
  readonly #missing = new Set<string>();
  readonly #differences: Difference[] = [];
  #compared = 0;

  constructor(
    figures: ReadonlyMap<string, Buffer>,
    at: {
      partition: number;
      runs: Iterable<[key: string, firstSeq: number]>;
      truncated: Iterable<[key: string, firstSeq: number]>;
      checkpoint: number;
    },
  ) {
    this.#partition = at.partition;
    for (const [key, firstSeq] of at.runs) {
      const bytes = figures.get(key);
      const position = bytes === undefined ? undefined : positionOfFigures(bytes);
      if (position === null) this.#differ({ key, seq: null, message: 'the stored figures cannot be read' });
      // Figures from before a retirement are no figures of this run.
      else if (bytes !== undefined && position !== undefined && position.seq >= firstSeq)
        this.#open.set(key, { bytes, seq: position.seq });
      else if (firstSeq < at.checkpoint) this.#missing.add(key);
    }
    for (const [key, firstSeq] of at.truncated) {
      const position = figures.has(key) ? positionOfFigures(figures.get(key)!) : undefined;
      if (position === null) this.#differ({ key, seq: null, message: 'the stored figures cannot be read' });
      else if ((position?.seq ?? -1) < firstSeq && firstSeq < at.checkpoint) this.#missing.add(key);
    }
  }

  /** Says whether the fold has just reached the position of stored figures. */
  awaits({ key, offset }: LogRecord): boolean {
    const expected = this.#open.get(key);
    return expected !== undefined && offset >= expected.seq;
  }

  compare(key: string, folded: RunFiguresState | undefined): void {
    const { bytes, seq } = this.#open.get(key)!;
    this.#open.delete(key);
    this.#compared += 1;
    if (folded !== undefined && bytes.equals(bytesOf(folded))) return;
    const stored = decodeFigures(bytes);
    const { field, left, right } = firstDifference(
      stored === null ? null : plain(stored),
      folded === undefined ? null : plain(folded),
    );
    this.#differ({
      ...{ key, seq, field: field === '' ? 'figures' : `figures.${field}` },
      ...{ stored: left, folded: right },
      message: 'the figures differ',
    });
  }

  retired(key: string): void {
    this.#missing.delete(key);
  }

  finish(): { compared: number; differences: readonly Difference[] } {
    for (const key of this.#missing) {
      this.#differ({ key, seq: null, message: 'events below the checkpoint, but no figures' });
    }
    for (const [key, { seq }] of this.#open) {
      this.#differ({
        ...{ key, seq },
        message: 'the topic holds no record at the position of the stored figures',
      });
    }
    return { compared: this.#compared, differences: this.#differences };
  }

  #differ(difference: Pick<Difference, 'key' | 'seq' | 'message'> & Partial<Difference>): void {
    this.#differences.push({
      ...{ field: 'figures', stored: null, folded: null, partition: this.#partition },
      ...difference,
    });
  }
}

function plain(state: RunFiguresState): unknown {
  return { ...deliverFigures(state), ordinal: state.ordinal, attempt: state.attempt };
}
