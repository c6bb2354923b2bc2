import { instantOf } from '@runlog/schema/events/instant';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { isAlarm, isRolledUp } from './line-text.ts';
import type { BurstRow, EventRow, RollUpRow } from './log-row.ts';

/** An entry joins one of the groups that began last, so that what changes is near the end. */
export const OPEN_GROUPS_MAX = 12;
/** A group with more events that are not rolled up is drawn as one row. */
export const ROWS_OF_A_GROUP_MAX = 12;
/** A sender whose clock stands still would grow one row for ever. */
export const GROUP_ENTRIES_MAX = 5_000;

/** An entry and the group that it belongs to. It is drawn as a row if its group is not. */
export class Placed {
  readonly isGroup = false;
  /** Its place among what is drawn: groups as one row, and events. */
  at = -1;
  row: EventRow | null = null;
  group: Group = noGroup;
  readonly entry: EventLogEntry;
  readonly seq: number;
  readonly secondMs: number;
  /** The event type of rolled-up events, else `one` or `alarm`, which are no event types. */
  readonly key: string;

  constructor(entry: EventLogEntry) {
    const ms = instantOf(entry.occurred_at);
    this.entry = entry;
    this.seq = entry.seq;
    this.secondMs = Number.isNaN(ms) ? 0 : Math.floor(ms / 1_000) * 1_000;
    this.key = isRolledUp(entry) ? entry.event_type : isAlarm(entry) ? ALARM : ONE;
  }
}

export class Group {
  readonly isGroup = true;
  at = -1;
  row: RollUpRow | BurstRow | null = null;
  isOpen = false;
  readonly placed: Placed[] = [];
  /** Of the first `counted` entries; null until the group is drawn as a row. */
  stats: Stats | null = null;
  readonly key: string;
  readonly secondMs: number;
  readonly isRolledUp: boolean;
  /** How many groups began before it since the rows were last laid out. */
  ordinal: number;

  constructor({ key, secondMs }: Pick<Placed, 'key' | 'secondMs'>, ordinal: number) {
    this.key = key;
    this.secondMs = secondMs;
    this.isRolledUp = key !== ONE && key !== ALARM;
    this.ordinal = ordinal;
  }

  get seq(): number {
    return this.placed[0]!.seq;
  }

  /** Whether it is drawn as one row. */
  get isFolded(): boolean {
    return this.isRolledUp || this.placed.length > ROWS_OF_A_GROUP_MAX;
  }

  get id(): string {
    return `${this.isRolledUp ? 'r' : 'b'}${this.seq}`;
  }
}

export interface Stats {
  readonly envs: Set<number>;
  readonly counts: Map<string, number>;
  counted: number;
  low: number;
  high: number;
  odd: number;
}

const ONE = 'one';
export const ALARM = 'alarm';
const noGroup = new Group({ key: ONE, secondMs: 0 }, -1);

/** What is drawn: a group as one row, or one event. */
export type Top = Group | Placed;

export function groupOf(top: Top): Group {
  return top.isGroup ? top : top.group;
}
