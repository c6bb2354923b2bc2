import { eventNames } from '@runlog/schema/events/event-types';
import { timestampPattern } from '@runlog/schema/events/instant';
import { runIdOfName } from '../run-name.ts';
import { type CsvDialect, cellNumber } from './csv-dialect.ts';
import type { SourceEvent } from './source.ts';
import { cutText, metricName, numberValue, timestampOfSeconds } from './source-event.ts';

/** What the columns of a file mean. The rest are metrics. */
export interface CsvColumns {
  readonly names: readonly string[];
  readonly roles: readonly Role[];
  /** Is true if the file has a row for each value: its name in one column, the value in another one. */
  readonly isLong: boolean;
}

type Role =
  | 'step'
  | 'epoch'
  | 'timestamp'
  | 'event_type'
  | 'run_id'
  | 'group_id'
  | 'event_id'
  | 'message'
  | 'severity'
  | 'key'
  | 'value'
  | 'metric';

/** The names of columns, in lower case and with `_`; of several with one role the first in this list has it. */
const roleNames: readonly (readonly [name: string, role: Role])[] = [
  ['step', 'step'],
  ['global_step', 'step'],
  ['_step', 'step'],
  ['iteration', 'step'],
  ['total_timesteps', 'step'],
  ['time/total_timesteps', 'step'],
  ['epoch', 'epoch'],
  ['timestamp', 'timestamp'],
  ['_timestamp', 'timestamp'],
  ['wall_time', 'timestamp'],
  ['datetime', 'timestamp'],
  ['time', 'timestamp'],
  ['date', 'timestamp'],
  ['event_type', 'event_type'],
  ['run_id', 'run_id'],
  ['group_id', 'group_id'],
  ['event_id', 'event_id'],
  ['message', 'message'],
  ['severity', 'severity'],
];
const keyNames: ReadonlySet<string> = new Set(['key', 'metric', 'tag']);

export const recognisedColumns: ReadonlySet<string> = new Set(
  roleNames
    .filter(([, role]) => role === 'step' || role === 'epoch' || role === 'timestamp')
    .map(([name]) => name),
);

/** Reads the header. Empty names and those that come again get the number of their column. */
export function csvColumns(header: readonly string[]): CsvColumns {
  const seen = new Set<string>();
  const names = header.map((cell, index) => {
    const name = cutText(cell.trim(), 256);
    const unique = name === '' ? `column_${index + 1}` : seen.has(name) ? `${name}_${index + 1}` : name;
    seen.add(unique);
    return unique;
  });
  const plain = names.map(plainName);
  const roles: Role[] = names.map(() => 'metric');
  const taken = new Set<Role>();
  for (const [name, role] of roleNames) {
    const index = plain.indexOf(name);
    if (index === -1 || taken.has(role)) continue;
    roles[index] = role;
    taken.add(role);
  }
  const key = plain.findIndex((name) => keyNames.has(name));
  const value = plain.indexOf('value');
  const isLong = key !== -1 && value !== -1;
  if (isLong) {
    roles[key] = 'key';
    roles[value] = 'value';
  }
  return { names, roles, isLong };
}

export function plainName(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[\s.-]+/g, '_');
}

/** The event of a row apart from its id, with the default time where the row has none. A text says what is wrong. */
export function rowEvent(
  cells: readonly string[],
  of: { columns: CsvColumns; dialect: CsvDialect; runId: string; defaultTimestamp: string },
): SourceEvent | string {
  const { columns, dialect } = of;
  const event: Record<string, unknown> = {
    event_type: eventNames.METRICS,
    timestamp: of.defaultTimestamp,
    run_id: of.runId,
  };
  const data: Record<string, unknown> = {};
  let key = '';
  for (const [index, cell] of cells.entries()) {
    const text = cell.trim();
    if (isUnknown(text)) continue;
    const name = columns.names[index]!;
    const role = columns.roles[index]!;
    const number = cellNumber(text, dialect);
    const value = number === null ? cutText(cell) : numberValue(number);
    switch (role) {
      case 'metric':
        data[metricName(name)] = value;
        break;
      case 'step':
      case 'epoch':
        if (number === null || !Number.isFinite(number))
          return `${name} must be a number (is "${cutText(text, 64)}")`;
        if (role === 'epoch') event.epoch = number;
        if (role === 'step' || !columns.roles.includes('step')) data.step = number;
        break;
      case 'timestamp': {
        const timestamp = cellTimestamp(text);
        if (timestamp !== null) event.timestamp = timestamp;
        // Many files count the seconds since their beginning under this name.
        else if (plainName(name) === 'time' && number !== null) data[name] = value;
        else return `${name} must be a time, as ISO 8601 or since 1970 (is "${cutText(text, 64)}")`;
        break;
      }
      case 'event_type':
        event.event_type = eventTypeOfText(text);
        break;
      case 'run_id':
      case 'group_id':
        event[role] = runIdOfName(text);
        break;
      case 'event_id':
        event.event_id = text;
        break;
      case 'message':
      case 'severity':
        event[role] = cutText(text);
        break;
      case 'key':
        key = cutText(text, 256);
        break;
      case 'value':
        data[''] = value;
        break;
      default: {
        const never: never = role;
        throw new Error(`unknown role ${String(never)}`);
      }
    }
  }
  if (columns.isLong && '' in data) {
    if (key === '') return 'a value has no name';
    data[metricName(key)] = data[''];
    delete data[''];
  }
  return { ...event, data };
}

/** `NA` is what R, pandas and Keras write for a value that is not known. */
export function isUnknown(text: string): boolean {
  return text === '' || text === 'NA' || text === 'null';
}

function eventTypeOfText(text: string): string {
  const type = text
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^[^A-Z]+/, '')
    .slice(0, 64);
  return type === '' ? eventNames.METRICS : type;
}

/** Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size: from 2001 on. */
const unixUnits = [
  { from: 1e9, scale: 1 },
  { from: 1e12, scale: 1e3 },
  { from: 1e15, scale: 1e6 },
  { from: 1e18, scale: 1e9 },
] as const;

/** A time without an offset is taken as UTC. */
export function cellTimestamp(text: string): string | null {
  if (/^\d+(?:\.\d+)?(?:[eE]\+?\d+)?$/.test(text)) {
    const number = Number(text);
    const unit = unixUnits.findLast(({ from }) => number >= from);
    if (unit !== undefined && number < unit.from * 100) return timestampOfSeconds(number / unit.scale);
  }
  if (timestampPattern.test(text)) return text;
  if (timestampPattern.test(`${text}Z`)) return `${text}Z`;
  return timestampPattern.test(`${text}T00:00:00Z`) ? `${text}T00:00:00Z` : null;
}
