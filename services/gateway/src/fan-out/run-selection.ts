import { RUN_GROUPS_MAX } from '@runlog/schema/limits';
import { compileGlob } from '@runlog/schema/run/run-glob';
import type { ComparableRun, CompiledWhere } from '@runlog/schema/run/run-where';
import type { RunGroup, RunState } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';
import type { Viewer } from '../access.ts';
import { type IndexedChanges, type IndexedRun, type IndexedRuns, runStates } from './indexed-runs.ts';
import type { OrderedRuns } from './ordered-runs.ts';
import type { RunGroups } from './run-groups.ts';
import { type RunNames, runNameMatch } from './run-name-match.ts';

/** Code of a run that is not selected by its names. The code of a selected one is one more than the place of its state. */
const OUTSIDE = 0;
const codes = new Map(runStates.map((state, at) => [state, at + 1]));
/** Code of a run that only its figures keep out: they must be looked at again when it changes, and its names need not. */
const BARRED = codes.size + 1;
const CODES = codes.size + 2;

/** What a selection selects by. */
export interface SelectedBy extends RunNames {
  readonly glob: string;
  readonly cluster: string | null;
  readonly where: CompiledWhere | null;
  readonly viewer: Viewer;
}

/**
 * The runs that a glob, names and figures select among those that a viewer may see. Views that differ only in status,
 * order, groups and window share it.
 */
export class RunSelection {
  /** Counts the views that use it. */
  users = 0;
  readonly #matchesKey: (key: string) => boolean;
  readonly #matchesNames: (key: string, taskName: string | null) => boolean;
  readonly #meets: ((run: ComparableRun) => boolean) | null;
  /** By slot. */
  #codes = new Uint8Array(0);
  #counts: number[] = [];

  constructor(by: SelectedBy) {
    const ofKey = compileGlob(by.glob);
    const { maySee } = by.viewer;
    const prefix = by.cluster === null ? '' : `${by.cluster}/`;
    this.#matchesKey = (key) => key.startsWith(prefix) && ofKey(key) && maySee(key);
    this.#matchesNames = runNameMatch(by);
    this.#meets = by.where?.test ?? null;
  }

  /** Selects anew among all runs. */
  restart(runs: IndexedRuns): void {
    this.#codes = new Uint8Array(runs.slots);
    this.#counts = Array.from({ length: CODES }, () => 0);
    for (const key of runs.keys) {
      if (key === undefined || !this.#matchesKey(key)) continue;
      const run = runs.get(key)!;
      this.#put(run, this.#codeOf(run));
    }
  }

  /** Returns whether a run changed that is or was selected. */
  apply(changes: IndexedChanges, slots: number): boolean {
    let isTouched = false;
    // Slots of runs that are gone may belong to added ones already.
    for (const run of changes.gone) if (this.#put(run, OUTSIDE)) isTouched = true;
    if (slots > this.#codes.length) this.#grow(slots);
    for (const run of changes.added) if (this.#put(run, this.#codeOf(run))) isTouched = true;
    for (const run of changes.moved) {
      const isJudged = !changes.renamed.has(run);
      if (isJudged && this.#codes[run.slot] === OUTSIDE) continue;
      if (this.#put(run, isJudged ? this.#codeByFigures(run) : this.#codeOf(run))) isTouched = true;
    }
    return isTouched;
  }

  /** Returns the runs from one place on to before another, among those of the order that are selected and in a state. */
  slice(order: OrderedRuns, of: { states: ReadonlySet<RunState>; from: number; to: number }): IndexedRun[] {
    const { states, from, to } = of;
    const isWanted = wantedCodes(states);
    const found: IndexedRun[] = [];
    let seen = 0;
    for (let at = 0; at < order.length && seen < to; at += 1) {
      if (isWanted[this.#codes[order.slotAt(at)]!] === 0) continue;
      if (seen >= from) found.push(order.runAt(at));
      seen += 1;
    }
    return found;
  }

  /**
   * The same for an order whose runs are dealt out to their groups, one group after the other. Also returns the number of
   * runs of each group, of the first groups if there are many.
   */
  groupedSlice(
    order: OrderedRuns,
    of: { groups: RunGroups; states: ReadonlySet<RunState>; from: number; to: number },
  ): { runs: IndexedRun[]; groups: RunGroup[] } {
    const { groups, states, from, to } = of;
    const isWanted = wantedCodes(states);
    const isIn = (at: number) => isWanted[this.#codes[order.slotAt(at)]!] === 1;
    const counts = new Uint32Array(groups.ordinals);
    for (let at = 0; at < order.length; at += 1) {
      if (isIn(at)) counts[groups.ordinalAt(order.slotAt(at))]! += 1;
    }
    const listed: RunGroup[] = [];
    /** By ordinal: the place of the group's next run. */
    const next = new Uint32Array(groups.ordinals);
    let place = 0;
    for (const { value, ordinal } of groups.inOrder) {
      const count = counts[ordinal]!;
      if (count > 0 && listed.length < RUN_GROUPS_MAX) listed.push([value, count]);
      next[ordinal] = place;
      place += count;
    }
    const runs: IndexedRun[] = [];
    const length = Math.max(0, Math.min(to, place) - from);
    for (let at = 0, found = 0; found < length; at += 1) {
      if (!isIn(at)) continue;
      const ordinal = groups.ordinalAt(order.slotAt(at));
      const its = next[ordinal]!;
      next[ordinal] = its + 1;
      if (its < from || its >= to) continue;
      runs[its - from] = order.runAt(at);
      found += 1;
    }
    return { runs, groups: listed };
  }

  get counts(): StateCounts {
    const entries = runStates.map((state, at) => [state, this.#counts[at + 1]!]);
    return Object.fromEntries(entries) as StateCounts;
  }

  totalOf(states: ReadonlySet<RunState>): number {
    let total = 0;
    for (const state of states) total += this.#counts[codes.get(state)!]!;
    return total;
  }

  #codeOf(run: IndexedRun): number {
    const { key, head } = run;
    const isSelected = this.#matchesKey(key) && this.#matchesNames(key, head.task_name);
    return isSelected ? this.#codeByFigures(run) : OUTSIDE;
  }

  /** Returns the code of a run that its names select. */
  #codeByFigures({ head, state }: IndexedRun): number {
    return this.#meets === null || this.#meets(head) ? codes.get(state)! : BARRED;
  }

  #put(run: IndexedRun, code: number): boolean {
    const before = this.#codes[run.slot]!;
    this.#codes[run.slot] = code;
    this.#counts[before]! -= 1;
    this.#counts[code]! += 1;
    return isSelected(before) || isSelected(code);
  }

  #grow(slots: number): void {
    const grown = new Uint8Array(Math.max(slots, this.#codes.length * 2));
    grown.set(this.#codes);
    this.#codes = grown;
  }
}

function isSelected(code: number): boolean {
  return code !== OUTSIDE && code !== BARRED;
}

function wantedCodes(states: ReadonlySet<RunState>): Uint8Array {
  const isWanted = new Uint8Array(CODES);
  for (const state of states) isWanted[codes.get(state)!] = 1;
  return isWanted;
}
