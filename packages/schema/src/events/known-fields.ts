import { envelope } from './event.ts';
import { eventTypes } from './event-types.ts';

/** The fields of the envelope, `data` among them. */
export const envelopeFields: readonly string[] = [...Object.keys(envelope), 'data'];

/**
 * Every field of `data` that the schema of any type reads, or that tells one of its shapes from another. An event that keeps
 * these and loses all other fields of `data` is judged as before.
 */
export const dataFields: readonly string[] = [
  ...new Set(
    Object.values(eventTypes).flatMap(({ payload, older }) => [
      ...fieldsOf(payload),
      ...fieldsOf(older?.payload ?? null),
      ...(older?.telltale == null ? [] : [older.telltale.has, older.telltale.lacks]),
    ]),
  ),
];

function fieldsOf(payload: unknown): readonly string[] {
  if (payload === null) return [];
  const { shape } = payload as { shape?: Readonly<Record<string, unknown>> };
  if (shape === undefined) throw new Error('the payload of an event type is not a plain object');
  return Object.keys(shape);
}
