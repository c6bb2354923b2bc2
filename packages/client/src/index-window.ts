import { runOrder, type SortValue } from '@runlog/run-state/run-order';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { RUN_SORT_DEFAULT, type RunRow, type RunSort } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';

/** The answer to the subscription of an index view, or what changed since. */
export interface IndexStep {
  readonly rows: readonly RunRow[];
  /** Keys `cluster/run/group` of rows that left the window. Absent in an answer, which replaces everything. */
  readonly gone?: readonly string[];
  readonly total: number;
  readonly counts: StateCounts;
}

interface PlacedRow {
  readonly key: string;
  readonly value: SortValue;
  readonly row: RunRow;
}

/** One index view as a client holds it: steps go in, and the rows of the window come out in the view's order. */
export class IndexWindow {
  readonly #order: ReturnType<typeof runOrder>;
  readonly #placed = new Map<string, PlacedRow>();
  #sorted: readonly RunRow[] | null = [];
  #total: number | null = null;
  #counts: StateCounts | null = null;

  constructor(sort: RunSort = RUN_SORT_DEFAULT) {
    this.#order = runOrder(sort);
  }

  /** The rows of the window, in order. The array is the same until the next step. */
  get rows(): readonly RunRow[] {
    this.#sorted ??= [...this.#placed.values()].sort(this.#order.compare).map(({ row }) => row);
    return this.#sorted;
  }

  /** The number of runs that match, inside the window and outside. Null before the first answer. */
  get total(): number | null {
    return this.#total;
  }

  /** The number of runs in each state that match, whatever `status` asks for. Null before the first answer. */
  get counts(): StateCounts | null {
    return this.#counts;
  }

  receive(step: IndexStep): void {
    if (step.gone === undefined) this.#placed.clear();
    else for (const key of step.gone) this.#placed.delete(key);
    for (const row of step.rows) {
      const key = formatRunKey(row);
      this.#placed.set(key, { key, value: this.#order.valueOf(row), row });
    }
    this.#sorted = null;
    this.#total = step.total;
    this.#counts = step.counts;
  }
}
