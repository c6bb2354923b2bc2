import { encodeRetirement } from '@runlog/records/control-record';
import { encodeEvent } from '@runlog/records/event-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { epochCompleted, otherEvent, seedFossilized } from '../../../test/support/event-factory.ts';
import { recordJson, recordText } from './record-text.ts';

function stored(event: TelemetryEvent, text = JSON.stringify(event)): LogRecord {
  const value = Buffer.from(text);
  const receivedAt = '2026-01-04T00:00:00.000Z';
  const receivedAtMs = Date.parse(receivedAt);
  return { ...encodeEvent(event, { clusterId: 'c1', value, receivedAt, receivedAtMs }), offset: 4711 };
}

const retirement: LogRecord = {
  ...encodeRetirement({ key: 'c1/r1/default', reason: 'deleted', through: null, nowMs: 0 }),
  offset: 5,
};

describe('a record as a line of JSON', () => {
  it('has the entry of its event, with severity and values, and the bytes of the event', () => {
    const event = epochCompleted({ event_id: 'e1', severity: 'warn' });
    const text = ` {"x":1e2,\n${JSON.stringify(event).slice(1)}`;
    const line = recordJson(3, stored(event, text));
    expect(line).toContain('"event": {"x":1e2, "event_id"');
    expect(JSON.parse(line)).toEqual({
      partition: 3,
      offset: 4711,
      key: 'c1/r1/default',
      received_at: '2026-01-04T00:00:00.000Z',
      control: null,
      entry: {
        timestamp: '23:59:47',
        event_type: 'EPOCH_COMPLETED',
        env_id: 0,
        message: 'EPOCH_COMPLETED',
        metadata: { event_id: 'e1' },
        occurred_at: '2026-01-03T23:59:47.900000+00:00',
        severity: 'warning',
        values: { val_accuracy: 40.5, val_loss: 0.2, inner_epoch: 1 },
      },
      event: { x: 100, ...event },
    });
  });

  it.each([
    ['a heartbeat', stored(otherEvent('RUN_HEARTBEAT'))],
    ['a retirement', retirement],
    ['a record that no fold can read', { ...stored(epochCompleted()), value: Buffer.from('[1]') }],
    ['a record that is no JSON', { ...stored(epochCompleted()), value: Buffer.from('{a\n') }],
    ['a record without a value', { ...stored(epochCompleted()), value: null }],
  ])('has no entry for %s', (_, record) => {
    expect(JSON.parse(recordJson(0, record))).toMatchObject({ offset: record.offset, entry: null });
  });
});

describe('a record as a line for a person', () => {
  it('begins with its offset, its run if several are shown, and the date', () => {
    const record = stored(seedFossilized({ data: { extra: 5 } }));
    const rest = '2026-01-03  23:59:47  SEED_FOSSILIZED        01  Fossilized  slot_id r0c0, improvement 2.3';
    expect(recordText(record, { withKey: false })).toContain(`    4711  ${rest}`);
    expect(recordText(record, { withKey: true })).toContain(`    4711  c1/r1/default  ${rest}`);
  });

  it('says what is no event', () => {
    expect(recordText(retirement, { withKey: false })).toBe('       5  the run is retired here');
    const unreadable = { ...stored(epochCompleted()), value: Buffer.from('{\u001b') };
    const line = recordText(unreadable, { withKey: true });
    expect(line).toMatch(
      /^ {4}4711 {2}c1\/r1\/default {2}no fold can read this record: the value is not JSON/,
    );
    expect(line).not.toMatch(/\p{Cc}/u);
  });
});
