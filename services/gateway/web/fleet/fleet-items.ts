import type { RunGroup } from '@runlog/schema/run/snapshot';

/** One line of the table: the head of a group, or the run at an index of the server's order. */
export type FleetItem =
  | { readonly kind: 'head'; readonly value: string | null; readonly runs: number }
  | { readonly kind: 'run'; readonly index: number };

/** The lines of a table of so many runs. The groups come in order, and the first of them if there are too many. */
export class FleetItems {
  readonly count: number;
  readonly #groups: readonly RunGroup[];
  /** The line of each head. */
  readonly #heads: readonly number[];

  constructor({ total, groups }: { total: number; groups: readonly RunGroup[] }) {
    this.#groups = groups;
    const heads: number[] = [];
    let line = 0;
    for (const [, runs] of groups) {
      heads.push(line);
      line += 1 + runs;
    }
    this.#heads = heads;
    this.count = total + groups.length;
  }

  /** The line must be one of the table. */
  at(line: number): FleetItem {
    const group = this.#headsUpTo(line) - 1;
    if (group < 0) return { kind: 'run', index: line };
    if (this.#heads[group] === line) {
      const [value, runs] = this.#groups[group]!;
      return { kind: 'head', value, runs };
    }
    return { kind: 'run', index: line - group - 1 };
  }

  /** The line of the run at an index. */
  lineOf(index: number): number {
    let low = 0;
    let high = this.#heads.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#heads[middle]! - middle <= index) low = middle + 1;
      else high = middle;
    }
    return index + low;
  }

  /** The index of the first run at or below a line. */
  indexAt(line: number): number {
    const item = line < this.count ? this.at(line) : null;
    return item?.kind === 'run' ? item.index : line - this.#headsUpTo(line - 1);
  }

  /** How many heads stand at a line or above it. */
  #headsUpTo(line: number): number {
    let low = 0;
    let high = this.#heads.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#heads[middle]! <= line) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
