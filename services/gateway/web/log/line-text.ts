import { eventTypeOf, shortNameOf } from '@runlog/schema/events/event-types';
import { type EventLine, fixed, plainLine, type Span } from '@runlog/schema/events/line-span';
import type { EventLogEntry, Severity } from '@runlog/schema/run/snapshot';
import type { BurstRow, EventRow, RollUpRow } from './log-row.ts';

/** A row in columns. The clock and the seq are the row's own. */
export interface RowLine extends EventLine {
  /** `e02`, `4 env`, or nothing. */
  readonly env: string;
  /** Empty if the row has none. */
  readonly slot: string;
}

/** How serious an event is that nobody may overlook. */
const alarms: Readonly<Record<Severity, boolean>> = {
  debug: false,
  info: false,
  warning: true,
  error: true,
  critical: true,
};

/** Says whether an event has a severity of warning or above. */
export function isAlarm({ severity }: Pick<EventLogEntry, 'severity'>): boolean {
  return alarms[severity];
}

/**
 * Says whether an event shares its row with others of its second and type: only types with a `rollUp` do, and of those no
 * event that has a message of its own or a severity of warning and above.
 */
export function isRolledUp(entry: EventLogEntry): boolean {
  const { page } = eventTypeOf(entry.event_type);
  if (page.class === 'unlogged' || page.rollUp === null) return false;
  return !isAlarm(entry) && (entry.message === entry.event_type || entry.message === '');
}

/** Writes the line of a row that shows events. */
export function lineOf(row: EventRow | RollUpRow | BurstRow): RowLine {
  switch (row.kind) {
    case 'event':
      return entryLine(row.entry);
    case 'rollup':
      return { env: envsText(row), slot: '', ...rollUpLine(row) };
    case 'burst':
      return { env: envsText(row), slot: '', ...burstLine(row) };
    default: {
      const unreachable: never = row;
      throw new Error(`unknown row ${String(unreachable)}`);
    }
  }
}

/** Writes the line of one event. A severity other than info comes first. */
export function entryLine(entry: EventLogEntry): RowLine {
  const { kind, text } = eventLineOf(entry);
  const slot = entry.metadata.slot_id;
  return {
    env: entry.env_id === null ? '' : envText(entry.env_id),
    slot: slot === undefined ? '' : String(slot),
    kind,
    text: [...severitySpans(entry), ...text],
  };
}

const plain = plainLine(null);

function eventLineOf(entry: EventLogEntry): EventLine {
  const { page } = eventTypeOf(entry.event_type);
  return page.class === 'unlogged' ? plain(entry) : page.line(entry);
}

function severitySpans({ severity }: EventLogEntry): readonly Span[] {
  if (severity === 'info') return [];
  const tone = severity === 'debug' ? 'dim' : severity === 'warning' ? 'warn' : 'bad';
  return [{ text: `${severity.toUpperCase()} `, tone }];
}

function rollUpLine({ eventType, entry, events, low, high, odd, isAtLeast }: RollUpRow): EventLine {
  const text: Span[] = [{ text: `${isAtLeast ? '≥ ' : '×'}${events.toLocaleString('en')}`, tone: 'plain' }];
  const { page } = eventTypeOf(eventType);
  if (page.class !== 'unlogged' && page.rollUp !== null && low !== null && high !== null) {
    const { digits, unit } = page.rollUp;
    const [from, to] = [fixed(low, digits), fixed(high, digits)];
    text.push({ text: from === to ? ` ${to}${unit}` : ` ${from} … ${to}${unit}`, tone: 'dim' });
  }
  if (odd > 0) text.push({ text: ` NaN ×${odd.toLocaleString('en')}`, tone: 'bad' });
  return { kind: eventLineOf(entry).kind, text };
}

const KINDS_SHOWN = 6;

function burstLine({ events, counts, isAlarm: isLoud, isAtLeast }: BurstRow): EventLine {
  const tone = isLoud ? 'warn' : 'plain';
  const shown = counts.slice(0, KINDS_SHOWN).map(([type, count]) => `${shortNameOf(type)} ${count}`);
  const more = counts.length > KINDS_SHOWN ? [`${counts.length - KINDS_SHOWN} more kinds`] : [];
  return {
    kind: { text: `${isAtLeast ? '≥ ' : '×'}${events.toLocaleString('en')}`, tone },
    text: [{ text: [...shown, ...more].join(' · '), tone }],
  };
}

export function envText(env: number): string {
  return `e${String(env).padStart(2, '0')}`;
}

function envsText({ envIds, envs }: { envIds: readonly number[]; envs: number }): string {
  if (envs === 0) return '';
  return envs === 1 ? envText(envIds[0]!) : `${envs} env`;
}
