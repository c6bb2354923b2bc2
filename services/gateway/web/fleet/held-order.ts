import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunRow } from '@runlog/schema/run/snapshot';

/** A part of the table from an offset of the server's order on. */
export interface RowsFrom {
  readonly offset: number;
  readonly rows: readonly RunRow[];
}

/**
 * Keeps the order of the rows while somebody points at them: values change in place, and what moved, came or went waits. A part
 * of the table that was not shown before is taken as it is.
 */
export class HeldOrder {
  #newest: RowsFrom = { offset: 0, rows: [] };
  #shown: RowsFrom = this.#newest;
  #isHeld = false;

  get shown(): RowsFrom {
    return this.#shown;
  }

  /** How many lines will show another run once the order is let go. */
  get moved(): number {
    if (this.#shown === this.#newest) return 0;
    const [shown, newest] = [this.#shown.rows, this.#newest.rows];
    let moved = 0;
    for (let at = 0; at < Math.max(shown.length, newest.length); at += 1) {
      const [held, next] = [shown[at], newest[at]];
      if (held === undefined || next === undefined || !isSame(held, next)) moved += 1;
    }
    return moved;
  }

  take(newest: RowsFrom): void {
    this.#newest = newest;
    if (!this.#isHeld || newest.offset !== this.#shown.offset || this.#shown.rows.length === 0) {
      this.#shown = newest;
      return;
    }
    const rows = new Map(newest.rows.map((row) => [formatRunKey(row), row]));
    // A run that left the window keeps what was last known of it.
    const held = this.#shown.rows.map((row) => rows.get(formatRunKey(row)) ?? row);
    this.#shown = { offset: newest.offset, rows: held };
    if (this.moved === 0) this.#shown = newest;
  }

  /** Holds the order, or lets it go. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#shown = this.#newest;
  }

  /** Shows the newest order now, and holds that. */
  release(): void {
    this.#shown = this.#newest;
  }
}

function isSame(one: RunRow, other: RunRow): boolean {
  return (
    one.run_id === other.run_id && one.group_id === other.group_id && one.cluster_id === other.cluster_id
  );
}
