import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunGroup, RunRow } from '@runlog/schema/run/snapshot';

/** What the server says of one window of the table. */
export interface FleetStep {
  /** Differs when other runs or another order are asked for, so that nothing of the table before stays. */
  readonly view: string;
  /** The position of the first row. */
  readonly offset: number;
  readonly rows: readonly RunRow[];
  readonly total: number;
  readonly groups: readonly RunGroup[];
}

interface Placed {
  readonly view: string;
  readonly offset: number;
  /** By position from `offset` on; null: not known. */
  readonly keys: readonly (string | null)[];
  readonly total: number;
  readonly groups: readonly RunGroup[];
}

/** The table as it is drawn. */
export interface FleetRows {
  readonly total: number;
  readonly groups: readonly RunGroup[];
  /** How many rows of the window are elsewhere by now: new, or in another place. 0 while the order is not held. */
  readonly moved: number;
  /** How many rows are known. */
  readonly known: number;
  /** The row at a position; null if it is not known yet. */
  rowAt(position: number): RunRow | null;
  /** The position of a run within the window; null if it is not there. */
  positionOf(key: string): number | null;
}

/**
 * The order of the rows that are drawn. While it is held no row moves: its values change in place, and what would move waits
 * until it is released. It holds the rows of two windows at most.
 */
export class HeldOrder {
  #shown: Placed | null = null;
  #newest: Placed | null = null;
  #rows = new Map<string, RunRow>();

  /** Takes what the server says, and returns what is drawn then. */
  receive(step: FleetStep, isHeld: boolean): FleetRows {
    const { view, offset, total, groups } = step;
    const keys = step.rows.map(formatRunKey);
    this.#newest = { view, offset, keys, total, groups };
    const held = this.#shown;
    this.#shown = !isHeld || held === null || held.view !== view ? this.#newest : within(held, this.#newest);
    const rows = new Map(step.rows.map((row, at) => [keys[at]!, row]));
    for (const key of this.#shown.keys) {
      const known = key === null ? undefined : this.#rows.get(key);
      if (known !== undefined && !rows.has(key!)) rows.set(key!, known);
    }
    this.#rows = rows;
    return this.#drawn(this.#shown);
  }

  /** Lets every row go to its place. Null before the first answer. */
  release(): FleetRows | null {
    this.#shown = this.#newest;
    return this.#shown === null ? null : this.#drawn(this.#shown);
  }

  #drawn(shown: Placed): FleetRows {
    const rows = this.#rows;
    const { offset, keys, total, groups } = shown;
    const places = new Map(keys.map((key, at) => [key, offset + at]));
    return {
      ...{ total, groups },
      moved: this.#newest === null || this.#newest === shown ? 0 : movedIn(shown, this.#newest),
      known: keys.filter((key) => key !== null && rows.has(key)).length,
      rowAt: (position) => {
        const key = keys[position - offset] ?? null;
        return key === null ? null : (rows.get(key) ?? null);
      },
      positionOf: (key) => places.get(key) ?? null,
    };
  }
}

/** What is drawn in another window while the order is held: rows that are known stay, and others take the places left. */
function within(held: Placed, newest: Placed): Placed {
  const { offset } = newest;
  // Rows that have left since are still drawn, unless the window went away from them.
  const left = offset < held.offset ? 0 : held.offset + held.keys.length - offset;
  const length = Math.max(0, Math.min(Math.max(newest.keys.length, left), held.total - offset));
  const keys = Array.from({ length }, (_, at) => held.keys[offset + at - held.offset] ?? null);
  const taken = new Set(keys);
  const missing = (at: number) => keys[at] === null && newest.keys[at] !== undefined;
  for (let at = 0; at < length; at += 1) {
    const key = newest.keys[at]!;
    if (!missing(at) || taken.has(key)) continue;
    keys[at] = key;
    taken.add(key);
  }
  // Where a place's own row is drawn elsewhere already, one that is nowhere stands in.
  const spare = newest.keys.filter((key) => !taken.has(key));
  for (let at = 0; at < length && spare.length > 0; at += 1) if (missing(at)) keys[at] = spare.shift()!;
  return { ...held, offset, keys };
}

/** Counts the rows that do not keep their order among the others, and those that are new. */
function movedIn(shown: Placed, newest: Placed): number {
  const places = new Map(shown.keys.map((key, at) => [key, at]));
  const order = newest.keys.map((key) => places.get(key)).filter((place) => place !== undefined);
  const moved = newest.keys.length - longestRising(order);
  // If none came and none changed places, others have left.
  return moved > 0 ? moved : Math.max(0, shown.keys.length - newest.keys.length);
}

/** The length of the longest subsequence whose values rise. */
function longestRising(values: readonly number[]): number {
  const least: number[] = [];
  for (const value of values) {
    const at = least.findIndex((end) => end >= value);
    if (at < 0) least.push(value);
    else least[at] = value;
  }
  return least.length;
}
