import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { datedClockText } from '../text/dates.ts';
import { visibleText } from '../text/visible-text.ts';
import { envText, lineOf } from './line-text.ts';
import type { LogRow } from './log-row.ts';

/** Writes rows as text to be pasted: one line each, without the headings and edges, which are no part of the log. */
export function copyText(rows: readonly LogRow[]): string {
  return rows
    .map(copyLine)
    .filter((line) => line !== null)
    .join('\n');
}

/** `2026-01-03 23:59:47Z  e02  r0c1  STAGE  TRAIN→BLEND  seq 1234`; null for a row that says nothing by itself. */
export function copyLine(row: LogRow): string | null {
  switch (row.kind) {
    case 'date':
    case 'edge':
      return null;
    case 'gap':
      return oneLine(['--', gapText(row), `behind seq ${row.after}`]);
    case 'event':
    case 'rollup':
    case 'burst': {
      const { env, slot, kind, text } = lineOf(row);
      const said = text.map((span) => span.text).join('');
      const seqs = row.kind === 'event' || row.seq === row.lastSeq ? row.seq : `${row.seq}–${row.lastSeq}`;
      return oneLine([`${datedClockText(row.secondMs)}Z`, env, slot, kind.text, said, `seq ${seqs}`]);
    }
    default: {
      const unreachable: never = row;
      throw new Error(`unknown row ${String(unreachable)}`);
    }
  }
}

/** `2026-01-03T23:59:47.9+00:00  EPOCH_COMPLETED  e02  ep 12  message  {"val_accuracy":83.1}  seq 1234`: an event as the raw table has it. */
export function rawLine(entry: EventLogEntry): string {
  const { occurred_at, event_type, env_id, episode, message, seq } = entry;
  const env = env_id === null ? '--' : envText(env_id);
  const said = message === event_type ? '' : message;
  return oneLine([occurred_at, event_type, env, `ep ${episode}`, said, detailsJson(entry), `seq ${seq}`]);
}

type Told = Pick<EventLogEntry, 'metadata' | 'values'>;

/** `slot_id=r0c1 reason=stagnation`: what else is known of an event, for people to read. */
export function detailsText(entry: Told): string {
  return Object.entries(detailsOf(entry))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function detailsJson(entry: Told): string {
  return JSON.stringify(detailsOf(entry));
}

function detailsOf({ metadata, values }: Told) {
  const { event_id: _, ...told } = metadata;
  return { ...told, ...values };
}

const stateWords = { waiting: 'waiting', recovered: 'recovered', not_coming: 'not coming' } as const;

function gapText({ cause, emitterId, from, to, missing, state }: Extract<LogRow, { kind: 'gap' }>): string {
  const many = missing === null ? 'an unknown number' : String(missing);
  if (cause === 'stream') return `${many} of the events ${from}–${to} were not shown`;
  return `numbers ${from}–${to} of emitter ${emitterId}: ${many} missing, ${stateWords[state]}`;
}

/** Text of others may not begin a line, move to another column, or reverse what follows. */
function oneLine(parts: readonly string[]): string {
  return parts
    .filter((part) => part !== '')
    .map((part) => visibleText(part).trimEnd())
    .join('  ');
}
