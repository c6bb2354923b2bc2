import type { TelemetryEvent } from '@runlog/schema/events/event';
import { EVENT_TYPES_MAX } from '@runlog/schema/limits';
import { figureName } from './figure-name.ts';

type Data = NonNullable<TelemetryEvent['data']>;

/** A field of `data` that may be a figure, and the figure's name. */
export interface OwnField {
  readonly field: string;
  readonly name: string;
}

interface Known {
  /** All names of `data`, in the order in which they were sent. */
  readonly asSent: readonly string[];
  readonly fields: readonly OwnField[];
}

/** `step` is the x of the others, and an environment's number is no measurement. */
const NO_FIGURES: ReadonlySet<string> = new Set(['step', 'env_id']);

/** By event type, the fields of its last event: nearly every event of a type has the same. */
const lastFields = new Map<string, Known>();
/** Events with more fields are judged anew each time, so that little is kept of what senders choose. */
const FIELDS_KEPT_MAX = 256;

/**
 * Returns the fields of an event whose type has figures of its own, in the order of their names, so that the order of keys
 * in an event does not matter.
 */
export function ownFieldsOf(of: {
  type: string;
  data: Data;
  figures: 'own_names' | 'type_and_name';
}): readonly OwnField[] {
  const { type, data, figures } = of;
  const last = lastFields.get(type);
  if (last !== undefined && hasNames(data, last.asSent)) return last.fields;
  const asSent = Object.keys(data);
  const fields = asSent
    .filter((field) => !NO_FIGURES.has(field))
    .sort()
    .map((field) => ({
      field,
      name: figureName(figures === 'own_names' ? field : `${type}.${field}`),
    }));
  if (asSent.length <= FIELDS_KEPT_MAX) {
    if (lastFields.size >= EVENT_TYPES_MAX) lastFields.clear();
    lastFields.set(type, { asSent, fields });
  }
  return fields;
}

/** Says whether `data` has these names and no others, in this order. */
function hasNames(data: Data, names: readonly string[]): boolean {
  let at = 0;
  for (const name in data) {
    if (name !== names[at]) return false;
    at += 1;
  }
  return at === names.length;
}
