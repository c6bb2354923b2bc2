import { readFileSync } from 'node:fs';
import { deliverFigures } from '@runlog/run-state/figures/deliver-figures';
import { emptyFigures, foldFigures } from '@runlog/run-state/figures/run-figures';
import { envelope, type TelemetryEvent } from '@runlog/schema/events/event';
import type { EventType } from '@runlog/schema/events/event-type';
import { eventTypeOf, eventTypes, olderShapeOf, unknownEventType } from '@runlog/schema/events/event-types';
import { validateEvent } from '@runlog/schema/events/validate-event';
import { describe, expect, it } from 'vitest';
import { toJSONSchema } from 'zod';
import { lineOf } from '../../services/gateway/web/log/line-text.ts';
import { LogRows } from '../../services/gateway/web/log/log-rows.ts';
import { epochCompleted, foldEvents, otherEvent, recordOf } from '../support/event-factory.ts';
import { type EventTypeCase, eventTypeCases, fixtureTypes } from '../support/event-type-cases.ts';

const rows: readonly (readonly [string, EventType])[] = Object.entries(eventTypes);
const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const eventLog = readFileSync(new URL('../../docs/event-log.md', import.meta.url), 'utf8');

const cases = fixtureTypes.flatMap((type) =>
  eventTypeCases(type).map((each, index) => ({ type, index, ...each })),
);

function eventOf(type: string, { event }: EventTypeCase): TelemetryEvent {
  return { ...otherEvent(type), ...event };
}

/** Returns the cells of the table rows of a document whose first cell names the type. */
function documented(document: string, type: string): string[][] {
  return document
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, first]) => first?.split(/[^A-Z_]+/).includes(type))
    .map((cells) => cells.slice(1, -1));
}

const quoted = (cell: string | undefined) =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

describe('every event type', () => {
  it.each(rows)('%s has fixtures in each of its shapes', (type, row) => {
    const shapes = new Set(eventTypeCases(type).map(({ shape }) => shape));
    const expected = [
      ...(row.older?.telltale === null ? [] : ['current']),
      ...(row.older === null ? [] : ['older']),
    ];
    expect([...shapes].toSorted()).toEqual(expected.toSorted());
  });

  it('in the fixtures is in the table, except one that stands for unknown types', () => {
    expect(fixtureTypes.filter((type) => eventTypeOf(type) === unknownEventType)).toEqual([
      'PLATEAU_DETECTED',
    ]);
  });

  it.each(cases)('$type, case $index, is judged in its shape', ({ type, ...each }) => {
    const event = eventOf(type, each);
    expect(validateEvent(event)).toEqual({ event });
    expect(olderShapeOf(event) === null ? 'current' : 'older').toBe(each.shape);
  });

  it.each(cases)('$type, case $index, is folded as its fixture says', ({ type, ...each }) => {
    const before = foldEvents([epochCompleted()]);
    const after = foldEvents([eventOf(type, each)], before);
    const [entry] = after.event_log.slice(before.event_log.length);
    const { event_id: _, ...metadata } = entry?.metadata ?? {};
    const told = entry && { env_id: entry.env_id, message: entry.message, metadata, values: entry.values };
    expect(told ?? null).toEqual(each.entry);
    expect(after.milestones.length === 1).toBe(each.milestone);
    const movedByEvery = new Set(
      (
        'position last_event_id last_received_at last_event_at total_events_received counts event_log milestones ' +
        'activity event_id_window landmarks'
      ).split(' '),
    );
    const changes = Object.entries(after).filter(
      ([field, value]) =>
        !movedByEvery.has(field) &&
        JSON.stringify(value) !== JSON.stringify(before[field as keyof typeof before]),
    );
    expect(Object.fromEntries(changes)).toEqual(each.changes);
    expect(after.counts[type]).toBe((before.counts[type] ?? 0) + 1);
  });

  it.each(cases)('$type, case $index, continues the figures that its fixture says', ({ type, ...each }) => {
    const event = eventOf(type, each);
    const state = emptyFigures({ cluster_id: 'c1', run_id: 'r1', group_id: 'default' });
    foldFigures(state, recordOf(event, { seq: 4 }), { isRepeat: false });
    const points = deliverFigures(state).figures.map(({ name, x, last }) => [name, [x[0], last[0]]]);
    expect(Object.fromEntries(points)).toEqual(each.figures);
  });

  it.each(cases)('$type, case $index, is drawn as its fixture says', ({ type, ...each }) => {
    const before = foldEvents([epochCompleted()]);
    const after = foldEvents([eventOf(type, each)], before);
    const log = new LogRows();
    log.add(after.event_log.slice(before.event_log.length));
    const lines = log.rows
      .filter((row) => row.kind === 'event' || row.kind === 'rollup')
      .map((row) => {
        const { slot, kind, text } = lineOf(row);
        return [slot, kind.text, text.map((span) => span.text).join('')]
          .filter((part) => part !== '')
          .join(' ');
      });
    expect(lines).toEqual(each.line === null ? [] : [each.line]);
  });

  it.each(rows)('%s is in docs/protocol.md with its fields and its class', (type, row) => {
    const [, required, optional, shown] = documented(protocol, type)[0] ?? [];
    expect(shown, `docs/protocol.md has no row of ${type}`).toBe(row.page.class);
    const payload = row.older?.telltale === null ? row.older.payload : row.payload;
    if (payload === null) return;
    const schema = toJSONSchema(payload) as { properties: object; required?: string[] };
    const requiredFields = schema.required ?? [];
    expect(quoted(required)).toEqual(requiredFields);
    expect(quoted(optional)).toEqual(
      Object.keys(schema.properties).filter((field) => !requiredFields.includes(field)),
    );
  });

  it.each(rows.filter(([, { entry }]) => entry !== null))(
    '%s is in docs/event-log.md with its message and its metadata',
    (type) => {
      const table = documented(eventLog, type);
      for (const { entry } of eventTypeCases(type)) {
        const row = table.find(([, message]) => message === entry!.message);
        expect(
          row,
          `docs/event-log.md has no row of ${type} with the message ${entry!.message}`,
        ).toBeDefined();
        expect(quoted(row![2])).toEqual(expect.arrayContaining(Object.keys(entry!.metadata)));
      }
    },
  );

  it.each(rows.filter(([, { older }]) => older !== null))(
    '%s is among the older emitters of docs/event-log.md',
    (type) => {
      expect(documented(eventLog.split('## Older emitters')[1]!, type)).not.toEqual([]);
    },
  );
});

it('docs/protocol.md lists the fields of the envelope', () => {
  const section = protocol.split('### Events')[1]!.split('\n### ')[0]!;
  const listed = section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => quoted(line.split('|')[1]));
  expect(listed).toEqual([...Object.keys(envelope), 'data']);
});
