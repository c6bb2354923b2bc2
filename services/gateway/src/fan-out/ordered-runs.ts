import { type RunOrder, type RunPlace, runOrder } from '@runlog/run-state/run-order';
import type { RunSort } from '@runlog/schema/run/snapshot';
import type { IndexedChanges, IndexedRun } from './indexed-runs.ts';

interface PlacedRun extends RunPlace {
  readonly run: IndexedRun;
}

/** All runs in one order. There are at most as many of these as ways to sort, whatever the number of views. */
export class OrderedRuns {
  /** Counts the views that use it. */
  users = 0;
  readonly #order: RunOrder;
  #places: PlacedRun[] = [];
  /** By slot. */
  #placeOf: (PlacedRun | undefined)[] = [];

  constructor(sort: RunSort) {
    this.#order = runOrder(sort);
  }

  restart(runs: { values: () => Iterable<IndexedRun> }): void {
    this.#placeOf = [];
    this.#places = Array.from(runs.values(), (run) => this.#place(run)).sort(this.#order.compare);
  }

  *values(): Generator<IndexedRun> {
    for (const { run } of this.#places) yield run;
  }

  /** Moves the runs whose place changed. The others keep their order, so the two are merged. */
  apply({ added, moved, gone }: IndexedChanges): void {
    const left = new Set<PlacedRun>();
    for (const { slot } of gone) {
      left.add(this.#placeOf[slot]!);
      this.#placeOf[slot] = undefined;
    }
    const placed: PlacedRun[] = [];
    for (const run of moved) {
      const before = this.#placeOf[run.slot]!;
      if (Object.is(before.value, this.#order.valueOf(run.head))) continue;
      left.add(before);
      placed.push(this.#place(run));
    }
    for (const run of added) placed.push(this.#place(run));
    if (left.size === 0 && placed.length === 0) return;
    placed.sort(this.#order.compare);
    this.#places = this.#merge(left, placed);
  }

  #place(run: IndexedRun): PlacedRun {
    const place = { run, key: run.key, value: this.#order.valueOf(run.head) };
    this.#placeOf[run.slot] = place;
    return place;
  }

  #merge(left: ReadonlySet<PlacedRun>, placed: readonly PlacedRun[]): PlacedRun[] {
    const { compare } = this.#order;
    const merged: PlacedRun[] = [];
    let next = 0;
    for (const place of this.#places) {
      if (left.has(place)) continue;
      while (next < placed.length && compare(placed[next]!, place) < 0) {
        merged.push(placed[next]!);
        next += 1;
      }
      merged.push(place);
    }
    for (; next < placed.length; next += 1) merged.push(placed[next]!);
    return merged;
  }
}
