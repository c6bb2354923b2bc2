import { controlOf } from '@runlog/records/control-record';
import { receivedAtOf } from '@runlog/records/event-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import { logEntryOf } from '@runlog/run-state/log-entry';
import { eventTypeOf } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import { printable } from '@runlog/service-kit/printable';
import { parseJson } from '@runlog/topic-io/parse-json';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { entryLine, type ShownEntry } from './entry-text.ts';

const OFFSET_CHARS = 8;
const NO_DATE = ' '.repeat(10);

/**
 * Formats a record of the events topic as one line of JSON. `entry` is that of the event log, without the run's episode,
 * which only a fold knows; null for a record that makes none. `event` is the value's own bytes: a line break can only stand
 * between its tokens, where a space means the same. A value that is no JSON is given as text.
 */
export function recordJson(partition: number, record: LogRecord): string {
  const { offset, key, value } = record;
  const received_at = receivedAtOf(record);
  const read = readRecord(record);
  const entry = read.kind === 'entry' && read.isLogged ? read.entry : null;
  const about = JSON.stringify({ partition, offset, key, received_at, control: controlOf(record), entry });
  const text = value?.toString('utf8') ?? 'null';
  const isJson = read.kind !== 'unfoldable' || parseJson(text) !== undefined;
  return `${about.slice(0, -1)},"event":${isJson ? text.replace(/[\r\n]+/g, ' ') : JSON.stringify(text)}}`;
}

/** Formats a record of the events topic as one line for a person: offset, date, and the line of its entry. */
export function recordText(record: LogRecord, { withKey }: { withKey: boolean }): string {
  const place = `${String(record.offset).padStart(OFFSET_CHARS)}  ${withKey ? `${printable(record.key)}  ` : ''}`;
  const read = readRecord(record);
  switch (read.kind) {
    case 'entry':
      return `${place}${dateOf(read.entry)}  ${entryLine(read.entry)}`;
    case 'retired':
      return `${place}the run is retired here`;
    case 'unfoldable':
      return `${place}no fold can read this record: ${printable(read.reason)}`;
    default: {
      const unreachable: never = read;
      throw new Error(`unknown record ${String(unreachable)}`);
    }
  }
}

type ReadRecord =
  | { readonly kind: 'entry'; readonly entry: ShownEntry; readonly isLogged: boolean }
  | { readonly kind: 'retired' }
  | { readonly kind: 'unfoldable'; readonly reason: string };

function readRecord(record: LogRecord): ReadRecord {
  // The epoch names the topic in positions, which no entry holds.
  const read = decodeRunRecord(record, '-');
  if (read.kind !== 'event') return read;
  const type = eventTypeOf(read.event.event_type);
  const { episode: _, seq: __, ...entry } = logEntryOf(read.event, { type, episode: 0, seq: record.offset });
  return { kind: 'entry', entry, isLogged: type.page.class !== 'unlogged' };
}

/** YYYY-MM-DD in UTC. */
function dateOf({ occurred_at }: ShownEntry): string {
  const ms = instantOf(occurred_at);
  return Number.isNaN(ms) ? NO_DATE : new Date(ms).toISOString().slice(0, NO_DATE.length);
}
