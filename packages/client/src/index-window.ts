import { type RunPlace, runOrder } from '@runlog/run-state/run-order';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { RUN_SORT_DEFAULT } from '@runlog/schema/run/run-sorting';
import type { RunGroup, RunGroupField, RunRow, RunSort } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';

/** The answer to the subscription of an index view, or what changed since. */
export interface IndexStep {
  readonly rows: readonly RunRow[];
  /** Keys `cluster/run/group` of rows that left the window. Absent in an answer, which replaces everything. */
  readonly gone?: readonly string[];
  readonly total: number;
  readonly counts: StateCounts;
  /** Absent if the view is not grouped. */
  readonly groups?: readonly RunGroup[];
}

interface PlacedRow {
  readonly place: RunPlace;
  readonly row: RunRow;
}

/** One index view as a client holds it: steps go in, and the rows of the window come out in the view's order. */
export class IndexWindow {
  readonly #order: ReturnType<typeof runOrder>;
  readonly #placed = new Map<string, PlacedRow>();
  #sorted: readonly RunRow[] | null = [];
  #total: number | null = null;
  #counts: StateCounts | null = null;
  #groups: readonly RunGroup[] = [];

  constructor(view: { sort?: RunSort | null | undefined; group_by?: RunGroupField | null | undefined } = {}) {
    this.#order = runOrder(view.sort ?? RUN_SORT_DEFAULT, view.group_by ?? null);
  }

  /** The rows of the window, in order. The array is the same until the next step. */
  get rows(): readonly RunRow[] {
    const { compare } = this.#order;
    this.#sorted ??= [...this.#placed.values()]
      .sort((left, right) => compare(left.place, right.place))
      .map(({ row }) => row);
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

  /** The groups of the view, in order, each with the number of its runs. Empty if it is not grouped. */
  get groups(): readonly RunGroup[] {
    return this.#groups;
  }

  receive(step: IndexStep): void {
    if (step.gone === undefined) this.#placed.clear();
    else for (const key of step.gone) this.#placed.delete(key);
    for (const row of step.rows) {
      const key = formatRunKey(row);
      this.#placed.set(key, { place: this.#order.placeOf(key, row, row.state), row });
    }
    this.#sorted = null;
    this.#total = step.total;
    this.#counts = step.counts;
    this.#groups = step.groups ?? [];
  }
}
