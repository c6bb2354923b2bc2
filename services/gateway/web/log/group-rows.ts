import { eventTypeOf } from '@runlog/schema/events/event-types';
import { isNotANumber } from '@runlog/schema/events/line-span';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { ALARM, type Group, type Placed, type Stats, type Top } from './event-groups.ts';
import type { BurstRow, EventRow, Folded, LogRow, RollUpRow, Shown } from './log-row.ts';

/** The environments that a row names. All are counted. */
const ENVS_NAMED_MAX = 64;

/** Adds the rows of a group or an event. A row that is as it was stays the same object. */
export function pushTop(
  rows: LogRow[],
  top: Top,
  { clock, atLeast }: { clock: Shown['clock']; atLeast: (group: Group) => boolean },
): void {
  if (!top.isGroup) {
    rows.push(eventRow(top, { clock, within: null }));
    return;
  }
  const row = groupRow(top, { clock, isAtLeast: atLeast(top) });
  rows.push(row);
  if (top.isOpen) for (const placed of top.placed) rows.push(eventRow(placed, { clock, within: row.id }));
}

function eventRow(placed: Placed, { clock, within }: Pick<EventRow, 'clock' | 'within'>): EventRow {
  const { row, entry, seq, secondMs } = placed;
  if (row !== null && row.clock === clock && row.within === within) return row;
  placed.row = { kind: 'event', id: `e${seq}`, seq, secondMs, clock, entry, within };
  return placed.row;
}

function groupRow(
  group: Group,
  { clock, isAtLeast }: Pick<Folded, 'clock' | 'isAtLeast'>,
): RollUpRow | BurstRow {
  const { row, placed, secondMs, isOpen, id, seq } = group;
  if (row !== null && row.clock === clock && row.isAtLeast === isAtLeast) return row;
  const { envs, counts, low, high, odd } = statsOf(group);
  const folded = {
    ...{ id, seq, lastSeq: placed.at(-1)!.seq, secondMs, clock, events: placed.length },
    ...{ envs: envs.size, envIds: firstOf(envs, ENVS_NAMED_MAX), isOpen, isAtLeast },
  };
  if (group.isRolledUp) {
    const hasRange = low <= high;
    group.row = {
      ...{ kind: 'rollup', ...folded, eventType: group.key, entry: placed[0]!.entry, odd },
      ...{ low: hasRange ? low : null, high: hasRange ? high : null },
    };
  } else {
    const most = [...counts].sort(([, one], [, other]) => other - one);
    group.row = { kind: 'burst', ...folded, counts: most, isAlarm: group.key === ALARM };
  }
  return group.row;
}

/** Counts what came since the group was drawn last. */
function statsOf(group: Group): Stats {
  group.stats ??= {
    ...{ envs: new Set(), counts: new Map(), counted: 0 },
    ...{ low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY, odd: 0 },
  };
  const { stats, placed, isRolledUp, key } = group;
  const { page } = eventTypeOf(key);
  const name = isRolledUp && page.class !== 'unlogged' ? (page.rollUp?.value ?? '') : '';
  for (; stats.counted < placed.length; stats.counted += 1) {
    const { entry } = placed[stats.counted]!;
    if (entry.env_id !== null) stats.envs.add(entry.env_id);
    if (isRolledUp) countValues(stats, entry.values, name);
    else stats.counts.set(entry.event_type, (stats.counts.get(entry.event_type) ?? 0) + 1);
  }
  return stats;
}

function countValues(stats: Stats, values: EventLogEntry['values'], name: string): void {
  const value = values[name];
  if (typeof value === 'number') {
    stats.low = Math.min(stats.low, value);
    stats.high = Math.max(stats.high, value);
  }
  for (const each in values) {
    if (!isNotANumber(values[each])) continue;
    stats.odd += 1;
    return;
  }
}

function firstOf<Item>(items: Iterable<Item>, max: number): Item[] {
  const first: Item[] = [];
  for (const item of items) {
    if (first.length === max) break;
    first.push(item);
  }
  return first;
}
