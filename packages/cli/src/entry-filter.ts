import type { EntryFilter } from '@runlog/client/history-request';
import { runChannel } from '@runlog/schema/stream/channels';
import { parseSubscription } from '@runlog/schema/stream/subscriptions';
import { UsageError } from './command.ts';

/** The options that say which entries of a run are wanted. Those that list values take them with commas. */
export const entryFilterOptions = {
  type: { type: 'string', value: 'TYPES', help: 'only entries of these event types, with commas' },
  'not-type': { type: 'string', value: 'TYPES', help: 'no entries of these event types' },
  env: { type: 'string', value: 'NUMBERS', help: 'only entries of these environments' },
  slot: { type: 'string', value: 'SLOTS', help: 'only entries of these slots' },
  severity: { type: 'string', value: 'LEVELS', help: 'only entries of exactly these severities' },
  text: {
    type: 'string',
    value: 'TEXT',
    help: 'only entries that have this part in message, type, metadata or values, in upper or lower case',
  },
} as const;

type FilterValues = Readonly<Partial<Record<keyof typeof entryFilterOptions, string>>>;

/** Returns what the options ask for. Throws a `UsageError` that names what cannot be asked for. */
export function entryFilterOf(values: FilterValues): EntryFilter {
  const lists = {
    type: values.type?.split(','),
    not_type: values['not-type']?.split(','),
    env: values.env?.split(',').map((text) => (/^\d+$/.test(text) ? Number(text) : text)),
    slot: values.slot?.split(','),
    severity: values.severity?.split(','),
    q: values.text,
  };
  const given = Object.fromEntries(Object.entries(lists).filter(([, value]) => value !== undefined));
  const parsed = parseSubscription({ ch: runChannel('c/r/g'), ...given });
  if (parsed.kind === 'fault') throw new UsageError(`these entries cannot be asked for: ${parsed.message}`);
  return given as EntryFilter;
}
