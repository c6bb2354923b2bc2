import { bytesOf } from '@runlog/records/figures-record';
import { evolve } from '@runlog/run-state/evolve';
import { emptyFigures, foldFigures, type RunFiguresState } from '@runlog/run-state/figures/run-figures';
import type { RunRecord } from '@runlog/run-state/run-record';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { holds } from './violation.ts';

/** Everything that is true of one run, judged only by the events of one incarnation of their topic. */
export class RunTruth {
  readonly key: string;
  readonly partition: number;
  /** The state after each record that changed it. */
  readonly states = new Map<number, RunSnapshot>();
  latest: RunSnapshot | null = null;
  /** The bytes of the figures after each record that changed them. */
  readonly figures = new Map<number, Buffer>();
  latestFigures: RunFiguresState | null = null;
  /** The offsets of records that made entries. */
  readonly entries: number[] = [];
  /** The offsets of records that changed anything, and whether the run was absent after each. */
  readonly changes: { readonly offset: number; readonly isAbsent: boolean }[] = [];
  /** The event ids since the run was last absent, and the number of records that carried them. */
  #ids = new Set<string>();
  #received = 0;
  /** The numbers that arrived since then, by emitter. */
  #numbers = new Map<string, Set<number>>();

  constructor(at: { key: string; partition: number }) {
    this.key = at.key;
    this.partition = at.partition;
  }

  /** Folds a record and returns the state before it. */
  fold(record: RunRecord): RunSnapshot | null {
    const before = this.latest;
    const after = evolve(before, record);
    if (record.kind === 'event') this.#count(record.event);
    if (after === before) return before;
    const { seq } = record;
    if (after === null) this.latestFigures = null;
    else if (record.kind === 'event') {
      if (before === null) this.latestFigures = emptyFigures(record.run);
      const isRepeat = before !== null && after.duplicates > before.duplicates;
      foldFigures(this.latestFigures!, record, { isRepeat });
      this.figures.set(seq, bytesOf(this.latestFigures!));
    }
    this.changes.push({ offset: seq, isAbsent: after === null });
    this.latest = after;
    if (after === null) {
      this.#ids = new Set();
      this.#received = 0;
      this.#numbers = new Map();
      return before;
    }
    this.states.set(seq, after);
    if (after.event_log.at(-1)?.seq === seq) this.entries.push(seq);
    return before;
  }

  /** Checks the duplicates and missing numbers, which are counted here independently of the fold. */
  checkCounts(): void {
    const { key, latest } = this;
    if (latest === null) return;
    holds(
      latest.total_events_received === this.#received &&
        latest.total_events_received - latest.duplicates === this.#ids.size,
      () =>
        `${key} counts ${latest.total_events_received} received and ${latest.duplicates} duplicates; the log holds ` +
        `${this.#received} records of ${this.#ids.size} events`,
    );
    let missing = 0;
    for (const seen of this.#numbers.values()) missing += Math.max(...seen) - seen.size;
    holds(latest.missing === missing, () => `${key} counts ${latest.missing} missing, ${missing} are`);
  }

  #count(event: Extract<RunRecord, { kind: 'event' }>['event']): void {
    this.#ids.add(event.event_id);
    this.#received += 1;
    if (event.emitter_id == null || event.emitter_seq == null) return;
    const seen = this.#numbers.get(event.emitter_id) ?? new Set();
    this.#numbers.set(event.emitter_id, seen.add(event.emitter_seq));
  }
}
