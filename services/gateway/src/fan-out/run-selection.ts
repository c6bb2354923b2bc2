import { compileGlob } from '@runlog/schema/run/run-glob';
import type { RunState } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';
import type { Viewer } from '../access.ts';
import { type IndexedChanges, type IndexedRun, type IndexedRuns, runStates } from './indexed-runs.ts';
import type { OrderedRuns } from './ordered-runs.ts';
import { runTextMatch } from './run-text-match.ts';

/** Code of a run that is not selected. The code of another one is one more than the place of its state. */
const OUTSIDE = 0;
const codes = new Map(runStates.map((state, at) => [state, at + 1]));

/**
 * The runs that one glob and one text select among those that a viewer may see. Views that differ only in status, order
 * and window share it.
 */
export class RunSelection {
  /** Counts the views that use it. */
  users = 0;
  readonly #matchesKey: (key: string) => boolean;
  readonly #matchesText: (key: string, taskName: string | null) => boolean;
  /** By slot. */
  #codes = new Uint8Array(0);
  #counts: number[] = [];

  constructor(of: { glob: string; q: string | null; viewer: Viewer }) {
    const ofKey = compileGlob(of.glob);
    const { maySee } = of.viewer;
    this.#matchesKey = (key) => ofKey(key) && maySee(key);
    this.#matchesText = runTextMatch(of.q);
  }

  /** Selects anew among all runs. */
  restart(runs: IndexedRuns): void {
    this.#codes = new Uint8Array(runs.slots);
    this.#counts = Array.from({ length: codes.size + 1 }, () => 0);
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
      if (this.#put(run, isJudged ? codes.get(run.state)! : this.#codeOf(run))) isTouched = true;
    }
    return isTouched;
  }

  /** Returns the runs from one place on to before another, among those of the order that are selected and in a state. */
  slice(order: OrderedRuns, of: { states: ReadonlySet<RunState>; from: number; to: number }): IndexedRun[] {
    const { states, from, to } = of;
    const isWanted = new Uint8Array(codes.size + 1);
    for (const state of states) isWanted[codes.get(state)!] = 1;
    const found: IndexedRun[] = [];
    let seen = 0;
    for (let at = 0; at < order.length && seen < to; at += 1) {
      if (isWanted[this.#codes[order.slotAt(at)]!] === 0) continue;
      if (seen >= from) found.push(order.runAt(at));
      seen += 1;
    }
    return found;
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
    const { key, head, state } = run;
    const isSelected = this.#matchesKey(key) && this.#matchesText(key, head.task_name);
    return isSelected ? codes.get(state)! : OUTSIDE;
  }

  #put(run: IndexedRun, code: number): boolean {
    const before = this.#codes[run.slot]!;
    this.#codes[run.slot] = code;
    this.#counts[before]! -= 1;
    this.#counts[code]! += 1;
    return before !== OUTSIDE || code !== OUTSIDE;
  }

  #grow(slots: number): void {
    const grown = new Uint8Array(Math.max(slots, this.#codes.length * 2));
    grown.set(this.#codes);
    this.#codes = grown;
  }
}
