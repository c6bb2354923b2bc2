import type { RunGroup } from '@runlog/schema/run/snapshot';

/** The heights of what the table draws, in pixels. */
export interface FleetHeights {
  readonly row: number;
  readonly head: number;
}

/** One thing that is drawn: a run by its position among all that match, or the head of a group. */
export type FleetItem =
  | { readonly kind: 'run'; readonly position: number }
  | { readonly kind: 'head'; readonly group: FleetGroup };

/** A group, or all runs in one without a head if they are not grouped. */
export interface FleetGroup {
  readonly value: string | null;
  readonly runs: number;
  /** The position of its first run. */
  readonly from: number;
  /** Its head stands for all groups beyond those that the server names. */
  readonly isRest: boolean;
}

/** What is drawn of a table, and the heights of what is not, above and below. */
export interface FleetSlice {
  readonly items: readonly FleetItem[];
  readonly above: number;
  readonly below: number;
  /** The positions of the first run in view and of the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** Rows that are drawn beyond those in view, so that a fast wheel shows no hole. */
const OVERSCAN = 8;

/** Deals positions out to the groups that the server names. Those that it does not name are together in one more. */
export function groupsOf(groups: readonly RunGroup[], total: number): readonly FleetGroup[] {
  let from = 0;
  const dealt = groups.map(([value, runs]): FleetGroup => {
    const group = { value, runs, from, isRest: false };
    from += runs;
    return group;
  });
  if (from < total) dealt.push({ value: null, runs: total - from, from, isRest: true });
  return dealt;
}

/** Where everything of a table lies. Without groups there are only rows. */
export class FleetLayout {
  readonly #groups: readonly FleetGroup[] | null;
  readonly #heights: FleetHeights;
  readonly total: number;

  constructor(of: { total: number; groups: readonly FleetGroup[] | null; heights: FleetHeights }) {
    this.total = of.total;
    this.#groups = of.groups;
    this.#heights = of.heights;
  }

  get height(): number {
    return this.total * this.#heights.row + (this.#groups?.length ?? 0) * this.#heights.head;
  }

  /** The top of the row at a position. */
  topOf(position: number): number {
    let heads = 0;
    for (const { from, runs } of this.#groups ?? []) if (from <= position && runs > 0) heads += 1;
    return position * this.#heights.row + heads * this.#heights.head;
  }

  /** What is drawn if so much is in view. */
  slice({ top, height }: { top: number; height: number }): FleetSlice {
    const over = OVERSCAN * this.#heights.row;
    const items: FleetItem[] = [];
    let above: number | null = null;
    let end = 0;
    const seen = { from: -1, to: 0 };
    const put = (item: FleetItem, at: number, size: number) => {
      above ??= at;
      end = at + size;
      items.push(item);
      if (item.kind !== 'run' || at + size <= top || at >= top + height) return;
      if (seen.from < 0) seen.from = item.position;
      seen.to = item.position + 1;
    };
    const blocks = this.#groups ?? [{ value: null, runs: this.total, from: 0, isRest: false }];
    let at = 0;
    for (const group of blocks) {
      const { row } = this.#heights;
      const head = this.#groups === null ? 0 : this.#heights.head;
      if (head > 0 && at + head > top - over && at < top + height + over)
        put({ kind: 'head', group }, at, head);
      const first = Math.max(0, Math.floor((top - over - at - head) / row));
      const last = Math.min(group.runs, Math.ceil((top + height + over - at - head) / row));
      for (let index = first; index < last; index += 1)
        put({ kind: 'run', position: group.from + index }, at + head + index * row, row);
      at += head + group.runs * row;
    }
    const from = Math.max(0, seen.from);
    return { items, above: above ?? 0, below: Math.max(0, at - end), from, to: Math.max(from, seen.to) };
  }
}
