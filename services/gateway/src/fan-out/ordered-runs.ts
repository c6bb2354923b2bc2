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
  /** The slots of the places, side by side, so that a walk over them need not look at each run. */
  #slots = new Uint32Array(0);
  /** By slot. */
  #placeOf: (PlacedRun | undefined)[] = [];

  constructor(sort: RunSort) {
    this.#order = runOrder(sort);
  }

  get length(): number {
    return this.#places.length;
  }

  restart(runs: { values: () => Iterable<IndexedRun> }): void {
    this.#placeOf = [];
    this.#take(Array.from(runs.values(), (run) => this.#place(run)).sort(this.#order.compare));
  }

  /** Returns the slot of the run at a place. */
  slotAt(at: number): number {
    return this.#slots[at]!;
  }

  runAt(at: number): IndexedRun {
    return this.#places[at]!.run;
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
      if (Object.is(before.value, this.#order.valueOf(run.head, run.state))) continue;
      left.add(before);
      placed.push(this.#place(run));
    }
    for (const run of added) placed.push(this.#place(run));
    if (left.size === 0 && placed.length === 0) return;
    placed.sort(this.#order.compare);
    this.#take(this.#merge(left, placed));
  }

  #place(run: IndexedRun): PlacedRun {
    const value = this.#order.valueOf(run.head, run.state);
    const place = { run, key: run.key, group: null, value };
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

  #take(places: PlacedRun[]): void {
    this.#places = places;
    this.#slots = new Uint32Array(places.length);
    for (let at = 0; at < places.length; at += 1) this.#slots[at] = places[at]!.run.slot;
  }
}
