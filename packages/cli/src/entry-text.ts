import type { EventLogEntry, Severity } from '@runlog/schema/run/snapshot';
import { printable } from '@runlog/service-kit/printable';
import { formatNumber } from './format.ts';
import { type Column, textTable } from './text-table.ts';

/** The part of an entry that a line of the event log shows: everything that follows from the event alone. */
export type ShownEntry = Omit<EventLogEntry, 'episode' | 'seq'>;

/** Formats entries of the event log, oldest first. There is a column of severities only if one is not `info`. */
export function entriesText(entries: readonly EventLogEntry[]): string {
  const hasSeverity = entries.some((entry) => entry.severity !== 'info');
  const severity: Column<EventLogEntry> = {
    title: 'SEVERITY',
    text: (entry) => (entry.severity === 'info' ? '' : entry.severity),
  };
  return textTable(entries, [
    { title: 'TIME', text: (entry) => entry.timestamp },
    ...(hasSeverity ? [severity] : []),
    { title: 'TYPE', text: (entry) => entry.event_type },
    { title: 'ENV', text: environment },
    { title: 'EP', text: (entry) => String(entry.episode), right: true },
    { title: 'MESSAGE', text: (entry) => entry.message },
    { title: 'DETAILS', text: details },
  ]);
}

/**
 * Formats one entry as one line. The columns before the message have fixed widths, so that they line up in a stream. A
 * message that only repeats the type is left out if there is something else to say.
 */
export function entryLine(entry: ShownEntry): string {
  const told = details(entry);
  const message = entry.message === entry.event_type && told !== '' ? '' : entry.message;
  const severity = isNotable[entry.severity] ? entry.severity.toUpperCase() : '';
  const what = [severity, message, told].filter((text) => text !== '').join('  ');
  const line = `${entry.timestamp}  ${entry.event_type.padEnd(21)}  ${environment(entry)}  ${what}`;
  return printable(line).trimEnd();
}

const isNotable: Readonly<Record<Severity, boolean>> = {
  debug: false,
  info: false,
  warning: true,
  error: true,
  critical: true,
};

function environment(entry: ShownEntry): string {
  return entry.env_id === null ? '--' : String(entry.env_id).padStart(2, '0');
}

/** Lists the particulars of an entry: `slot_id r0c0, val_accuracy 61.5`. */
function details(entry: ShownEntry): string {
  const { event_id: _, ...metadata } = entry.metadata;
  return [...Object.entries(metadata), ...Object.entries(entry.values)]
    .map(([name, value]) => `${asWord(name)} ${scalarText(value)}`)
    .join(', ');
}

function scalarText(value: string | number | boolean): string {
  if (typeof value === 'number') return formatNumber(value);
  return typeof value === 'string' ? asWord(value) : String(value);
}

/** Quotes text that does not end where the next space or comma is. */
function asWord(text: string): string {
  return text === '' || /[\s,"]/.test(text) ? JSON.stringify(text) : text;
}
