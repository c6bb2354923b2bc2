import type { ChannelRefusal, GapReason, RunUpdate } from '@runlog/client/run-update';
import type { DeliveredSnapshot, Position } from '@runlog/schema/run/snapshot';

/** What one subscriber of a run was handed over since the run began, and what was wrong with it. */
export class FollowedEntries {
  /** The seqs of the entries, as they came. */
  seqs: number[] = [];
  snapshot: DeliveredSnapshot | null = null;
  /** Where a later subscription goes on. */
  position: Position | null = null;
  /** How often the run began anew. */
  lives = 0;
  readonly #violations: string[] = [];
  readonly #gaps: { readonly after: number; readonly before: number; readonly reason: GapReason }[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  readonly take = (update: RunUpdate | ChannelRefusal): void => {
    switch (update.kind) {
      case 'snapshot':
        if (update.startsOver) {
          this.lives += 1;
          this.seqs = [];
        }
        this.#hold(update);
        return;
      case 'step':
        this.#hold(update);
        return;
      case 'gap':
        this.#gaps.push(update);
        this.position = update.position;
        return;
      case 'refused':
        this.#violated(`is refused: ${update.code}`);
        return;
      case 'end':
        return;
      default: {
        const unreachable: never = update;
        throw new Error(`unknown update ${String(unreachable)}`);
      }
    }
  };

  /**
   * Returns what was wrong. The log still has everything since `firstSeq`, where the run's present life began, so nothing
   * of it may be given up. A life that was deleted may end in a gap: the entries that were still to be fetched are gone.
   */
  faults(firstSeq: number): string[] {
    const givenUp = this.#gaps.filter(({ before, reason }) => reason !== 'no_such_run' || before > firstSeq);
    return [
      ...this.#violations,
      ...givenUp.map((gap) => `${this.#name} has a gap from ${gap.after} to ${gap.before}: ${gap.reason}`),
    ];
  }

  #hold(update: Extract<RunUpdate, { kind: 'snapshot' | 'step' }>): void {
    for (const { seq } of update.entries) {
      const last = this.seqs.at(-1);
      if (last !== undefined && seq <= last) this.#violated(`shows ${seq} after ${last}`);
      this.seqs.push(seq);
    }
    this.snapshot = update.snapshot;
    this.position = update.position;
  }

  #violated(what: string): void {
    if (this.#violations.length < 20) this.#violations.push(`${this.#name} ${what}`);
  }
}
