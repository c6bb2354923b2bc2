import { hash } from 'node:crypto';
import { instantOf } from '@runlog/schema/events/instant';
import type { Hash } from './hash-counts.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The fields that say where an event belongs and who numbered it. A recording may lack them and the log have them. */
const givenFields = new Set(['event_id', 'run_id', 'group_id', 'emitter_id', 'emitter_seq']);

/** The ids that imports make of what an event says. Nothing else need be looked at. */
const contentIdPattern = /^content-[0-9a-f]{32}(?:-\d+)?$/;

/**
 * Names an event of a run: by its id, and by its type and the time at which it occurred, because trainers exist that number
 * their ids anew at each start. The rest may differ between what an emitter sent and what its recording says.
 */
export function identityOf(key: string, event: Fields): Hash {
  if (typeof event.event_id === 'string' && contentIdPattern.test(event.event_id)) {
    return hashOf(`${key}\n${event.event_id}`);
  }
  const occurred = typeof event.timestamp === 'string' ? instantOf(event.timestamp) : Number.NaN;
  return hashOf(`${key}\n${event.event_id}\n${event.event_type}\n${occurred}`);
}

/** Names a number of an emitter within a run. */
export function numberOf(key: string, { emitter_id, emitter_seq }: Fields): Hash {
  return hashOf(`${key}\n${emitter_id}\n${emitter_seq}`);
}

export function isNumbered({ emitter_id, emitter_seq }: Fields): boolean {
  return (emitter_id ?? null) !== null || (emitter_seq ?? null) !== null;
}

/** Makes the id of an event that has none from all that it says, in whatever order. */
export function contentId(event: Fields): string {
  const said = Object.entries(event).filter(([name]) => !givenFields.has(name));
  const digest = hash('sha256', canonical(Object.fromEntries(said)));
  return `content-${digest.slice(0, 32)}`;
}

export function hashOf(text: string): Hash {
  const digest = hash('sha256', text, 'buffer');
  return { high: digest.readUInt32LE(0), low: digest.readUInt32LE(4) };
}

/** Writes a value as JSON whose names are sorted. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
