import { type GroupValue, groupOrder, groupValues } from '@runlog/run-state/run-order';
import type { RunGroupField } from '@runlog/schema/run/snapshot';
import type { IndexedChanges, IndexedRun } from './indexed-runs.ts';

/** The runs that have one value of the field. */
interface Group {
  readonly value: GroupValue;
  /** A small number of its own while it has runs. Those of groups that are gone are given to others. */
  readonly ordinal: number;
  runs: number;
}

/**
 * Which group each run is in, by one field. A grouped view is an order whose runs are dealt out to their groups, so there
 * need not be an order for each way to sort and group.
 */
export class RunGroups {
  /** Counts the views that use it. */
  users = 0;
  readonly #valueOf: (typeof groupValues)[RunGroupField];
  readonly #compare: (left: GroupValue, right: GroupValue) => number;
  readonly #groups = new Map<GroupValue, Group>();
  readonly #freeOrdinals: number[] = [];
  #ordinals = 0;
  /** Null if it must be sorted again. */
  #inOrder: readonly Group[] | null = null;
  /** By slot. */
  #groupOf: (Group | undefined)[] = [];
  #ordinalOf = new Uint32Array(0);

  constructor(by: RunGroupField) {
    this.#valueOf = groupValues[by];
    this.#compare = groupOrder(by);
  }

  /** The number of ordinals that were given out. Every ordinal is below it. */
  get ordinals(): number {
    return this.#ordinals;
  }

  /** The groups that have runs, in order. */
  get inOrder(): readonly Pick<Group, 'value' | 'ordinal'>[] {
    this.#inOrder ??= [...this.#groups.values()].sort((left, right) =>
      this.#compare(left.value, right.value),
    );
    return this.#inOrder;
  }

  /** Returns the ordinal of the group of the run that has this slot. */
  ordinalAt(slot: number): number {
    return this.#ordinalOf[slot]!;
  }

  /** Groups all runs anew. */
  restart(runs: { readonly slots: number; values: () => Iterable<IndexedRun> }): void {
    this.#groups.clear();
    this.#freeOrdinals.length = 0;
    this.#ordinals = 0;
    this.#inOrder = null;
    this.#groupOf = [];
    this.#ordinalOf = new Uint32Array(runs.slots);
    for (const run of runs.values()) this.#add(run);
  }

  apply({ added, moved, gone }: IndexedChanges, slots: number): void {
    // Slots of runs that are gone may belong to added ones already.
    for (const run of gone) this.#remove(run);
    if (slots > this.#ordinalOf.length) this.#grow(slots);
    for (const run of added) this.#add(run);
    for (const run of moved) {
      if (this.#groupOf[run.slot]!.value === this.#valueOf(run.head, run.state)) continue;
      this.#remove(run);
      this.#add(run);
    }
  }

  #add(run: IndexedRun): void {
    const value = this.#valueOf(run.head, run.state);
    let group = this.#groups.get(value);
    if (group === undefined) {
      group = { value, ordinal: this.#freeOrdinals.pop() ?? this.#ordinals, runs: 0 };
      if (group.ordinal === this.#ordinals) this.#ordinals += 1;
      this.#groups.set(value, group);
      this.#inOrder = null;
    }
    group.runs += 1;
    this.#groupOf[run.slot] = group;
    this.#ordinalOf[run.slot] = group.ordinal;
  }

  #remove({ slot }: IndexedRun): void {
    const group = this.#groupOf[slot]!;
    this.#groupOf[slot] = undefined;
    group.runs -= 1;
    if (group.runs > 0) return;
    this.#groups.delete(group.value);
    this.#freeOrdinals.push(group.ordinal);
    this.#inOrder = null;
  }

  #grow(slots: number): void {
    const grown = new Uint32Array(Math.max(slots, this.#ordinalOf.length * 2));
    grown.set(this.#ordinalOf);
    this.#ordinalOf = grown;
  }
}
